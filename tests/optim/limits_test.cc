#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/step.h"
#include "wengert/wengert.h"

// Passes that keep gradients or weights within limits, by hand, recorded or not, and noise.
namespace wengert::optim {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Gradients equal to what is given, for parameters "a" and "b".
struct Given {
  Given(const std::vector<double>& a, const std::vector<double>& b) {
    parameters.add("a", Tensor::zeros({static_cast<std::int64_t>(a.size())}, DType::kFloat64));
    parameters.add("b", Tensor::zeros({static_cast<std::int64_t>(b.size())}, DType::kFloat64));
    gradients = gradients_equal_to(parameters,
                                   {{"a", Tensor::from(a, {static_cast<std::int64_t>(a.size())})},
                                    {"b", Tensor::from(b, {static_cast<std::int64_t>(b.size())})}});
  }
  template <class P>
  bool run(typename P::Options options) {
    PassPipeline passes;
    passes.add<P>(options);
    return run_on_gradients(passes, gradients, context, &parameters);
  }
  std::vector<double> at(const char* name) {
    return gradients.at(name).value().to_vector<double>();
  }
  ParameterSet parameters{3};
  Gradients gradients;
  PassContext context;
};

TEST(ClipByValue, CutsEachElement) {
  Given given({3, -4, 0.5}, {-0.25});
  EXPECT_TRUE(given.run<ClipByValue>({.limit = 2}));
  EXPECT_EQ(given.at("a"), (std::vector<double>{2, -2, 0.5}));
  EXPECT_EQ(given.at("b"), (std::vector<double>{-0.25}));
  EXPECT_TRUE(holds(given.context.str(), "a: 2 of 3 elements are beyond ±2"))
      << given.context.str();
}

TEST(ClipByValue, LeavesWhatIsNotFiniteAsItIsAndSaysSo) {
  for (const double bad : {kInfinity, -kInfinity, kNan}) {
    Given given({3, bad}, {-5});
    given.run<ClipByValue>({.limit = 2});
    EXPECT_EQ(given.at("a")[0], 3);
    EXPECT_FALSE(std::isfinite(given.at("a")[1]));
    EXPECT_EQ(given.at("b"), (std::vector<double>{-2}));
    EXPECT_TRUE(holds(given.context.str(), "a: holds NaN or infinity")) << given.context.str();
  }
}

TEST(ClipByNorm, ScalesEachParameterByItself) {
  Given given({3, 4}, {-6, 8, 0});
  EXPECT_TRUE(given.run<ClipByNorm>({.limit = 5}));
  EXPECT_EQ(given.at("a"), (std::vector<double>{3, 4}));
  EXPECT_EQ(given.at("b"), (std::vector<double>{-3, 4, 0}));
  EXPECT_EQ(given.context.number("clip_by_norm", "a"), 5);
  EXPECT_EQ(given.context.number("clip_by_norm", "b"), 10);
}

TEST(ClipByNorm, TellsThatItChangedOneOfThem) {
  Given given({6, 8}, {1});
  EXPECT_TRUE(given.run<ClipByNorm>({.limit = 5}));
  EXPECT_EQ(given.at("a"), (std::vector<double>{3, 4}));
  EXPECT_EQ(given.at("b"), (std::vector<double>{1}));
}

TEST(ClipByNorm, ReportsWhatIsNotFiniteAndClipsTheRest) {
  Given given({3, kNan}, {-6, 8});
  EXPECT_TRUE(given.run<ClipByNorm>({.limit = 5}));
  EXPECT_EQ(given.at("a")[0], 3);
  EXPECT_EQ(given.at("b"), (std::vector<double>{-3, 4}));
  EXPECT_TRUE(holds(given.context.str(), "a: holds NaN or infinity")) << given.context.str();
}

/// Recorded gradients c·w of Σ c·w²/2 at w = 1, then the pass, then what is left of Σ g
/// differentiated by w.
template <class P>
std::pair<std::vector<double>, std::vector<double>> recorded(const std::vector<double>& c,
                                                             typename P::Options options) {
  ParameterSet parameters;
  const auto size = static_cast<std::int64_t>(c.size());
  parameters.add("w", Tensor::full({size}, 1, DType::kFloat64));
  const Tape tape;
  const Var w = use(parameters.at("w"));
  Gradients gradients =
      backward(sum(square(w) * Var(Tensor::from(c, {size}))) * Var(0.5), {.create_graph = true});
  PassPipeline passes;
  passes.add<P>(options);
  PassContext context;
  run_on_gradients(passes, gradients, context, &parameters);
  const Var clipped = gradients.at("w");
  return {clipped.value().to_vector<double>(), grad(sum(clipped), w).value().to_vector<double>()};
}

TEST(ClipByValue, OfRecordedGradientsHasADerivative) {
  const auto [value, derivative] = recorded<ClipByValue>({3, -0.5}, {.limit = 2});
  EXPECT_EQ(value, (std::vector<double>{2, -0.5}));
  EXPECT_EQ(derivative, (std::vector<double>{0, -0.5}));
  const auto [left, slope] = recorded<ClipByValue>({3, kInfinity}, {.limit = 2});
  EXPECT_EQ(left, (std::vector<double>{3, kInfinity}));
  EXPECT_EQ(slope[0], 3);
}

TEST(ClipByNorm, OfRecordedGradientsHasADerivative) {
  // g = c∘w, clipped to 2.5·g/‖g‖: d Σ/dw_k = 2.5·c_k·(1/‖g‖ − g_k·Σg/‖g‖³), ‖g‖ = 5, Σg = 7.
  const auto [value, derivative] = recorded<ClipByNorm>({3, 4}, {.limit = 2.5});
  EXPECT_EQ(value, (std::vector<double>{1.5, 2}));
  EXPECT_NEAR(derivative[0], 2.5 * 3 * (0.2 - 3 * 7 / 125.0), 1e-14);
  EXPECT_NEAR(derivative[1], 2.5 * 4 * (0.2 - 4 * 7 / 125.0), 1e-14);
}

// ------------------------------------------------------------ max-norm

/// A weight [2,3] whose units (columns) have norms 5, 1 and 0, and a bias.
std::vector<double> projected(MaxNorm::Options options, PassContext* context = nullptr) {
  ParameterSet parameters;
  parameters.add("fc/weight", Tensor::from({3.0, 0.6, 0.0, -4.0, -0.8, 0.0}, {2, 3}));
  parameters.add("fc/bias", Tensor::from({30.0, 40.0}, {2}));
  PassPipeline passes;
  passes.add<MaxNorm>(options);
  PassContext own;
  run_after_step(passes, parameters, context != nullptr ? *context : own);
  EXPECT_EQ(parameters.at("fc/bias").value().to_vector<double>(), (std::vector<double>{30, 40}));
  return parameters.at("fc/weight").value().to_vector<double>();
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-15) << i;
}

