#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/loader.h"

// What docs/source_slips.md says and no other test holds.
namespace wengert::optim {
namespace {

/// How far Adam moves a weight in its first step, by the slope of its loss.
double first_step(double slope, const Adam::Options& options) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::full({1}, 2, DType::kFloat64));
  Adam adam(options);
  Tape tape;
  adam.step(set, backward(sum(use(w) * slope)));
  return 2 - w.value().at(0);
}

TEST(SourceSlips, AdamsFirstStepIsTheRate) {
  constexpr double kRate = 1e-3, kBeta2 = 0.999;
  // With the rate twice, and the average of squares as it is.
  const double printed = kRate * kRate * (1 - 0.9) / std::sqrt(1 - kBeta2);
  for (const double slope : {1e-3, 1.0, -1.0, 500.0}) {
    const double moved = first_step(slope, {.rate = kRate});
    EXPECT_NEAR(moved, std::copysign(kRate, slope), 2e-5 * kRate) << slope;
    EXPECT_GT(std::fabs(moved), 100 * printed);
  }
  // ε inside the root counts for small slopes: 1e-3/√(1e-6 + 1e-6).
  EXPECT_NEAR(
      first_step(1e-3, {.rate = kRate, .epsilon = 1e-6, .epsilon_place = EpsilonPlace::kInside}),
      kRate / std::sqrt(2), 1e-8);
}

TEST(SourceSlips, TheTwoFormsOfTheSigmoidAreOne) {
  for (const double x : {-700.0, -20.0, -1.0, 0.0, 0.5, 20.0, 700.0}) {
    const double value = sigmoid(Tensor::scalar(x)).value().scalar_value();
    const double up = std::exp(x) / (std::exp(x) + 1), down = 1 / (1 + std::exp(-x));
    EXPECT_NEAR(value, up, 4e-16 * value) << x;
    EXPECT_NEAR(value, down, 4e-16 * value) << x;
  }
  // Where one of them is ∞/∞, or loses all of a small number.
  EXPECT_EQ(sigmoid(Tensor::scalar(1000.0)).value().scalar_value(), 1);
  EXPECT_TRUE(std::isnan(std::exp(1000.0) / (std::exp(1000.0) + 1)));
  EXPECT_EQ(sigmoid(Tensor::scalar(-1000.0)).value().scalar_value(), 0);
}

TEST(SourceSlips, UpdatesOfAnEpochAreRounded) {
  const Batch data{Tensor::zeros({100, 1}), Tensor::zeros({100, 1})};
  for (const auto& [size, up, down] : std::vector<std::array<std::int64_t, 3>>{
           {7, 15, 14}, {10, 10, 10}, {64, 2, 1}, {100, 1, 1}}) {
    EXPECT_EQ(ArrayLoader(data, {.batch_size = size}).batch_count(), up);
    EXPECT_EQ(ArrayLoader(data, {.batch_size = size, .drop_last = true}).batch_count(), down);
  }
}

}  // namespace
}  // namespace wengert::optim
