#pragma once

// Private to the library.

#include <span>
#include <string>
#include <vector>

#include "wengert/ops/random/random_tests.h"
#include "wengert/ops/reduction/reduction_tests.h"

// What tests of normalization share, for the testing library.
namespace wengert::testing {

/// Where the elements of a channel lie in a dense tensor.
struct ChannelView {
  std::int64_t outer = 1, channels, inner = 1;
  ChannelView(const Shape& shape, int axis) {
    if (axis < 0) axis += shape.size();
    channels = shape[axis];
    for (int d = 0; d < axis; ++d) outer *= shape[d];
    for (int d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  }
  std::int64_t count() const { return outer * inner; }
  std::int64_t position(std::int64_t channel, std::int64_t i) const {
    return (i / inner * channels + channel) * inner + i % inner;
  }
};

/// x, gain and bias, the first `count` of them.
inline std::vector<Tensor> norm_operands(const Shape& shape, const Shape& part, int count,
                                         double low, double high) {
  std::vector<Tensor> operands = {spread(shape, low, high, 3), spread(part, 0.5, 2, 5),
                                  spread(part, -1, 1, 7)};
  operands.resize(static_cast<std::size_t>(count));
  return operands;
}

inline Var operand_or_none(std::span<const Var> operands, std::size_t i) {
  return i < operands.size() ? operands[i] : Var();
}

inline bool near(const Tensor& a, const Tensor& b, double tolerance) {
  for (std::int64_t i = 0; i < a.element_count(); ++i) {
    if (!(std::fabs(a.at(i) - b.at(i)) <= tolerance)) return false;
  }
  return a.shape() == b.shape();
}

}  // namespace wengert::testing