TEST(MaxNorm, ScalesUnitsAboveTheLimit) {
  PassContext context;
  expect_near(projected({.limit = 2.5}, &context), {1.5, 0.6, 0, -2, -0.8, 0});
  EXPECT_TRUE(holds(context.str(), "1 of 3 units are scaled to a norm of 2.5")) << context.str();
  expect_near(projected({.limit = 5}), {3, 0.6, 0, -4, -0.8, 0});
}

TEST(MaxNorm, AlwaysBringsAllButZerosToTheLimit) {
  expect_near(projected({.limit = 2.5, .projection = Projection::kAlways}),
              {1.5, 1.5, 0, -2, -2, 0});
}

TEST(MaxNorm, TakesTheSumOfMagnitudesToo) {
  // Columns: 7, 1.4, 0.
  expect_near(projected({.limit = 3.5, .p = NormOrder::kOne}), {1.5, 0.6, 0, -2, -0.8, 0});
}

TEST(MaxNorm, UnitsMayLieAlongTheFirstAxis) {
  // Rows: √(9 + 0.36) and √(16 + 0.64).
  const double first = 2.5 / std::sqrt(9.36), second = 2.5 / std::sqrt(16.64);
  expect_near(projected({.limit = 2.5, .units = UnitAxis::kFirst}),
              {3 * first, 0.6 * first, 0, -4 * second, -0.8 * second, 0});
}

TEST(MaxNorm, UnitsOfHigherWeightsTakeAllOtherAxes) {
  ParameterSet parameters;
  parameters.add("w", Tensor::full({2, 2, 2}, 3, DType::kFloat64));
  parameters.add("scalar", Tensor::scalar(-7.0));
  parameters.add("vector", Tensor::from({1.0, -7.0}, {2}));
  PassPipeline passes;
  passes.add(std::make_unique<MaxNorm>(MaxNorm::Options{.limit = 3}, is_any_parameter));
  PassContext context;
  EXPECT_TRUE(run_after_step(passes, parameters, context));
  expect_near(parameters.at("w").value().to_vector<double>(), std::vector<double>(8, 1.5));
  EXPECT_EQ(parameters.at("scalar").value().at(0), -3);
  EXPECT_EQ(parameters.at("vector").value().to_vector<double>(), (std::vector<double>{1, -3}));
}

TEST(MaxNorm, LeavesWhatIsNotFiniteAndWhatIsWithin) {
  for (const double bad : {kInfinity, kNan}) {
    ParameterSet parameters;
    parameters.add("w", Tensor::from({bad, 4.0, 2.0, 3.0}, {2, 2}));
    PassPipeline passes;
    passes.add<MaxNorm>({.limit = 2.5});
    PassContext context;
    run_after_step(passes, parameters, context);
    const auto w = parameters.at("w").value().to_vector<double>();
    EXPECT_FALSE(std::isfinite(w[0]));
    EXPECT_EQ(w[2], 2);
    EXPECT_DOUBLE_EQ(w[1], 2);
    EXPECT_DOUBLE_EQ(w[3], 1.5);
  }
  ParameterSet parameters;
  parameters.add("w", Tensor::from({0.5, 0.25}, {2, 1}));
  PassPipeline passes;
  passes.add<MaxNorm>({.limit = 1});
  PassContext context;
  EXPECT_FALSE(run_after_step(passes, parameters, context));
  EXPECT_TRUE(context.explanations().empty());
}

