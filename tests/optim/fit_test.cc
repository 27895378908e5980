#include "wengert/optim/training/fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/optim/training_models.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/passes.h"

namespace wengert::optim {
namespace {

/// Points on two half planes: class 1 where x + y > 0, none nearer to the line than 0.2.
Batch half_planes(std::int64_t count) {
  std::vector<float> points;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const double along = 2 * std::sin(static_cast<double>(i) * 1.7);
    const double across = (i % 2 == 0 ? 1 : -1) * (0.2 + std::fabs(std::cos(i * 0.9)));
    points.push_back(static_cast<float>(along + across));
    points.push_back(static_cast<float>(-along + across));
    labels.push_back(i % 2 == 0);
  }
  return {Tensor::from(points, {count, 2}), Tensor::from(labels, {count})};
}

Var linear_logits(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", x, 2);
}
const Model kLinear = classifier(linear_logits);

/// Does what its functions say; those that are not set do nothing.
struct Watcher : TrainingHook {
  std::string_view name() const override { return "watcher"; }
  void before_training(Training&) override { ++begun; }
  void after_step(Training& training, const StepRecord& record) override {
    if (on_step) on_step(training, record);
  }
  void after_epoch(Training&, const EpochRecord& record) override { epochs.push_back(record); }
  void after_training(Training&) override { ++ended; }
  void non_finite(Training&, const Batch& batch) override {
    if (on_non_finite) on_non_finite(batch);
  }
  bool wants_stop() const override { return stop; }
  std::function<void(Training&, const StepRecord&)> on_step;
  std::function<void(const Batch&)> on_non_finite;
  std::vector<EpochRecord> epochs;
  int begun = 0, ended = 0;
  bool stop = false;
};

TEST(Fit, LearnsWhatIsSeparable) {
  const Batch data = half_planes(203);
  const Split split = split_examples(203, {40}, 3);
  ParameterSet parameters(3);
  Adam adam({.rate = 0.05});
  const ArrayLoader loader(data, {.batch_size = 16}, split.train);
  const ArrayLoader held_out(data, {.shuffle = false}, split.validation);
  const double before = measure(parameters, held_out, kLinear).loss();
  Watcher watcher;
  const FitResult result = fit(parameters, adam, loader, kLinear,
                               {.epochs = 30, .validation = &held_out, .hooks = {&watcher}});
  ASSERT_EQ(result.epochs.size(), 30u);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(adam.steps(), 30 * 11);  // 163 examples: ten batches of 16 and one of 3
  EXPECT_EQ(result.epochs.back().train.value("accuracy"), 1);
  EXPECT_EQ(result.epochs.back().validation->value("accuracy"), 1);
  EXPECT_LT(result.epochs.back().validation->loss(), 0.3 * before);
  EXPECT_EQ(result.epochs.back().epoch, 30);
  EXPECT_EQ(watcher.epochs.size(), 30u);
  EXPECT_EQ(watcher.begun, 1);
  EXPECT_EQ(watcher.ended, 1);
}

TEST(Fit, TheMeanIsOverExamplesNotBatches) {
  // With rate 0 nothing moves: the epoch's mean equals the loss over all of its examples, although
  // the last batch has 1 of them.
  const ArrayLoader loader(half_planes(33), {.batch_size = 16});
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0});
  const auto result = fit(parameters, sgd, loader, kLinear, {.epochs = 1});
  const Totals all = measure(parameters, ArrayLoader(half_planes(33), {.batch_size = 33}), kLinear);
  EXPECT_NEAR(result.epochs[0].train.loss(), all.loss(), 1e-6 * all.loss());
  EXPECT_EQ(result.epochs[0].train.value("accuracy"), all.value("accuracy"));
  EXPECT_EQ(result.epochs[0].train.denominator(), 33);
  EXPECT_FALSE(result.epochs[0].validation.has_value());
  const Totals batched =
      measure(parameters, ArrayLoader(half_planes(33), {.batch_size = 7}), kLinear);
  EXPECT_NEAR(batched.loss(), all.loss(), 1e-6 * all.loss());
  EXPECT_EQ(batched.value("accuracy"), all.value("accuracy"));
}

