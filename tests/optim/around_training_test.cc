#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/io/files.h"
#include "tests/optim/training_models.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/rate_range.h"
#include "wengert/optim/training/weight_average.h"

// The average of weights, and the rate-range test.
namespace wengert::optim {
namespace {

Batch data() {
  std::vector<float> inputs;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 40; ++i) {
    inputs.push_back(std::sin(1.3f * static_cast<float>(i)));
    inputs.push_back(std::cos(0.7f * static_cast<float>(i)));
    labels.push_back(inputs[inputs.size() - 2] + inputs.back() > 0);
  }
  return {Tensor::from(inputs, {40, 2}), Tensor::from(labels, {40})};
}

Var logits(ParameterSet& parameters, const Var& x) {
  const Var h = dropout(parameters, "drop", tanh(linear(parameters, "fc", x, 8)), 0.3);
  Buffer& mean = parameters.declare_buffer("mean", {}, DType::kFloat32);
  if (Tape::current() != nullptr) {
    update(mean, use(mean) * 0.9 + wengert::mean(h) * 0.1);
  }
  return linear(parameters, "out", h - use(mean), 2);
}

std::string everything(const ParameterSet& parameters, const Optimizer& optimizer) {
  std::string bytes = bytes_of(parameters);
  for (const Buffer* buffer : parameters.buffers()) {
    bytes += buffer->name() + buffer->value().str() + ";";
  }
  for (const auto& entry : optimizer.state()) bytes += entry.name + entry.value.str() + ";";
  return bytes;
}

// ------------------------------------------------------------ the average

/// Keeps the average as it should be, in float64.
class Averaged : public TrainingHook {
 public:
  Averaged(double decay, bool warm_up) : decay_(decay), warm_up_(warm_up) {}
  std::string_view name() const override { return "averaged"; }
  void after_step(Training& training, const StepRecord&) override {
    const auto now = training.parameters().at("fc/weight").value().to_vector<double>();
    const double t = steps_++;
    if (t == 0) mean = now;
    const double decay = warm_up_ ? std::fmin(decay_, (1 + t) / (10 + t)) : decay_;
    for (std::size_t i = 0; i < now.size(); ++i) {
      mean[i] = decay * mean[i] + (1 - decay) * now[i];
    }
  }
  std::vector<double> mean;

