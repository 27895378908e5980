#include "wengert/optim/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/optim/training_models.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/passes.h"

namespace wengert::optim {
namespace {

/// Points on two half planes: class 1 where x + y > 0, none nearer to the line than 0.2.
Examples half_planes(std::int64_t count) {
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

std::vector<std::int64_t> first(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

Var linear_model(ParameterSet& parameters, const Var& x) { return linear(parameters, "out", x, 2); }

TEST(Train, LearnsWhatIsSeparable) {
  const Examples examples = half_planes(203);
  const Split split = split_examples(203, 40, 3);
  ParameterSet parameters(3);
  Adam adam({.rate = 0.05});
  const double before = evaluate(linear_model, parameters, examples, split.validation).loss;
  const TrainResult result =
      train(linear_model, parameters, adam, examples, split, {.epochs = 30, .batch_size = 16});
  ASSERT_EQ(result.epochs.size(), 30u);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(adam.steps(), 30 * 11);  // 163 examples: ten batches of 16 and one of 3
  EXPECT_EQ(result.epochs.back().train_accuracy, 1);
  EXPECT_EQ(result.epochs.back().validation_accuracy, 1);
  EXPECT_LT(result.epochs.back().validation_loss, 0.3 * before);
  EXPECT_EQ(result.epochs.back().epoch, 30);
}

TEST(Train, TheMeanIsOverExamplesNotBatches) {
  // With rate 0 nothing moves: the epoch's mean equals the loss over all of its examples, although
  // the last batch has 1 of them.
  const Examples examples = half_planes(33);
  Split split;
  split.train = first(33);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0});
  const auto result =
      train(linear_model, parameters, sgd, examples, split, {.epochs = 1, .batch_size = 16});
  const Evaluation all = evaluate(linear_model, parameters, examples, split.train);
  EXPECT_NEAR(result.epochs[0].train_loss, all.loss, 1e-6 * all.loss);
  EXPECT_EQ(result.epochs[0].train_accuracy, all.accuracy);
  EXPECT_TRUE(std::isnan(result.epochs[0].validation_loss));
  const Evaluation batched = evaluate(linear_model, parameters, examples, split.train, 7);
  EXPECT_NEAR(batched.loss, all.loss, 1e-6 * all.loss);
  EXPECT_EQ(batched.accuracy, all.accuracy);
}

TEST(Train, TheRateFallsLinearly) {
  const Examples examples = half_planes(16);
  Split split;
  split.train = first(16);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.4});
  const auto result =
      train(linear_model, parameters, sgd, examples, split, {.epochs = 5, .final_rate_share = 0.5});
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(result.epochs[i].rate, 0.4 - 0.05 * static_cast<double>(i), 1e-15);
  }
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

