#pragma once

#include <cstdint>
#include <span>

#include "wengert/graph/tensor_view.h"

// Walking several strided operands together. Kernels only see dense runs; this gathers what is
// not dense into tiles on the stack.
namespace wengert::kernels {

inline constexpr int kMaxOperands = 5;

/// A loop nest over `operands` of one broadcast shape: neighbouring dimensions that every operand
/// walks evenly are merged, sizes of 1 dropped. The innermost dimension is the last.
struct LoopNest {
  int rank = 0;
  int operands = 0;
  std::int64_t sizes[kMaxRank] = {};
  std::int64_t strides[kMaxOperands][kMaxRank] = {};  ///< in elements; 0 where broadcast

  std::int64_t inner() const { return rank == 0 ? 1 : sizes[rank - 1]; }
  std::int64_t inner_stride(int operand) const {
    return rank == 0 ? 1 : strides[operand][rank - 1];
  }
  /// From one position of the last dimension but one to the next; 0 if there is none.
  std::int64_t row_stride(int operand) const { return rank < 2 ? 0 : strides[operand][rank - 2]; }
  /// How many outer positions from `outer` on follow each other in the last dimension but one.
  std::int64_t rows_left(std::int64_t outer) const {
    return rank < 2 ? 1 : sizes[rank - 2] - outer % sizes[rank - 2];
  }
  std::int64_t outer() const {
    std::int64_t n = 1;
    for (int d = 0; d + 1 < rank; ++d) n *= sizes[d];
    return n;
  }
};

/// Plans a walk of `views` over `shape`, to which each broadcasts.
LoopNest plan(std::span<const std::int64_t> shape, std::span<const TensorView> views);

/// Where each operand stands at outer position `outer`, in elements.
void offsets_at(const LoopNest& nest, std::int64_t outer, std::int64_t* offsets);

/// to[r·to_stride + j] = from[r·row_stride + j·stride] for r < rows, j < n; elements of `bytes`
/// size, strides in elements.
void gather_rows(const std::byte* from, std::int64_t row_stride, std::int64_t stride,
                 std::int64_t rows, std::int64_t n, std::size_t bytes, std::byte* to,
                 std::int64_t to_stride);

/// Copies a strided view to dense memory of the same dtype.
void copy_to_dense(const TensorView& from, std::byte* to);

/// to (+)= the elements of dense `from` of shape `shape`, summed over the dimensions along which
/// `to_shape` (right-aligned) is 1 or absent. Floating dtypes.
void sum_to_shape(DType dtype, const std::byte* from, std::span<const std::int64_t> shape,
                  std::byte* to, std::span<const std::int64_t> to_shape, bool accumulate);

}  // namespace wengert::kernels
