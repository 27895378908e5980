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

/// One float64 parameter "w" = 1 stepped by the given gradients in turn; its values after each.
std::vector<double> walk(Optimizer& optimizer, const std::vector<double>& gradients) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0}, {1}));
  std::vector<double> values;
  for (const double g : gradients) {
    optimizer.step(parameters, gradients_equal_to(parameters, {{"w", Tensor::from({g}, {1})}}));
    values.push_back(parameters.at("w").value().at(0));
  }
  return values;
}

TEST(Optimizer, SgdByHand) {
  Sgd sgd({.rate = 0.5});
  const auto w = walk(sgd, {2, -1});
  EXPECT_DOUBLE_EQ(w[0], 0);    // 1 − 0.5·2
  EXPECT_DOUBLE_EQ(w[1], 0.5);  // 0 − 0.5·(−1)
  EXPECT_EQ(sgd.steps(), 2);
}

TEST(Optimizer, MomentumByHand) {
  Momentum momentum({.rate = 0.5, .momentum = 0.75});
  const auto w = walk(momentum, {2, -1});
  EXPECT_DOUBLE_EQ(w[0], 0);      // m = 1
  EXPECT_DOUBLE_EQ(w[1], -0.25);  // m = 0.75·1 − 0.5 = 0.25
}

TEST(Optimizer, NesterovByHand) {
  Nesterov nesterov({.rate = 0.5, .momentum = 0.75});
  const auto w = walk(nesterov, {2, -1});
  EXPECT_DOUBLE_EQ(w[0], -0.75);           // m = 1: 1 − 0.75 − 1
  EXPECT_DOUBLE_EQ(w[1], -0.75 + 0.3125);  // m = 0.25: − 0.1875 + 0.5
}

TEST(Optimizer, AdamByHand) {
  Adam adam({.rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.5});
  const auto w = walk(adam, {2, -1});
  // t = 1: m = 1, s = 1; corrected 2 and 4: 1 − 0.1·2/(2 + 0.5).
  EXPECT_DOUBLE_EQ(w[0], 0.92);
  // t = 2: m = 0, so nothing moves: 0.5·1 + 0.5·(−1).
  EXPECT_DOUBLE_EQ(w[1], 0.92);
  Adam other({.rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.5});
  // Gradients 2 and 4: m = 2.5, s = 4.75; corrected by 3/4 and 7/16.
  EXPECT_DOUBLE_EQ(walk(other, {2, 4})[1],
                   0.92 - 0.1 * (2.5 / 0.75) / (std::sqrt(4.75 / 0.4375) + 0.5));
}

// ------------------------------------------------------------ a thousand steps, twice

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

/// The same update rules, an element at a time and straight from their papers.
struct Reference {
  Vector w = start(), m = {}, s = {};
  void sgd(double rate) {
    for (int i = 0; i < kSize; ++i) w[i] -= rate * slope(w[i], i);
  }
  void momentum(double rate, double beta) {
    for (int i = 0; i < kSize; ++i) {
      m[i] = beta * m[i] + rate * slope(w[i], i);
      w[i] -= m[i];
    }
  }
  void look_ahead(double rate, double beta) {
    for (int i = 0; i < kSize; ++i) {
      m[i] = beta * m[i] + rate * slope(w[i] - beta * m[i], i);
      w[i] -= m[i];
    }
  }
  void adam(double rate, int t) {
    for (int i = 0; i < kSize; ++i) {
      const double g = slope(w[i], i);
      m[i] = 0.9 * m[i] + 0.1 * g;
      s[i] = 0.999 * s[i] + 0.001 * g * g;
      const double mean = m[i] / (1 - std::pow(0.9, t)), raw = s[i] / (1 - std::pow(0.999, t));
      w[i] -= rate * mean / (std::sqrt(raw) + 1e-8);
    }
  }
};

void expect_equal(const Tensor& w, const Vector& expected, int step) {
  for (int i = 0; i < kSize; ++i) {
    ASSERT_NEAR(w.at(i), expected[i], 1e-12 * std::max(1.0, std::fabs(expected[i])))
        << "element " << i << " after step " << step;
  }
}

