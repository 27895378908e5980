#include "wengert/optim/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "tests/optim/training_models.h"

namespace wengert::optim {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ------------------------------------------------------------ Nesterov's two forms

constexpr int kSize = 7;
using Vector = std::array<double, kSize>;

/// A bowl with a ripple: curvatures 0.5 to 3.5, and no direction in which it is quadratic.
double slope(double w, int i) { return 0.5 * (i + 1) * w + 0.3 * std::cos(w + i); }

Gradients slopes(ParameterSet& parameters) {
  const Tape tape;
  std::vector<double> curvatures, phases;
  for (int i = 0; i < kSize; ++i) {
    curvatures.push_back(0.25 * (i + 1));
    phases.push_back(i);
  }
  const Var w = use(parameters.at("w"));
  const Tensor c = Tensor::from(curvatures, {kSize}), phase = Tensor::from(phases, {kSize});
  return backward(sum(square(w) * Var(c)) + sum(sin(w + Var(phase)) * Var(0.3)));
}

Vector start() {
  Vector w;
  for (int i = 0; i < kSize; ++i) w[i] = 2.0 - 0.7 * i;
  return w;
}

/// The look-ahead form, an element at a time and straight from its paper.
struct Reference {
  Vector w = start(), m = {};
  void look_ahead(double rate, double beta) {
    for (int i = 0; i < kSize; ++i) {
      m[i] = beta * m[i] + rate * slope(w[i] - beta * m[i], i);
      w[i] -= m[i];
    }
  }
};

void expect_equal(const Tensor& w, const Vector& expected, int step) {
  for (int i = 0; i < kSize; ++i) {
    ASSERT_NEAR(w.at(i), expected[i], 1e-12 * std::max(1.0, std::fabs(expected[i])))
        << "element " << i << " after step " << step;
  }
}

TEST(Trajectory, NesterovsTwoFormsAreOne) {
  const double rate = 0.003, beta = 0.9;
  Nesterov ahead({.rate = rate, .momentum = beta}), shifted({.rate = rate, .momentum = beta});
  ParameterSet theta, tilde;
  const Vector first = start();
  const std::vector<double> values(first.begin(), first.end());
  theta.add("w", Tensor::from(values, {kSize}));
  tilde.add("w", Tensor::from(values, {kSize}));
  Reference reference;
  for (int t = 1; t <= 1000; ++t) {
    ahead.step(theta, [&] { return slopes(theta); });
    shifted.step(tilde, slopes(tilde));
    reference.look_ahead(rate, beta);
    expect_equal(theta.at("w").value(), reference.w, t);
    // θ̃ = θ − βm.
    Vector there;
    for (int i = 0; i < kSize; ++i) there[i] = reference.w[i] - beta * reference.m[i];
    expect_equal(tilde.at("w").value(), there, t);
    if (HasFatalFailure()) return;
  }
}

TEST(Nesterov, AFailingClosureLeavesTheParametersAlone) {
  Nesterov nesterov({});
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, 2.0}, {2}));
  const Tensor g = Tensor::from({1.0, 1.0}, {2});
  nesterov.step(parameters, gradients_equal_to(parameters, {{"w", g}}));
  const std::string before = bytes_of(parameters);
  const auto fails = [&]() -> Gradients {
    EXPECT_NE(bytes_of(parameters), before) << "it did not look ahead";
    throw Error(ErrorKind::kValue, "test", "on purpose");
  };
  EXPECT_EQ(error_of([&] { nesterov.step(parameters, fails); }).message(), "on purpose");
  EXPECT_EQ(bytes_of(parameters), before);
  EXPECT_EQ(nesterov.steps(), 1);
}

// ------------------------------------------------------------ what they refuse

TEST(Optimizer, RefusesBadRates) {
  for (const double bad : {-1.0, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { Sgd({.rate = bad}); }).kind(), ErrorKind::kValue) << bad;
    Sgd sgd({.rate = 0.25});
    const Error error = error_of([&] { sgd.set_rate(bad); });
    EXPECT_TRUE(holds(error.what(), "is outside [0, ∞)")) << error.what();
    EXPECT_EQ(sgd.rate(), 0.25);
  }
  EXPECT_TRUE(holds(error_of([] { Adam({.beta1 = 1}); }).what(), "beta1 1 is outside [0, 1)"));
}

