#include "wengert/optim/training/health.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/initializers.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/lsuv.h"
#include "wengert/wengert.h"

// What a report says of small nets whose numbers are known, and initialization by variances.
namespace wengert::optim {
namespace {

/// x·w with w [2,3] in scope "fc", then `activation`, summed.
Model model(Var (*activation)(const Var&, std::source_location)) {
  return [activation](ParameterSet& set, const Batch& batch) -> Outcome {
    const Scope scope("fc");
    const Var h =
        activation(matmul(batch.inputs, use(set.at("w"))), std::source_location::current());
    return {sum(h), 1};
  };
}

Batch batch_of(const std::vector<double>& values) {
  const auto rows = static_cast<std::int64_t>(values.size()) / 2;
  return {.inputs = Tensor::from(values, {rows, 2}), .targets = Tensor::zeros({rows})};
}

TEST(Health, OfARectifierCountsItsDeadUnits) {
  // Units: x₁, −x₁, x₂ with x₁ > 0: the second is dead; the third is not in the second example.
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, -1.0, 0.0, 0.0, 0.0, 1.0}, {2, 3}));
  const HealthReport report = health_of(parameters, model(relu), batch_of({1, -2, 3, 4}));
  ASSERT_EQ(report.outputs.size(), 2u);
  const OutputHealth &layer = report.outputs[0], &unit = report.outputs[1];
  EXPECT_EQ(layer.op, "matmul");
  EXPECT_EQ(layer.scope, "fc");
  // 1, −1, −2, 3, −3, 4
  EXPECT_NEAR(layer.mean, 2.0 / 6, 1e-15);
  EXPECT_NEAR(layer.variance, 40.0 / 6 - 4.0 / 36, 1e-14);
  EXPECT_TRUE(std::isnan(layer.dead) && std::isnan(layer.saturated));
  EXPECT_EQ(unit.op, "relu");
  EXPECT_NEAR(unit.dead, 1.0 / 3, 1e-15);
  EXPECT_TRUE(std::isnan(unit.saturated));
  // ‖w‖ = √3; the gradient is Σ over examples of x where a unit lives: columns (4, 2), 0, (3, 4).
  ASSERT_EQ(report.parameters.size(), 1u);
  EXPECT_NEAR(report.parameters[0].weight_norm, std::sqrt(3.0), 1e-15);
  EXPECT_NEAR(report.parameters[0].gradient_norm, std::sqrt(16 + 4 + 9 + 16.0), 1e-14);
  EXPECT_NEAR(report.parameters[0].ratio, std::sqrt(45.0 / 3), 1e-14);
  EXPECT_TRUE(holds(report.str(), "fc/relu")) << report.str();
}

TEST(Health, OfBoundedActivationsCountsWhatIsFlat) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, -1.0, 0.0, 0.0, 0.0, 1.0}, {2, 3}));
  // tanh of 5, −5, 0.5, 1, −1, 0.2: two of six beyond 0.98; σ: 0.993, 0.0067: two too.
  const Batch batch = batch_of({5, 0.5, 1, 0.2});
  EXPECT_NEAR(health_of(parameters, model(tanh), batch).outputs[1].saturated, 2.0 / 6, 1e-15);
  EXPECT_NEAR(health_of(parameters, model(sigmoid), batch).outputs[1].saturated, 2.0 / 6, 1e-15);
  EXPECT_TRUE(std::isnan(health_of(parameters, model(tanh), batch).outputs[1].dead));
}

TEST(Health, SaysWhatIsNotFiniteAndWhatGetsNoGradient) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, -1.0, 0.0, 0.0, 0.0, 1.0}, {2, 3}));
  parameters.add("unused", Tensor::from({3.0, 4.0}, {2}));
  parameters.add("frozen", Tensor::from({3.0}, {1})).set_trainable(false);
  const double infinity = std::numeric_limits<double>::infinity();
  const HealthReport report = health_of(parameters, model(tanh), batch_of({infinity, 1, 2, 3}));
  EXPECT_TRUE(std::isnan(report.outputs[0].variance));
  ASSERT_EQ(report.parameters.size(), 2u);
  EXPECT_EQ(report.parameters[1].name, "unused");
  EXPECT_EQ(report.parameters[1].weight_norm, 5);
  EXPECT_EQ(report.parameters[1].gradient_norm, 0);
  EXPECT_EQ(report.parameters[1].ratio, 0);
}

TEST(Health, ChangesNothingAndSeesPenalties) {
  ParameterSet parameters{7};
  const Model drawn = [](ParameterSet& set, const Batch& batch) -> Outcome {
    return {mean(dropout(set, "drop", linear(set, "fc", batch.inputs, 4), 0.5)), 1};
  };
  const Batch batch = batch_of({1, 2, 3, 4});
  const HealthReport first = health_of(parameters, drawn, batch),
                     again = health_of(parameters, drawn, batch);
  ASSERT_EQ(first.outputs.size(), again.outputs.size());
  for (std::size_t i = 0; i < first.parameters.size(); ++i) {
    EXPECT_EQ(first.parameters[i].gradient_norm, again.parameters[i].gradient_norm);
  }
  PassPipeline passes;
  passes.add<L2Penalty>({.lambda = 100});
  EXPECT_GT(health_of(parameters, drawn, batch, &passes).parameters[0].gradient_norm,
            50 * first.parameters[0].gradient_norm);
}