std::string bytes_after(const Model& model, int threads, const char* method) {
  kernels::set_thread_count(threads);
  const Examples examples = half_planes(1250);
  Split split;
  split.train = first(1250);
  ParameterSet parameters(11);
  const auto optimizer = make_optimizer(method, 0.01);
  PassPipeline passes;
  passes.add<L2Penalty>({.lambda = 1e-3}).add<ClipGlobalNorm>({.limit = 0.5});
  // 4 epochs of 50 batches: 200 steps.
  const auto result = train(model, parameters, *optimizer, examples, split,
                            {.epochs = 4, .batch_size = 25, .passes = &passes});
  EXPECT_EQ(optimizer->steps(), 200);
  EXPECT_LT(result.epochs.back().train_loss, result.epochs.front().train_loss);
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

TEST(Train, AnotherSeedGivesOtherBits) {
  const Examples examples = half_planes(64);
  Split split;
  split.train = first(64);
  std::string bytes[2];
  for (std::uint64_t seed : {0, 1}) {
    ParameterSet parameters(5);
    Sgd sgd({.rate = 0.1});
    train(linear_model, parameters, sgd, examples, split,
          {.epochs = 1, .batch_size = 8, .seed = seed});
    bytes[seed] = bytes_of(parameters);
  }
  EXPECT_NE(bytes[0], bytes[1]) << "the order of the examples does not depend on the seed";
}

// ------------------------------------------------------------ when it has to end

constexpr unsigned kLogLine = __LINE__ + 2;  // of log, below
Var takes_logarithms(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", log(x), 2);
}

TEST(Train, ALossThatIsNotFiniteNamesTheOpAndItsLine) {
  Examples examples = half_planes(32);  // half of the points have negative coordinates
  Split split;
  split.train = first(32);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.1});
  std::string before;
  const Model model = [&](ParameterSet& p, const Var& x) {
    const Var logits = takes_logarithms(p, x);
    before = bytes_of(p);
    return logits;
  };
  int shown = 0;
  TrainOptions options;
  options.non_finite = [&](const Batch& batch) {
    ++shown;
    EXPECT_EQ(batch.inputs.size(0), batch.labels.size(0));
    EXPECT_EQ(bytes_of(parameters), before);
  };
  const Error error = error_of([&] { train(model, parameters, sgd, examples, split, options); });
  EXPECT_EQ(shown, 1);
  EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
  EXPECT_TRUE(holds(error.message(), "the loss of epoch 1 is not finite")) << error.what();
  EXPECT_TRUE(holds(error.message(), "log")) << error.what();
  EXPECT_TRUE(holds(error.message(), "trainer_test.cc:" + std::to_string(kLogLine)))
      << error.what();
  EXPECT_EQ(bytes_of(parameters), before);
  EXPECT_EQ(sgd.steps(), 0);
}

TEST(Train, StopsAfterTheStepAtWhichItIsAsked) {
  const Examples examples = half_planes(100);
  Split split;
  split.train = first(100);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.1});
  int asked = 0, epochs_told = 0;
  TrainOptions options{.epochs = 5, .batch_size = 10};
  options.stop = [&] { return ++asked == 13; };
  options.after_epoch = [&](const EpochRecord&) { ++epochs_told; };
  const TrainResult result = train(linear_model, parameters, sgd, examples, split, options);
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(sgd.steps(), 13);
  EXPECT_EQ(result.epochs.size(), 2u);
  EXPECT_EQ(epochs_told, 2);
}

TEST(Train, ExplainsItsPassesOnceAnEpoch) {
  const Examples examples = half_planes(40);
  Split split;
  split.train = first(40);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  PassPipeline passes;
  passes.add<L2Penalty>({.lambda = 0.1});
  std::vector<std::string> told;
  TrainOptions options{.epochs = 3, .batch_size = 10, .passes = &passes};
  options.explain = [&](const std::string& text) { told.push_back(text); };
  train(linear_model, parameters, sgd, examples, split, options);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_TRUE(holds(told[0], "l2_penalty: out/weight: adds 0.05·Σw²")) << told[0];
}

TEST(Train, RefusesBadOptions) {
  const Examples examples = half_planes(10);
  Split split;
  split.train = first(10);
  ParameterSet parameters(1);
  Sgd sgd({.rate = 0.01});
  const auto kind_of = [&](const Split& s, const TrainOptions& options) {
    return error_of([&] { train(linear_model, parameters, sgd, examples, s, options); }).kind();
  };
  EXPECT_EQ(kind_of(split, {.epochs = 0}), ErrorKind::kValue);
  EXPECT_EQ(kind_of(split, {.batch_size = 0}), ErrorKind::kValue);
  EXPECT_EQ(kind_of({}, {}), ErrorKind::kValue);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(kind_of(split, {.epochs = 2, .final_rate_share = nan}), ErrorKind::kValue);
  EXPECT_EQ(error_of([&] { evaluate(linear_model, parameters, examples, split.train, 0); }).kind(),
            ErrorKind::kValue);
  Split beyond;
  beyond.train = {0, 10};
  EXPECT_EQ(kind_of(beyond, {}), ErrorKind::kIndex);
}

}  // namespace
}  // namespace wengert::optim
