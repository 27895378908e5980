#pragma once

// Private to the library.

#include <string>
#include <vector>

#include "wengert/ops/testing.h"

// What tests of losses share, for the testing library.
namespace wengert::testing {

inline std::string name_of_reduction(Reduction reduction) {
  return reduction == Reduction::kMean ? " mean" : reduction == Reduction::kSum ? " sum" : " none";
}

/// Losses as the reduction leaves them; `shape` is theirs.
inline Tensor reduced(const std::vector<double>& losses, const Shape& shape, Reduction reduction) {
  if (reduction == Reduction::kNone) return Tensor::from(losses, shape);
  long double total = 0;
  for (double v : losses) total += v;
  if (reduction == Reduction::kMean) total /= static_cast<long double>(losses.size());
  return Tensor::scalar(static_cast<double>(total));
}

}  // namespace wengert::testing
