#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/optim/optimizer.h"

// L-BFGS with its line search: what steps by gradients alone do is tested with every method.
namespace wengert::optim {
namespace {

/// Rosenbrock's valley in two parameters.
Gradients valley(ParameterSet& parameters) {
  const Tape tape;
  const Var x = use(parameters.at("x")), y = use(parameters.at("y"));
  return backward(sum(square(1.0 - x) + 100.0 * square(y - square(x))));
}

void fill(ParameterSet& parameters) {
  parameters.add("x", Tensor::from({-1.2}, {1}));
  parameters.add("y", Tensor::from({1.0}, {1}));
}

TEST(Lbfgs, FollowsAValleyToItsEnd) {
  ParameterSet parameters;
  fill(parameters);
  Lbfgs lbfgs({});
  int evaluations = 0;
  const auto closure = [&] {
    ++evaluations;
    return valley(parameters);
  };
  for (int t = 0; t < 60; ++t) lbfgs.step(parameters, closure);
  EXPECT_NEAR(parameters.at("x").value().at(0), 1, 1e-9);
  EXPECT_NEAR(parameters.at("y").value().at(0), 1, 1e-9);
  EXPECT_EQ(lbfgs.steps(), 60);
  int before = evaluations;
  lbfgs.step(parameters, closure);
  EXPECT_LE(evaluations - before, 26) << "a search has an end";
}

TEST(Lbfgs, ItsStepsMeetBothConditions) {
  for (const double curvature : {0.9, 0.1}) {
    ParameterSet parameters;
    fill(parameters);
    Lbfgs lbfgs({.decrease = 0.01, .curvature = curvature, .evaluations = 100});
    for (int t = 0; t < 20; ++t) {
      const auto place = [&] {
        return std::vector<double>{parameters.at("x").value().at(0),
                                   parameters.at("y").value().at(0)};
      };
      const auto slopes = [&](const Gradients& g) {
        return std::vector<double>{g[parameters.at("x")].value().at(0),
                                   g[parameters.at("y")].value().at(0)};
      };
      const Gradients first = valley(parameters);
      const std::vector<double> from = place(), slope = slopes(first);
      lbfgs.step(parameters, [&] { return valley(parameters); });
      const Gradients last = valley(parameters);
      const std::vector<double> to = place(), there = slopes(last);
      const double x = to[0] - from[0], y = to[1] - from[1];
      const double before = slope[0] * x + slope[1] * y, after = there[0] * x + there[1] * y;
      ASSERT_LT(before, 0) << "step " << t;
      EXPECT_LE(last.value(), first.value() + 0.01 * before + 1e-12) << "step " << t;
      EXPECT_LE(std::fabs(after), -curvature * before * (1 + 1e-6) + 1e-12) << "step " << t;
    }
  }
}

/// The first length leads from 1 to −0.6, where the slope is small enough and the loss is not.
TEST(Lbfgs, AFlatPlaceIsNotEnough) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0}, {1}));
  Lbfgs lbfgs({.rate = 1.6, .decrease = 0.4});
  lbfgs.step(parameters, [&] {
    const Tape tape;
    return backward(sum(square(use(parameters.at("w")))));
  });
  const double w = parameters.at("w").value().at(0);
  EXPECT_LT(w, 1);
  EXPECT_LE(w * w, 1 + 0.4 * 2 * (w - 1));
}

