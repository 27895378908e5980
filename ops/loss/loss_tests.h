#pragma once

// Private to the library.

#include <string>
#include <vector>

#include "wengert/ops/loss/reduction.h"
#include "wengert/ops/testing.h"

// What tests of losses share, for the testing library.
namespace wengert::testing {

inline constexpr Reduction kReductions[] = {Reduction::kMean, Reduction::kSum, Reduction::kNone,
                                            Reduction::kMeanOverAll};

/// Weights in [0.25, 2), and a 0 among them.
inline Tensor some_weights(const Shape& shape, int seed) {
  std::vector<double> weights = spread(shape, 0.25, 2, seed + 100).to_vector<double>();
  if (weights.size() > 2) weights[1] = 0;
  return Tensor::from(weights, shape);
}

/// Losses of shape `shape` as the reduction leaves them. Empty lists mean weights of 1, and
/// denominators that are the weights.
inline Tensor reduced(std::vector<double> losses, const Shape& shape, Reduction reduction,
                      const std::vector<double>& weights = {},
                      const std::vector<double>& counted = {}) {
  long double total = 0, denominator = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[i];
    losses[i] = weight == 0 ? 0 : weight * losses[i];
    total += losses[i];
    denominator += weight * (counted.empty() ? 1 : counted[i]);
  }
  if (reduction == Reduction::kNone) return Tensor::from(losses, shape);
  if (reduction == Reduction::kMean) total /= denominator;
  if (reduction == Reduction::kMeanOverAll) total /= static_cast<long double>(losses.size());
  return Tensor::scalar(static_cast<double>(total));
}

}  // namespace wengert::testing