TEST(Optimizer, FrozenAndForeignParametersStay) {
  ParameterSet mine, foreign;
  mine.add("w", Tensor::from({1.0}, {1}));
  mine.add("frozen", Tensor::from({1.0}, {1}));
  foreign.add("w", Tensor::from({1.0}, {1}));
  Sgd sgd({.rate = 1});
  const Tensor g = Tensor::from({0.5}, {1});
  const Gradients gradients = gradients_equal_to(mine, {{"w", g}, {"frozen", g}});
  mine.at("frozen").set_trainable(false);
  sgd.step(mine, gradients);
  Gradients both;
  {
    const Tape tape;
    both = backward(sum(use(mine.at("w")) * Var(g) + use(foreign.at("w")) * Var(g)));
  }
  sgd.step(mine, both);
  EXPECT_EQ(mine.at("w").value().at(0), 0);
  EXPECT_EQ(mine.at("frozen").value().at(0), 1);
  EXPECT_EQ(foreign.at("w").value().at(0), 1);
}

TEST(MakeOptimizer, KnowsItsNames) {
  for (const auto& [name, rate] : std::vector<std::pair<std::string, double>>{
           {"sgd", 0.01}, {"momentum", 0.01}, {"nesterov", 0.01}, {"adam", 0.001}}) {
    EXPECT_EQ(make_optimizer(name)->name(), name);
    EXPECT_EQ(make_optimizer(name)->rate(), rate);
    EXPECT_EQ(make_optimizer(name, 0.5)->rate(), 0.5);
    EXPECT_EQ(error_of([&n = name] { make_optimizer(n, -1); }).kind(), ErrorKind::kValue);
  }
  EXPECT_EQ(error_of([] { make_optimizer("adma"); }).fix(), "did you mean 'adam'?");
  EXPECT_EQ(error_of([] { make_optimizer("xyzzyxyzzy"); }).kind(), ErrorKind::kValue);
}

TEST(MakeOptimizer, TakesOptionsByName) {
  const auto made = make_optimizer(
      "rmsprop", {{"epsilon_place", "inside"}, {"centered", "true"}, {"alpha", "0.9"}});
  const RmsProp direct({.alpha = 0.9, .epsilon_place = EpsilonPlace::kInside, .centered = true});
  EXPECT_EQ(made->option_values(), direct.option_values());
  EXPECT_EQ(direct.options().alpha, 0.9);
  EXPECT_TRUE(direct.options().centered);
  EXPECT_EQ(to_string(made->method().options(), made->option_values()),
            "rate = 0.01, alpha = 0.9, epsilon = 1e-08, epsilon_place = inside, momentum = 0, "
            "rate_place = outside, centered = true, weight_decay = 0, decays = weights");
  EXPECT_EQ(error_of([] {
              make_optimizer("adam", {{"beta3", "1"}});
            }).fix(),
            "did you mean 'beta1'?");
  EXPECT_EQ(error_of([] {
              make_optimizer("rmsprop", {{"epsilon_place", "here"}});
            }).message(),
            "epsilon_place 'here' is not outside or inside");
  EXPECT_EQ(error_of([] {
              make_optimizer("adam", {{"beta1", "much"}});
            }).message(),
            "beta1 'much' is not a number in [0, 1)");
}

TEST(Optimizer, RefusesASetThatTheLossDoesNotKnow) {
  ParameterSet used, other;
  used.add("w", Tensor::scalar(0.5));
  other.add("w", Tensor::scalar(0.5));
  Gradients gradients;
  {
    const Tape tape;
    gradients = backward(square(use(used.at("w"))));
  }
  Sgd sgd({.rate = 0.1});
  const Error error = error_of([&] { sgd.step(other, gradients); });
  EXPECT_EQ(error.kind(), ErrorKind::kParameter);
  EXPECT_EQ(sgd.steps(), 0);
  sgd.step(used, gradients);
  EXPECT_EQ(used.at("w").value().scalar_value(), 0.4);
}