TEST(Lbfgs, ReachesTheBottomOfABowlInFewSteps) {
  ParameterSet parameters;
  std::vector<double> start(20), curvatures(20);
  for (int i = 0; i < 20; ++i) start[i] = 1 + 0.1 * i, curvatures[i] = 1 + i;
  parameters.add("w", Tensor::from(start, {20}));
  const Tensor c = Tensor::from(curvatures, {20});
  Lbfgs lbfgs({.history = 30});
  for (int t = 0; t < 40; ++t) {
    lbfgs.step(parameters, [&] {
      const Tape tape;
      return backward(sum(square(use(parameters.at("w"))) * Var(c)));
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_NEAR(parameters.at("w").value().at(i), 0, 1e-10);
}

/// Beyond 1 the loss is not finite: the search comes back.
TEST(Lbfgs, ComesBackFromWhereTheLossIsNotFinite) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({0.5}, {1}));
  Lbfgs lbfgs({});
  for (int t = 0; t < 20; ++t) {
    lbfgs.step(parameters, [&] {
      const Tape tape;
      const Var w = use(parameters.at("w"));
      return backward(sum(0.0 - w - 0.01 * log(1.0 - w)));  // lowest at 0.99
    });
  }
  EXPECT_NEAR(parameters.at("w").value().at(0), 0.99, 1e-6);
}

TEST(Lbfgs, AFailingClosureLeavesTheParametersAlone) {
  for (const int failing : {1, 2, 3}) {
    ParameterSet parameters;
    fill(parameters);
    Lbfgs lbfgs({});
    lbfgs.step(parameters, [&] { return valley(parameters); });
    const std::string before = bytes_of(parameters);
    const std::size_t entries = lbfgs.state().size();
    int calls = 0;
    const auto closure = [&]() -> Gradients {
      if (++calls == failing) throw Error(ErrorKind::kValue, "test", "on purpose");
      return valley(parameters);
    };
    const bool fails = [&] {
      try {
        lbfgs.step(parameters, closure);
      } catch (const Error& error) {
        EXPECT_EQ(error.message(), "on purpose");
        return true;
      }
      return false;
    }();
    if (!fails) continue;  // the search had found its length before
    EXPECT_EQ(bytes_of(parameters), before);
    EXPECT_EQ(lbfgs.steps(), 1);
    EXPECT_EQ(lbfgs.state().size(), entries);
  }
}

TEST(Lbfgs, RefusesABadFirstGradient) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0}, {1}));
  Lbfgs lbfgs({});
  const Error error = error_of([&] {
    lbfgs.step(parameters, [&] {
      return gradients_equal_to(
          parameters, {{"w", Tensor::from({std::numeric_limits<double>::quiet_NaN()}, {1})}});
    });
  });
  EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
  EXPECT_EQ(parameters.at("w").value().at(0), 1);
  EXPECT_EQ(lbfgs.steps(), 0);
}

TEST(Lbfgs, RefusesConditionsThatNoLengthMeets) {
  EXPECT_EQ(error_of([] { Lbfgs({.decrease = 0.4, .curvature = 0.3}); }).kind(), ErrorKind::kValue);
  Lbfgs lbfgs({});
  EXPECT_EQ(error_of([&] {
              (void)lbfgs.add_group(is_any_parameter, {.decrease = 0.4, .curvature = 0.4});
            }).kind(),
            ErrorKind::kValue);
}

TEST(Lbfgs, GoesOnFromItsState) {
  ParameterSet straight, resumed;
  fill(straight), fill(resumed);
  Lbfgs one({.history = 3}), two({.history = 3});
  for (int t = 0; t < 5; ++t) one.step(straight, [&] { return valley(straight); });
  for (const char* name : {"x", "y"}) {
    resumed.at(name).mutable_value() = straight.at(name).value().clone();
  }
  two.restore(one.state());
  for (int t = 0; t < 5; ++t) {
    one.step(straight, [&] { return valley(straight); });
    two.step(resumed, [&] { return valley(resumed); });
  }
  EXPECT_EQ(bytes_of(resumed), bytes_of(straight));
}

// ------------------------------------------------------------ weight decay