// ------------------------------------------------------------ noise

TEST(GradientNoise, HasTheVarianceOfItsStep) {
  constexpr int kCount = 40000;
  ParameterSet parameters{11};
  parameters.add("w", Tensor::zeros({kCount}, DType::kFloat64));
  PassPipeline passes;
  passes.add<GradientNoise>({.variance = 0.25, .decay = 1});
  for (int t = 0; t < 3; ++t) {
    Gradients gradients =
        gradients_equal_to(parameters, {{"w", Tensor::full({kCount}, 2, DType::kFloat64)}});
    PassContext context;
    EXPECT_TRUE(run_on_gradients(passes, gradients, context, &parameters));
    const double stddev = 0.5 / std::sqrt(1 + t);
    EXPECT_DOUBLE_EQ(context.number("gradient_noise", "stddev"), stddev);
    double mean = 0, squares = 0;
    for (const double g : gradients.at("w").value().to_vector<double>()) {
      mean += (g - 2) / kCount;
      squares += (g - 2) * (g - 2) / kCount;
    }
    EXPECT_NEAR(mean, 0, 4 * stddev / std::sqrt(kCount)) << t;
    EXPECT_NEAR(squares, stddev * stddev, 4 * stddev * stddev * std::sqrt(2.0 / kCount)) << t;
    gradients.updates().commit();
  }
}

TEST(GradientNoise, IsDrawnAgainWhereTheStepFailed) {
  Given given({1, 2}, {3});
  const auto drawn = [&] {
    given.gradients = gradients_equal_to(given.parameters, {{"a", Tensor::from({1.0, 2.0}, {2})}});
    EXPECT_TRUE(given.run<GradientNoise>({}));
    return given.at("a");
  };
  const auto noisy = drawn();
  EXPECT_NE(noisy, (std::vector<double>{1, 2}));
  EXPECT_EQ(drawn(), noisy) << "nothing had taken effect";
  given.gradients.updates().commit();
  EXPECT_NE(drawn(), noisy);
}

TEST(GradientNoise, RefusesACountThatIsNone) {
  for (const std::int64_t bad : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    Given given({1, 2}, {3});
    given.parameters.add_buffer("gradient_noise/steps", Tensor::scalar(bad));
    EXPECT_EQ(error_of([&] { given.run<GradientNoise>({}); }).kind(), ErrorKind::kParameter);
  }
}

TEST(PassesOverGradients, ThatAreRecordedOnATapeThatHasEndedDrawNothing) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0, 2.0}, {2}));
  Gradients gradients;
  {
    const Tape tape;
    gradients = backward(sum(square(square(use(parameters.at("w"))))), {.create_graph = true});
  }
  PassPipeline passes;
  passes.add(std::make_unique<ClipByValue>(ClipByValue::Options{.limit = 1}, named("none")));
  PassContext context;
  EXPECT_FALSE(run_on_gradients(passes, gradients, context, &parameters));
}

TEST(PassesOverGradients, OfAStepAreNotRecorded) {
  ParameterSet parameters;
  parameters.add("w", Tensor::from({3.0, 4.0}, {2}));
  Gradients gradients = gradients_equal_to(parameters, {{"w", Tensor::from({3.0, 4.0}, {2})}});
  PassPipeline passes;
  passes.add<ClipByValue>({.limit = 3.5}).add<ClipGlobalNorm>({.limit = 1});
  PassContext context;
  EXPECT_TRUE(run_on_gradients(passes, gradients, context, &parameters));
  EXPECT_FALSE(gradients.at("w").requires_grad());
}

TEST(GradientNoise, NeedsAParameterSet) {
  Given given({1}, {2});
  PassPipeline passes;
  passes.add<GradientNoise>({});
  const Error error = error_of([&] { run_on_gradients(passes, given.gradients, given.context); });
  EXPECT_EQ(error.kind(), ErrorKind::kGraph);
  EXPECT_TRUE(holds(error.fix(), "parameter set")) << error.what();
}

TEST(GradientNoise, OfAStepTakesEffectWithIt) {
  ParameterSet parameters{1};
  parameters.add("w", Tensor::from({1.0, 2.0}, {2, 1}));
  PassPipeline passes;
  passes.add<GradientNoise>({});
  TrainingStep step(
      parameters,
      [](ParameterSet& set, const Batch&) -> Outcome {
        return {sum(square(use(set.at("w")))), 1};
      },
      &passes);
  Sgd sgd({.rate = 0.1});
  const Batch batch{.inputs = Tensor::zeros({1, 1}), .targets = Tensor::zeros({1})};
  PassContext context;
  for (int t = 0; t < 3; ++t) step.run(sgd, std::span(&batch, 1), context);
  const Buffer* steps = parameters.find_buffer("gradient_noise/steps");
  ASSERT_NE(steps, nullptr);
  EXPECT_EQ(steps->value().to_vector<std::int64_t>(), (std::vector<std::int64_t>{3}));
}

}  // namespace
}  // namespace wengert::optim