TEST(Optimizer, LeavesAnotherSetsGradientsAlone) {
  // Two nets of equal names but other sizes in one loss, a NaN in the other's gradient.
  ParameterSet mine, foreign;
  mine.add("w", Tensor::from({1.0}, {1}));
  foreign.add("w", Tensor::from({1.0, 2.0}, {2}));
  Adam adam({.rate = 0.5}), other({});
  for (int i = 1; i <= 3; ++i) {
    const Tape tape;
    const Gradients gradients = backward(
        sum(use(mine.at("w"))) + sum(use(foreign.at("w")) * Var(Tensor::from({kNan, 1.0}, {2}))));
    adam.step(mine, gradients);
    EXPECT_NEAR(mine.at("w").value().at(0), 1 - 0.5 * i, 1e-6);
    EXPECT_EQ(error_of([&] { other.step(foreign, gradients); }).kind(), ErrorKind::kNonFinite);
  }
}

TEST(Optimizer, CountsEachParametersOwnSteps) {
  // Thawed after 1000 steps, a parameter takes its first one like a new optimizer.
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0}, {1}));
  parameters.add("late", Tensor::from({1.0}, {1}));
  const Tensor g = Tensor::from({0.5}, {1});
  Adam adam({.rate = 0.01});
  parameters.at("late").set_trainable(false);
  for (int i = 0; i < 1000; ++i) adam.step(parameters, gradients_equal_to(parameters, {{"w", g}}));
  parameters.at("late").set_trainable(true);
  adam.step(parameters, gradients_equal_to(parameters, {{"w", g}, {"late", g}}));
  EXPECT_NEAR(parameters.at("late").value().at(0), 1 - 0.01, 1e-9);
}

TEST(Groups, HaveTheirOwnOptions) {
  ParameterSet parameters;
  parameters.add("a/weight", Tensor::from({1.0}, {1, 1}));
  parameters.add("a/bias", Tensor::from({1.0}, {1}));
  parameters.add("b/bias", Tensor::from({1.0}, {1}));
  Sgd sgd({.rate = 0.5});
  const std::string suffix = "bias";
  EXPECT_EQ(sgd.add_group([suffix](const Parameter& p) { return holds(p.name(), "b/" + suffix); },
                          {.rate = 0.25}),
            1);
  EXPECT_EQ(sgd.add_group(named("a/b*"), {.rate = 0.125}), 2);
  const Tensor one = Tensor::from({1.0}, {1});
  const auto step = [&] {
    sgd.step(parameters, gradients_equal_to(parameters, {{"a/weight", Tensor::from({1.0}, {1, 1})},
                                                         {"a/bias", one},
                                                         {"b/bias", one}}));
  };
  step();
  EXPECT_EQ(parameters.at("a/weight").value().at(0), 0.5);
  EXPECT_EQ(parameters.at("b/bias").value().at(0), 0.75);
  EXPECT_EQ(parameters.at("a/bias").value().at(0), 0.875);
  sgd.set_rate(0.25);  // half of it: all halve
  step();
  EXPECT_EQ(parameters.at("a/weight").value().at(0), 0.25);
  EXPECT_EQ(parameters.at("b/bias").value().at(0), 0.625);
  EXPECT_EQ(parameters.at("a/bias").value().at(0), 0.8125);
  EXPECT_EQ(sgd.options(2).rate, 0.125);
}

TEST(Groups, AreWrongWhenEmptyOrShared) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0}, {1}));
  const Gradients gradients = gradients_equal_to(parameters, {{"w", Tensor::from({1.0}, {1})}});
  Adam empty({}), shared({});
  empty.add_group(named("nobody"), {});
  shared.add_group(named("w"), {});
  shared.add_group(is_any_parameter, {});
  const Error none = error_of([&] { empty.step(parameters, gradients); });
  EXPECT_EQ(none.kind(), ErrorKind::kParameter);
  EXPECT_EQ(none.message(), "no parameter belongs to group 1 of 1");
  const Error both = error_of([&] { shared.step(parameters, gradients); });
  EXPECT_EQ(both.message(), "'w' belongs to the groups 1 and 2");
  EXPECT_EQ(base_name(both.file()), "optimizer_test.cc");
  EXPECT_EQ(parameters.at("w").value().at(0), 1);
  EXPECT_EQ(error_of([&] { empty.add_group(is_any_parameter, {.beta1 = 2}); }).kind(),
            ErrorKind::kValue);
}