 private:
  double decay_;
  bool warm_up_;
  int steps_ = 0;
};

const Tensor* find(const Snapshot& snapshot, const std::string& name) {
  for (const io::NamedTensor& entry : snapshot.tensors()) {
    if (entry.name == name) return &entry.tensor;
  }
  return nullptr;
}

TEST(WeightAverage, IsTheRunningMeanOfTheWeights) {
  for (const bool warm_up : {true, false}) {
    ParameterSet parameters{7};
    Sgd sgd({.rate = 0.3});
    const ArrayLoader loader(data(), {.batch_size = 8, .seed = 3});
    WeightAverage average({.decay = 0.9, .warm_up = warm_up});
    EXPECT_TRUE(average.average().empty());
    Averaged expected(0.9, warm_up);
    (void)fit(parameters, sgd, loader, classifier(logits),
              {.epochs = 8, .hooks = {&average, &expected}});
    EXPECT_EQ(average.steps(), 40);
    const Tensor* mean = find(average.average(), "fc/weight");
    ASSERT_NE(mean, nullptr);
    ASSERT_NE(find(average.average(), "mean"), nullptr) << "buffers belong to it";
    for (std::size_t i = 0; i < expected.mean.size(); ++i) {
      EXPECT_NEAR(mean->to_vector<double>()[i], expected.mean[i], 2e-6);
    }
    const std::string own = everything(parameters, sgd);
    {
      const AverageSwap swap(average, parameters);
      EXPECT_EQ(parameters.at("fc/weight").value().to_vector<double>(), mean->to_vector<double>());
      EXPECT_NE(everything(parameters, sgd), own);
    }
    EXPECT_EQ(everything(parameters, sgd), own) << "the set has its own weights again";
  }
}

TEST(WeightAverage, GoesOnFromASavedTraining) {
  const TemporaryFolder folder;
  const ArrayLoader loader(data(), {.batch_size = 8, .seed = 3});
  const auto run = [&](std::int64_t epochs, bool save, bool load) {
    ParameterSet parameters{7};
    Sgd sgd({.rate = 0.3});
    WeightAverage average({.decay = 0.9});
    Training training(parameters, sgd, loader, classifier(logits),
                      {.epochs = epochs, .hooks = {&average}});
    if (load) (void)training.load(folder / "state");
    (void)training.run();
    if (save) training.save(folder / "state");
    std::string bytes = std::to_string(average.steps());
    for (const io::NamedTensor& entry : average.average().tensors()) {
      bytes += entry.name + entry.tensor.str() + ";";
    }
    return bytes;
  };
  const std::string straight = run(4, false, false);
  EXPECT_NE(run(2, true, false), straight);
  EXPECT_EQ(run(4, false, true), straight);
}

TEST(WeightAverage, RefusesWhatIsNone) {
  for (const double bad : {-0.1, 1.0, 1.5, std::nan("")}) {
    EXPECT_EQ(error_of([bad] { WeightAverage({.decay = bad}); }).kind(), ErrorKind::kValue) << bad;
  }
  WeightAverage average({});
  const Tensor one = Tensor::scalar(std::int64_t{1});
  for (const std::vector<io::NamedTensor>& state : {std::vector<io::NamedTensor>{},
                                                    {{"steps", Tensor::scalar(1.0)}},
                                                    {{"steps", Tensor::scalar(std::int64_t{-1})}},
                                                    {{"steps", one}, {"other", one}}}) {
    EXPECT_EQ(error_of([&] { average.restore(state); }).kind(), ErrorKind::kParameter);
    EXPECT_EQ(average.steps(), 0);
  }
  average.restore({{"steps", one}, {"weights/w", Tensor::scalar(1.0f)}});
  ParameterSet other;
  other.add("v", Tensor::scalar(1.0f));
  EXPECT_EQ(error_of([&] { const AverageSwap swap(average, other); }).kind(),
            ErrorKind::kParameter);
}

// ------------------------------------------------------------ the rate-range test

TEST(RateRangeTest, GoesUpUntilTheLossLeavesAndPutsEverythingBack) {
  for (const char* method : {"sgd", "adam", "nadam"}) {
    const ArrayLoader loader(data(), {.batch_size = 8, .seed = 3});
    ParameterSet tried{7}, untried{7};
    const auto first = make_optimizer(method, 0.02), second = make_optimizer(method, 0.02);
    // Once before anything was trained, and once in the midst of it.
    const RateRangeOptions options = {.low = 1e-4, .high = 1e4, .steps = 60};
    const RateRange range = rate_range_test(tried, *first, loader, classifier(logits), options);
    EXPECT_EQ(first->steps(), 0);
    EXPECT_EQ(first->rate(), 0.02);
    (void)fit(tried, *first, loader, classifier(logits), {.epochs = 2});
    const std::string before = everything(tried, *first);
    (void)rate_range_test(tried, *first, loader, classifier(logits), options);
    EXPECT_EQ(everything(tried, *first), before) << method;
    (void)fit(tried, *first, loader, classifier(logits), {.epochs = 2});
    for (int i = 0; i < 2; ++i) {
      (void)fit(untried, *second, loader, classifier(logits), {.epochs = 2});
    }
    EXPECT_EQ(everything(tried, *first), everything(untried, *second)) << method;

    EXPECT_TRUE(range.left) << method;
    ASSERT_GT(range.rates.size(), 10u);
    ASSERT_LT(range.rates.size(), 60u);
    ASSERT_EQ(range.losses.size(), range.rates.size());
    ASSERT_EQ(range.smoothed.size(), range.rates.size());
    EXPECT_EQ(range.rates[0], 1e-4);
    double mean = 0;
    for (std::size_t t = 0; t < range.rates.size(); ++t) {
      const auto steps = static_cast<double>(t);
      EXPECT_NEAR(range.rates[t] / std::pow(10, -4 + 8 * steps / 59), 1, 1e-12);
      mean = 0.9 * mean + 0.1 * range.losses[t];
      EXPECT_NEAR(range.smoothed[t], mean / (1 - std::pow(0.9, steps + 1)), 1e-9);
      EXPECT_TRUE(std::isfinite(range.losses[t]));
    }
    const double best = *std::min_element(range.smoothed.begin(), range.smoothed.end());
    for (std::size_t t = 0; t + 1 < range.smoothed.size(); ++t) {
      EXPECT_LE(range.smoothed[t], 4 * best);
    }
    EXPECT_TRUE(rate_range_curve(method, range).starts_with("<svg") ||
                rate_range_curve(method, range).find("<svg") != std::string::npos);
  }
}

TEST(RateRangeTest, EndsWhereTheLossIsNotFinite) {
  const ArrayLoader loader(
      {Tensor::full({8, 1}, 1.0f), Tensor::from(std::vector<std::int64_t>(8), {8})},
      {.batch_size = 4, .shuffle = false});
  const auto model = [](ParameterSet& parameters, const Batch&) -> Outcome {
    const Var w = use(parameters.at("w"));
    return {sum(exp(w * w)), 1, {}};
  };
  ParameterSet parameters;
  parameters.add("w", Tensor::from({1.0f}, {1}));
  Sgd sgd({});
  const RateRange range = rate_range_test(parameters, sgd, loader, model,
                                          {.low = 0.01, .high = 1e3, .steps = 30, .limit = 1e300});
  EXPECT_TRUE(range.left);
  EXPECT_GE(range.rates.size(), 1u);
  EXPECT_LT(range.rates.size(), 30u);
  EXPECT_EQ(parameters.at("w").value().at(0), 1);
}

TEST(RateRangeTest, PutsEverythingBackWhenTheModelFails) {
  const ArrayLoader loader(data(), {.batch_size = 8, .seed = 3});
  ParameterSet parameters{7};
  Adam adam({});
  int calls = 0;
  const Model sound = classifier(logits);
  const Model failing = [&](ParameterSet& set, const Batch& batch) {
    if (++calls == 5) throw Error(ErrorKind::kValue, "test", "on purpose");
    return sound(set, batch);
  };
  (void)fit(parameters, adam, loader, sound, {.epochs = 1});
  const std::string before = everything(parameters, adam);
  EXPECT_EQ(error_of([&] { (void)rate_range_test(parameters, adam, loader, failing); }).message(),
            "on purpose");
  EXPECT_EQ(everything(parameters, adam), before);
}

TEST(RateRangeTest, FindsWhereTheLossFallsMostSteeply) {
  RateRange range;
  range.rates = {1, 10, 100, 1000, 10000};
  range.smoothed = {5, 4.5, 3, 1, 7};
  EXPECT_EQ(range.steepest(), 100);
  range.smoothed = {1, 2, 3, 4, 5};
  EXPECT_EQ(range.steepest(), 0);
}

TEST(RateRangeTest, RefusesBadOptions) {
  const ArrayLoader loader(data(), {.batch_size = 8});
  ParameterSet parameters;
  Sgd sgd({});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const RateRangeOptions& bad : {RateRangeOptions{.low = 0},
                                      {.low = -1},
                                      {.low = nan},
                                      {.low = 1, .high = 1},
                                      {.high = infinity},
                                      {.high = nan},
                                      {.steps = 1},
                                      {.smoothing = 1},
                                      {.smoothing = -0.1},
                                      {.smoothing = nan},
                                      {.limit = 1},
                                      {.limit = nan}}) {
    EXPECT_EQ(error_of([&] {
                (void)rate_range_test(parameters, sgd, loader, classifier(logits), bad);
              }).kind(),
              ErrorKind::kValue);
  }
  EXPECT_EQ(parameters.size(), 0u);
}

}  // namespace
}  // namespace wengert::optim