TEST(Fit, TheScheduleMovesTheRateAndGivesItBack) {
  const ArrayLoader loader(half_planes(16), {.batch_size = 8});
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.4});
  std::vector<double> rates;
  Watcher watcher;
  watcher.on_step = [&](Training&, const StepRecord& record) { rates.push_back(record.rate); };
  const auto result =
      fit(parameters, sgd, loader, kLinear,
          {.epochs = 3, .schedule = LinearDecay({.final_share = 0.5}), .hooks = {&watcher}});
  ASSERT_EQ(rates.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(rates[i], 0.4 - 0.04 * static_cast<double>(i), 1e-15);
  }
  EXPECT_EQ(result.epochs[1].rate, rates[2]);
  EXPECT_EQ(sgd.rate(), 0.4);  // training on starts from the rate that was given
}

// ------------------------------------------------------------ the same bits on any threads

Var wide(ParameterSet& p, const Var& x) {
  // Large enough that products and updates are split among threads.
  return linear(p, "out", relu(linear(p, "fc2", relu(linear(p, "fc1", x, 512)), 512)), 2);
}
Var deep(ParameterSet& p, const Var& x) {
  Var h = x;
  for (const char* name : {"a", "b", "c"}) h = tanh(linear(p, name, h, 90));
  return linear(p, "out", h, 2);
}
Var normalized(ParameterSet& p, const Var& x) {
  const Var h = linear(p, "fc", x, 128);
  const Var centred = h - mean(h, {-1}, true);
  return linear(p, "out", sigmoid(centred), 2);
}
Var with_features(ParameterSet& p, const Var& x) {
  const Var h = linear(p, "fc", sin(x) + square(x), 256, {.bias = false});
  return linear(p, "out", softplus(h) * Var(0.1), 2);
}

std::string bytes_after(Var (*logits)(ParameterSet&, const Var&), int threads, const char* method) {
  kernels::set_thread_count(threads);
  const ArrayLoader loader(half_planes(1250), {.batch_size = 25});
  ParameterSet parameters(11);
  const auto optimizer = make_optimizer(method, 0.01);
  PassPipeline passes;
  passes.add<L2Penalty>({.lambda = 1e-3}).add<ClipGlobalNorm>({.limit = 0.5});
  // 4 epochs of 50 batches: 200 steps.
  const auto result =
      fit(parameters, *optimizer, loader, classifier(logits), {.epochs = 4, .passes = &passes});
  EXPECT_EQ(optimizer->steps(), 200);
  EXPECT_LT(result.epochs.back().train.loss(), result.epochs.front().train.loss());
  kernels::set_thread_count(0);
  return bytes_of(parameters);
}

class SameBits
    : public ::testing::TestWithParam<std::tuple<Var (*)(ParameterSet&, const Var&), const char*>> {
};