TEST(ParameterFilter, NamedTakesStars) {
  ParameterSet parameters;
  const Parameter& p = parameters.add("encoder/fc1/weight", Tensor::scalar(1.0));
  for (const char* yes : {"*", "encoder/fc1/weight", "encoder/*", "*weight", "*/fc1/*", "e*1*t",
                          "encoder/*/weight", "**"}) {
    EXPECT_TRUE(named(yes)(p)) << yes;
  }
  for (const char* no : {"", "encoder", "*bias", "encoder/*/*/weight", "weight", "e*x*t"}) {
    EXPECT_FALSE(named(no)(p)) << no;
  }
}

// ------------------------------------------------------------ a method of a program's own

/// θ ← θ − η·sign(Σg), which needs the gradients of all parameters at once.
void update_by_majority(std::span<ParameterStep> steps) {
  double total = 0;
  for (const ParameterStep& at : steps) {
    for (const double g : at.gradient.span<double>()) total += g;
  }
  for (ParameterStep& at : steps) {
    const WriteGuard guard(at.parameter.mutable_value(), "majority", at.where);
    const WriteGuard count(at.slots[0], "majority", at.where);
    for (double& w : guard.span<double>()) w -= at.options[0] * (total > 0 ? 1 : -1);
    count.span<std::int64_t>()[0] += at.step;
  }
}

const std::vector<OptionDef>& majority_options() {
  static const std::vector<OptionDef> list = {{"rate", "η", 0.5, kNotNegative}};
  return list;
}
constexpr SlotDef kMajoritySlots[] = {
    {"sum_of_counts", [](const Parameter&, const OptionValues&) {
       return Tensor::scalar(std::int64_t{10});  // of another shape, dtype and first value
     }}};
const MethodDef kMajority = {.name = "majority",
                             .doc = {.summary = "One sign for all.", .formula = "θ ← θ ± η"},
                             .options = majority_options,
                             .slots = kMajoritySlots,
                             .update_all = update_by_majority};

TEST(OwnMethod, SeesAllParametersAndKeepsWhatItLikes) {
  register_method(kMajority);
  const auto optimizer = make_optimizer("majority");
  ParameterSet parameters;
  parameters.add("a", Tensor::from({1.0}, {1}));
  parameters.add("b", Tensor::from({1.0}, {1}));
  for (int i = 0; i < 2; ++i) {
    optimizer->step(parameters, gradients_equal_to(parameters, {{"a", Tensor::from({3.0}, {1})},
                                                                {"b", Tensor::from({-1.0}, {1})}}));
  }
  EXPECT_EQ(parameters.at("a").value().at(0), 0);
  EXPECT_EQ(parameters.at("b").value().at(0), 0);
  const auto state = optimizer->state();
  EXPECT_EQ(state.back().name, "slots/b/sum_of_counts");
  EXPECT_EQ(state.back().value.item<std::int64_t>(), 10 + 1 + 2);
  const auto resumed = make_optimizer("majority");
  resumed->restore(state);
  EXPECT_EQ(resumed->state().back().value.item<std::int64_t>(), 13);
}

TEST(OwnMethod, IsRefusedWhenIncomplete) {
  static const MethodDef nameless = {}, lacking = {.name = "lacking"};
  static MethodDef taken = kMajority;
  taken.name = "adam";
  EXPECT_EQ(error_of([] { register_method(nameless); }).op(), "register_method");
  EXPECT_TRUE(holds(error_of([] { register_method(lacking); }).what(), "has no options"));
  EXPECT_TRUE(holds(error_of([] { register_method(taken); }).what(), "exists already"));
}

}  // namespace
}  // namespace wengert::optim