/// Runs `optimizer` beside `reference_step(reference, t)` for 1000 steps.
template <class ReferenceStep>
void compare(Optimizer& optimizer, ReferenceStep&& reference_step) {
  ParameterSet parameters;
  const Vector first = start();
  parameters.add("w", Tensor::from(std::vector<double>(first.begin(), first.end()), {kSize}));
  Reference reference;
  for (int t = 1; t <= 1000; ++t) {
    optimizer.step(parameters, slopes(parameters));
    reference_step(reference, t);
    expect_equal(parameters.at("w").value(), reference.w, t);
    if (::testing::Test::HasFatalFailure()) return;
  }
  for (int i = 0; i < kSize; ++i) {
    EXPECT_GT(std::fabs(reference.w[i] - first[i]), 1e-3) << "nothing moved";
  }
}

TEST(Trajectory, Sgd) {
  Sgd sgd({.rate = 0.01});
  compare(sgd, [](Reference& r, int) { r.sgd(0.01); });
}
TEST(Trajectory, Momentum) {
  Momentum momentum({.rate = 0.003, .momentum = 0.9});
  compare(momentum, [](Reference& r, int) { r.momentum(0.003, 0.9); });
}
TEST(Trajectory, Adam) {
  Adam adam({.rate = 0.01});
  compare(adam, [](Reference& r, int t) { r.adam(0.01, t); });
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

TEST(Optimizer, RefusesBadNumbers) {
  for (const double bad : {-1.0, kInfinity, kNan}) {
    EXPECT_EQ(error_of([&] { Sgd({.rate = bad}); }).kind(), ErrorKind::kValue) << bad;
    Sgd sgd({.rate = 0.25});
    const Error error = error_of([&] { sgd.set_rate(bad); });
    EXPECT_TRUE(holds(error.what(), "rates are finite and not negative")) << error.what();
    EXPECT_EQ(sgd.rate(), 0.25);
  }
  for (const double bad : {-0.1, 1.0, 1.5, kNan}) {
    const Error momentum = error_of([&] { Momentum({.momentum = bad}); });
    EXPECT_EQ(momentum.kind(), ErrorKind::kValue);
    EXPECT_TRUE(holds(momentum.what(), "outside [0, 1)")) << momentum.what();
    EXPECT_EQ(error_of([&] { Nesterov({.momentum = bad}); }).op(), "nesterov");
    EXPECT_TRUE(holds(error_of([&] { Adam({.beta1 = bad}); }).what(), "beta1"));
    EXPECT_TRUE(holds(error_of([&] { Adam({.beta2 = bad}); }).what(), "beta2"));
  }
  for (const double bad : {-1e-8, kInfinity, kNan}) {
    EXPECT_TRUE(holds(error_of([&] { Adam({.epsilon = bad}); }).what(), "epsilon")) << bad;
  }
}

TEST(Optimizer, ABadGradientChangesNothing) {
  for (const char* method : {"sgd", "momentum", "nesterov", "adam"}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      ParameterSet parameters;
      parameters.add("good", Tensor::from({1.0f, 2.0f}, {2}));
      parameters.add("bad", Tensor::from({3.0f}, {1}));
      const auto optimizer = make_optimizer(method, 0.1);
      const Tensor g = Tensor::from({1.0f, 1.0f}, {2});
      optimizer->step(parameters, gradients_equal_to(parameters, {{"good", g}}));
      const std::string before = bytes_of(parameters);
      const auto state = optimizer->state();
      const Gradients gradients =
          gradients_equal_to(parameters, {{"good", g}, {"bad", Tensor::from({bad}, {1})}});
      const Error error = error_of([&] { optimizer->step(parameters, gradients); });
      EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
      EXPECT_EQ(error.op(), method);
      EXPECT_EQ(error.message(), "the gradient of 'bad' holds NaN or infinity");
      EXPECT_EQ(base_name(error.file()), "optimizer_test.cc");
      EXPECT_EQ(bytes_of(parameters), before) << method;
      EXPECT_EQ(optimizer->steps(), 1);
      const auto after = optimizer->state();
      ASSERT_EQ(after.size(), state.size());
      for (std::size_t i = 0; i < state.size(); ++i) {
        EXPECT_EQ(after[i].value.to_vector<double>(), state[i].value.to_vector<double>());
      }
    }
  }
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

}  // namespace
}  // namespace wengert::optim