TEST(WeightDecay, OfNesterovsTwoFormsIsOne) {
  Nesterov ahead({.rate = 0.01, .weight_decay = 0.5, .decays = Decays::kAll});
  Nesterov shifted({.rate = 0.01, .weight_decay = 0.5, .decays = Decays::kAll});
  ParameterSet theta, tilde;
  fill(theta), fill(tilde);
  const auto bowl = [](ParameterSet& parameters) {
    const Tape tape;
    const Var x = use(parameters.at("x")), y = use(parameters.at("y"));
    return backward(sum(square(1.0 - x) + sin(y)));
  };
  for (int t = 0; t < 200; ++t) {
    ahead.step(theta, [&] { return bowl(theta); });
    shifted.step(tilde, bowl(tilde));
    const auto state = ahead.state();
    for (const char* name : {"x", "y"}) {
      double move = 0;
      for (const auto& entry : state) {
        if (entry.name == "slots/" + std::string(name) + "/momentum") move = entry.value.at(0);
      }
      ASSERT_NEAR(tilde.at(name).value().at(0), theta.at(name).value().at(0) - 0.01 * 0.9 * move,
                  1e-12)
          << name << " after step " << t;
    }
  }
}

/// λ of weights alone unless told otherwise, for every method that has one.
TEST(WeightDecay, LeavesVectorsUnlessTold) {
  int methods = 0;
  for (const MethodDef* method : registered_methods()) {
    bool has = false;
    for (const OptionDef& option : method->options()) has |= option.name == "weight_decay";
    if (!has) continue;
    ++methods;
    const auto after = [&](const std::vector<OptionSetting>& settings, const char* name) {
      ParameterSet parameters;
      parameters.add("matrix", Tensor::from({1.0, 2.0}, {2, 1}));
      parameters.add("vector", Tensor::from({1.0, 2.0}, {2}));
      const auto optimizer = make_optimizer(method->name, settings);
      for (int t = 0; t < 3; ++t) {
        optimizer->step(parameters, gradients_equal_to(
                                        parameters, {{"matrix", Tensor::from({0.5, -3.0}, {2, 1})},
                                                     {"vector", Tensor::from({0.5, -3.0}, {2})}}));
      }
      return parameters.at(name).value().to_vector<double>();
    };
    const std::vector<OptionSetting> none = {{"weight_decay", "0"}},
                                     some = {{"weight_decay", "0.9"}};
    const std::vector<OptionSetting> all = {{"weight_decay", "0.9"}, {"decays", "all"}};
    EXPECT_EQ(after(none, "vector"), after(some, "vector")) << method->name;
    EXPECT_NE(after(none, "matrix"), after(some, "matrix")) << method->name;
    EXPECT_EQ(after(some, "matrix"), after(all, "matrix")) << method->name;
    if (method->name != "lamb") {  // whose norms are of tensors, as theirs are alike
      EXPECT_EQ(after(all, "vector"), after(all, "matrix")) << method->name;
    }
  }
  EXPECT_GE(methods, 13);
}

// ------------------------------------------------------------ bad input, for every method

TEST(EveryMethod, RefusesWrongGroups) {
  for (const MethodDef* method : registered_methods()) {
    if (method->update == nullptr && method->name != "lbfgs") continue;
    const OptionValues defaults = option_values(method->options(), {}, method->name);
    ParameterSet parameters;
    parameters.add("a", Tensor::from({1.0}, {1}));
    const auto step = [&](Optimizer& optimizer) {
      optimizer.step(parameters, gradients_equal_to(parameters, {{"a", Tensor::from({1.0}, {1})}}));
    };
    Optimizer twice(*method, defaults), empty(*method, defaults);
    (void)twice.add_group(is_any_parameter, defaults);
    (void)twice.add_group(is_any_parameter, defaults);
    (void)empty.add_group([](const Parameter&) { return false; }, defaults);
    EXPECT_EQ(error_of([&] { step(twice); }).kind(), ErrorKind::kParameter) << method->name;
    EXPECT_EQ(error_of([&] { step(empty); }).kind(), ErrorKind::kParameter) << method->name;
    EXPECT_EQ(parameters.at("a").value().at(0), 1) << method->name;
  }
}

}  // namespace
}  // namespace wengert::optim