TEST_P(SameBits, OnAnyNumberOfThreads) {
  const auto [model, method] = GetParam();
  const std::string alone = bytes_after(model, 1, method);
  for (const int threads : {1, 2, 3, 4, 8}) {
    EXPECT_TRUE(bytes_after(model, threads, method) == alone) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SameBits,
                         ::testing::Values(std::tuple(&wide, "adam"), std::tuple(&deep, "momentum"),
                                           std::tuple(&normalized, "nesterov"),
                                           std::tuple(&with_features, "adam")));

TEST(Fit, AnotherSeedGivesOtherBits) {
  std::string bytes[2];
  for (std::uint64_t seed : {0, 1}) {
    ParameterSet parameters(5);
    Sgd sgd({.rate = 0.1});
    fit(parameters, sgd, ArrayLoader(half_planes(64), {.batch_size = 8, .seed = seed}), kLinear,
        {.epochs = 1});
    bytes[seed] = bytes_of(parameters);
  }
  EXPECT_NE(bytes[0], bytes[1]) << "the order of the examples does not depend on the seed";
}

// ------------------------------------------------------------ when it has to end

constexpr unsigned kLogLine = __LINE__ + 2;  // of log, below
Var takes_logarithms(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", log(x), 2);
}

TEST(Fit, ALossThatIsNotFiniteNamesTheOpAndItsLine) {
  const ArrayLoader loader(half_planes(32));  // half of the points have negative coordinates
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.1});
  std::string before;
  const Model model = classifier([&](ParameterSet& p, const Var& x) {
    const Var logits = takes_logarithms(p, x);
    before = bytes_of(p);
    return logits;
  });
  int shown = 0;
  Watcher watcher;
  watcher.on_non_finite = [&](const Batch& batch) {
    ++shown;
    EXPECT_EQ(batch.inputs.size(0), batch.targets.size(0));
    EXPECT_EQ(bytes_of(parameters), before);
  };
  const Error error = error_of([&] { fit(parameters, sgd, loader, model, {.hooks = {&watcher}}); });
  EXPECT_EQ(shown, 1);
  EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
  EXPECT_TRUE(holds(error.message(), "epoch 1, step 1: the loss is not finite")) << error.what();
  EXPECT_TRUE(holds(error.message(), "log")) << error.what();
  EXPECT_TRUE(holds(error.message(), "fit_test.cc:" + std::to_string(kLogLine))) << error.what();
  EXPECT_EQ(bytes_of(parameters), before);
  EXPECT_EQ(sgd.steps(), 0);
}

TEST(Fit, WeightsThatOverflowInTheLastStepAreNoSuccess) {
  // The loss was finite before the step; what it left is not.
  const ArrayLoader loader(half_planes(16), {.batch_size = 16});
  ParameterSet parameters(1);
  Sgd sgd({.rate = 1e39});
  const Error error = error_of([&] { fit(parameters, sgd, loader, kLinear, {.epochs = 1}); });
  EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
  EXPECT_TRUE(holds(error.message(), "after epoch 1 the parameter 'out/")) << error.what();
}

TEST(Fit, StopsAfterTheStepAtWhichItIsAsked) {
  const ArrayLoader loader(half_planes(100), {.batch_size = 10});
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.1});
  int steps = 0;
  Watcher watcher;
  watcher.on_step = [&](Training&, const StepRecord& record) {
    EXPECT_EQ(record.step, steps % 10);
    EXPECT_EQ(record.epoch, 1 + steps / 10);
    watcher.stop = ++steps == 13;
  };
  const FitResult result =
      fit(parameters, sgd, loader, kLinear, {.epochs = 5, .hooks = {&watcher}});
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(sgd.steps(), 13);
  EXPECT_EQ(result.epochs.size(), 1u);
  EXPECT_EQ(watcher.epochs.size(), 1u);
  EXPECT_EQ(watcher.ended, 1);
}

TEST(Fit, TellsWhatPassesDid) {
  const ArrayLoader loader(half_planes(40), {.batch_size = 10});
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  PassPipeline passes;
  passes.add<L2Penalty>({.lambda = 0.1});
  std::string told;
  Watcher watcher;
  watcher.on_step = [&](Training&, const StepRecord& record) { told = record.context.str(); };
  fit(parameters, sgd, loader, kLinear, {.epochs = 1, .passes = &passes, .hooks = {&watcher}});
  EXPECT_TRUE(holds(told, "l2_penalty: out/weight: adds 0.05·Σw²")) << told;
}

TEST(Fit, RefusesBadOptions) {
  const ArrayLoader loader(half_planes(10));
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  Watcher watcher;
  const auto kind_of = [&](const FitOptions& options) {
    return error_of([&] { fit(parameters, sgd, loader, kLinear, options); }).kind();
  };
  EXPECT_EQ(kind_of({.epochs = 0}), ErrorKind::kValue);
  EXPECT_EQ(kind_of({.micro_batches = 0}), ErrorKind::kValue);
  EXPECT_EQ(kind_of({.hooks = {&watcher, &watcher}}), ErrorKind::kValue);
}

}  // namespace
}  // namespace wengert::optim
