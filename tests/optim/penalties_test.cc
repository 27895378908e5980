#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/step.h"

// Penalties by closed forms: what they add to the loss, and two derivatives of it.
namespace wengert::optim {
namespace {

struct Penalty {
  const char* pass;
  std::vector<OptionSetting> options;
  std::function<double(double)> cost, slope, curvature;  ///< of one weight
};

double sign_of(double w) { return w > 0 ? 1 : w < 0 ? -1 : 0; }

std::vector<Penalty> penalties() {
  return {
      {"l1_penalty",
       {{"lambda", "0.5"}},
       [](double w) { return 0.5 * std::fabs(w); },
       [](double w) { return 0.5 * sign_of(w); },
       [](double) { return 0.0; }},
      {"l2_penalty",
       {{"lambda", "0.5"}},
       [](double w) { return 0.25 * w * w; },
       [](double w) { return 0.5 * w; },
       [](double) { return 0.5; }},
      {"l2_penalty",
       {{"lambda", "0.5"}, {"form", "full"}},
       [](double w) { return 0.5 * w * w; },
       [](double w) { return w; },
       [](double) { return 1.0; }},
      {"elastic_net",
       {{"lambda1", "0.5"}, {"lambda2", "3"}},
       [](double w) { return 0.5 * std::fabs(w) + 1.5 * w * w; },
       [](double w) { return 0.5 * sign_of(w) + 3 * w; },
       [](double) { return 3.0; }},
      {"elastic_net_beta",
       {{"lambda", "0.5"}, {"beta", "3"}},
       [](double w) { return 0.5 * (3 * w * w + std::fabs(w)); },
       [](double w) { return 0.5 * (6 * w + sign_of(w)); },
       [](double) { return 3.0; }},
      {"elastic_net_shared",
       {{"lambda", "0.5"}},
       [](double w) { return 0.5 * (w * w + std::fabs(w)); },
       [](double w) { return w + 0.5 * sign_of(w); },
       [](double) { return 1.0; }},
  };
}

/// A weight with a 0 in it and a bias.
void fill(ParameterSet& parameters) {
  parameters.add("fc/weight", Tensor::from({0.5, -1.5, 2.0, 0.0}, {2, 2}));
  parameters.add("fc/bias", Tensor::from({3.0, -4.0}, {2}));
}

TEST(Penalties, AddWhatTheirFormulaSaysWithDerivatives) {
  for (const Penalty& penalty : penalties()) {
    SCOPED_TRACE(penalty.pass);
    ParameterSet parameters;
    fill(parameters);
    const Tape tape;
    const Var w = use(parameters.at("fc/weight"));
    Roots roots;
    roots.parameters = &parameters;
    roots.add("loss", sum(w * 2));
    PassContext context;
    ASSERT_TRUE(make_pass(penalty.pass, penalty.options)->run(roots, context));
    const Var loss = roots.at("loss");
    double expected = 0;
    const auto values = w.value().to_vector<double>();
    for (const double value : values) expected += 2 * value + penalty.cost(value);
    EXPECT_DOUBLE_EQ(loss.scalar_value(), expected);
    const Var first = grad(loss, w, {.create_graph = true});
    const Var second = grad(sum(first), w);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      EXPECT_DOUBLE_EQ(first.value().at(at), 2 + penalty.slope(values[i])) << i;
      EXPECT_DOUBLE_EQ(second.value().at(at), penalty.curvature(values[i])) << i;
    }
    ASSERT_EQ(context.explanations().size(), 1u);  // the bias is no weight
    EXPECT_EQ(context.explanations()[0].subject, "fc/weight");
    EXPECT_TRUE(holds(context.explanations()[0].text, "to the loss")) << context.str();
  }
}

TEST(Penalties, SayBothSums) {
  ParameterSet parameters;
  fill(parameters);
  const Tape tape;
  Roots roots;
  roots.parameters = &parameters;
  roots.add("loss", Var(1.0));
  PassContext context;
  ASSERT_TRUE(ElasticNet({.lambda1 = 0.5, .lambda2 = 3}).run(roots, context));
  EXPECT_EQ(context.explanations()[0].text,
            "adds 0.5·Σ|w| + 1.5·Σw² to the loss, Σ|w| = 4, ‖w‖ = 2.55");
}

/// The weights after a step by `pass`.
std::vector<double> stepped(const std::unique_ptr<Pass>& pass) {
  ParameterSet parameters;
  fill(parameters);
  const Tape tape;
  Roots roots;
  roots.parameters = &parameters;
  roots.add("loss", sum(use(parameters.at("fc/weight"))));
  PassContext context;
  pass->run(roots, context);
  return backward(roots.at("loss")).at("fc/weight").value().to_vector<double>();
}

TEST(Penalties, OneFormIsAnotherWithItsFactors) {
  const auto expect_same = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-15);
  };
  const auto net = [](const char* one, const char* two) {
    return stepped(make_pass("elastic_net", {{"lambda1", one}, {"lambda2", two}}));
  };
  expect_same(stepped(make_pass("elastic_net_beta", {{"lambda", "0.3"}, {"beta", "0.7"}})),
              net("0.3", "0.42"));
  expect_same(stepped(make_pass("elastic_net_shared", {{"lambda", "0.3"}})), net("0.3", "0.6"));
  expect_same(stepped(make_pass("l1_penalty", {{"lambda", "0.3"}})), net("0.3", "0"));
  expect_same(stepped(make_pass("l2_penalty", {{"lambda", "0.3"}})), net("0", "0.3"));
}

/// Σ over 20 steps of an optimizer on (w − 1)²/2, with a penalty or with weight decay of the same
/// λ.
std::vector<double> decayed(const char* optimizer, bool by_pass) {
  ParameterSet parameters;
  fill(parameters);
  constexpr double kLambda = 0.3;
  const auto method =
      make_optimizer(optimizer, {{"rate", "0.1"}, {"weight_decay", by_pass ? "0" : "0.3"}});
  PassPipeline passes;
  if (by_pass) passes.add<L2Penalty>({.lambda = kLambda});
  TrainingStep step(
      parameters,
      [](ParameterSet& set, const Batch&) -> Outcome {
        return {sum(square(use(set.at("fc/weight")) - 1)) * 0.5, 1};
      },
      &passes);
  const Batch batch{.inputs = Tensor::zeros({1, 1}), .targets = Tensor::zeros({1})};
  for (int t = 0; t < 20; ++t) {
    PassContext context;
    step.run(*method, std::span(&batch, 1), context);
  }
  return parameters.at("fc/weight").value().to_vector<double>();
}

double furthest(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
  return most;
}

TEST(WeightDecay, EqualsThePenaltyForSgdAndNotForAdam) {
  EXPECT_LT(furthest(decayed("sgd", true), decayed("sgd", false)), 1e-15);
  // Coupled: the same gradient, so the same steps of any method.
  EXPECT_LT(furthest(decayed("adam", true), decayed("adam", false)), 1e-12);
  // Decoupled: Adam scales the penalty's gradient, not the decay.
  EXPECT_GT(furthest(decayed("adamw", true), decayed("adamw", false)), 0.01);
}

}  // namespace
}  // namespace wengert::optim
