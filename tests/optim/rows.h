#pragma once

#include <cstdint>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// Gradients of a few rows, for the tests of methods and passes.
namespace wengert::optim {

using Indices = std::vector<std::int64_t>;

inline constexpr std::int64_t kHeight = 12;

inline Tensor indices_of(const Indices& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

/// A table of [height, width] to look rows up in, and one more parameter.
inline void fill(ParameterSet& parameters, DType dtype, std::int64_t height = kHeight,
                 std::int64_t width = 5) {
  parameters.add("table", testing::spread({height, width}, -1, 1).to(dtype));
  parameters.add("other", testing::spread({3}, -1, 1, 4).to(dtype));
}

/// Gradients of lookups, irregular and none of them 0.
inline Gradients lookup(ParameterSet& parameters, const Indices& indices, int seed) {
  const Tape tape;
  const Var y = embedding(use(parameters.at("table")), Var(indices_of(indices)));
  const Var weights = testing::spread(y.shape(), 0.25, 1, seed).to(y.dtype());
  return backward(sum(y * weights) + sum(square(use(parameters.at("other")))));
}

inline Gradients dense(Gradients gradients) {
  for (Gradients::Entry& entry : gradients.entries()) entry.gradient = entry.gradient.dense();
  return gradients;
}

inline Indices all_rows(std::int64_t height = kHeight) {
  Indices rows;
  for (std::int64_t i = height; i-- > 0;) rows.push_back(i);
  return rows;
}

}  // namespace wengert::optim
