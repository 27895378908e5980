#pragma once

#include "wengert/ops/shape/shape_tests.h"

// References of indexing ops. Private to the library.
namespace wengert::testing {

/// A negative index from the back.
inline std::int64_t wrap(double index, std::int64_t size) {
  const auto i = static_cast<std::int64_t>(index);
  return i < 0 ? i + size : i;
}

/// [[2, 0, 0], [−1, 3, 3]]: duplicates, a negative one, 4 or more elements needed.
inline const Tensor& sample_indices() {
  static const Tensor indices = Tensor::from<std::int64_t>({2, 0, 0, -1, 3, 3}, {2, 3});
  return indices;
}

/// Of any shape, in [−size, size), many more than once.
inline Tensor long_indices(const Shape& shape, std::int64_t size) {
  const auto end = static_cast<double>(size);
  return resampled(spread({4093}, -end, end), shape).to(DType::kInt64);
}

}  // namespace wengert::testing