TEST(Health, DriftIsTheMoveOfMeansAndVariances) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, -1.0, 0.0, 0.0, 0.0, 1.0}, {2, 3}));
  const HealthReport before = health_of(parameters, model(relu), batch_of({1, -2, 3, 4}));
  const HealthReport now = health_of(parameters, model(relu), batch_of({2, -4, 6, 8}));
  const auto moved = drift(before, now);
  ASSERT_EQ(moved.size(), 2u);
  EXPECT_EQ(moved[1].op, "relu");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(moved[i].variance_ratio, 4, 1e-13);
    EXPECT_NEAR(moved[i].mean_shift, before.outputs[i].mean / std::sqrt(before.outputs[i].variance),
                1e-14);
  }
  const HealthReport other = health_of(parameters, model(tanh), batch_of({1, 2}));
  EXPECT_EQ(error_of([&] { (void)drift(before, other); }).kind(), ErrorKind::kValue);
}

// ------------------------------------------------------------ LSUV

Model deep(int layers, double scale) {
  return [layers, scale](ParameterSet& set, const Batch& batch) -> Outcome {
    Var h = batch.inputs;
    for (int i = 0; i < layers; ++i) {
      h = tanh(linear(set, "fc" + std::to_string(i), h, 40, {.weight = nn::normal(0, scale)}));
    }
    return {mean(h), 1};
  };
}

Batch normal_batch() {
  Tensor inputs = Tensor::empty({60, 30}, DType::kFloat64);
  fill_normal(inputs, 3, "inputs", 0, 0.5, 2);
  return {.inputs = inputs, .targets = Tensor::zeros({60})};
}

TEST(Lsuv, GivesEveryLayersOutputsUnitVariance) {
  for (const double scale : {1e-3, 3.0}) {
    ParameterSet parameters{5};
    const auto layers = lsuv(parameters, deep(6, scale), normal_batch(), {.tolerance = 0.02});
    ASSERT_EQ(layers.size(), 6u);
    EXPECT_EQ(layers[2].weight, "fc2/weight");
    const HealthReport report = health_of(parameters, deep(6, scale), normal_batch());
    int seen = 0;
    for (const OutputHealth& output : report.outputs) {
      if (output.op != "linear") continue;
      EXPECT_NEAR(output.variance, 1, 0.02) << output.scope;
      EXPECT_TRUE(layers[static_cast<std::size_t>(seen)].reached);
      EXPECT_NEAR(layers[static_cast<std::size_t>(seen++)].variance, output.variance, 1e-12);
    }
    EXPECT_EQ(seen, 6);
  }
}

TEST(Lsuv, WithoutOrthogonalWeightsScalesWhatIsThere) {
  ParameterSet parameters{5}, before{5};
  const Batch batch = normal_batch();
  {
    const Tape tape;
    (void)deep(2, 0.3)(before, batch);
  }
  const auto layers =
      lsuv(parameters, deep(2, 0.3), batch, {.tolerance = 1e-9, .orthogonal = false});
  for (const LsuvLayer& layer : layers) {
    const auto now = parameters.at(layer.weight).value().to_vector<double>();
    const auto then = before.at(layer.weight).value().to_vector<double>();
    EXPECT_EQ(layer.trials, 1);  // outputs are linear in the weight
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_NEAR(now[i], layer.scale * then[i], 1e-14);
  }
}

TEST(Lsuv, RefusesWhatHasNoVarianceAndLeavesWeightsAsTheyWere) {
  ParameterSet parameters{5};
  const Batch constant{.inputs = Tensor::zeros({4, 30}, DType::kFloat64),
                       .targets = Tensor::zeros({4})};
  {
    const Tape tape;
    (void)deep(2, 0.3)(parameters, constant);
  }
  const auto before = parameters.at("fc0/weight").value().to_vector<double>();
  const Error error = error_of([&] { (void)lsuv(parameters, deep(2, 0.3), constant); });
  EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
  EXPECT_TRUE(holds(error.message(), "'fc0/weight' have a variance of 0")) << error.what();
  EXPECT_EQ(parameters.at("fc0/weight").value().to_vector<double>(), before);
  for (const LsuvOptions& bad :
       {LsuvOptions{.tolerance = 0}, LsuvOptions{.tolerance = -1},
        LsuvOptions{.tolerance = std::nan("")}, LsuvOptions{.trials = 0}}) {
    EXPECT_EQ(error_of([&] { (void)lsuv(parameters, deep(2, 0.3), normal_batch(), bad); }).kind(),
              ErrorKind::kValue);
  }
}

}  // namespace
}  // namespace wengert::optim
