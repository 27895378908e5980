#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/shape.h"

namespace wengert {

/// One operand or result as kernels see it: strided, not owned.
struct TensorView {
  DType dtype = DType::kFloat32;
  int rank = 0;
  const std::int64_t* sizes = nullptr;
  const std::int64_t* strides = nullptr;  ///< null: dense row-major
  std::byte* data = nullptr;

  std::int64_t count() const {
    std::uint64_t n = 1;  // never wraps: element_count has passed these sizes
    for (int i = 0; i < rank; ++i) n *= static_cast<std::uint64_t>(sizes[i]);
    return static_cast<std::int64_t>(n);
  }
  std::span<const std::int64_t> shape() const { return {sizes, static_cast<std::size_t>(rank)}; }
  Strides resolved_strides() const {
    return strides != nullptr ? Strides(std::span(strides, static_cast<std::size_t>(rank)))
                              : dense_strides(shape());
  }
  /// Whether the elements lie row-major without gaps.
  bool is_dense() const;
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

}  // namespace wengert
