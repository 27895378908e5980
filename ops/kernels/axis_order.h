#pragma once

#include <cstdint>

#include "wengert/graph/tensor_view.h"
#include "wengert/ops/kernels/strided.h"

// Working along memory whose axes are permuted. Private to the library.
namespace wengert::kernels {

/// The axes of a shape in the order in which one operand's elements lie in memory, slowest first.
/// Operands turned to it are walked as if that one had been row-major all along.
class AxisOrder {
 public:
  /// That of `view`, which has no gaps, for a shape of `rank` axes to which it broadcasts: axes
  /// that it lacks come first.
  AxisOrder(const TensorView& view, int rank);
  bool is_row_major() const { return row_major_; }
  /// Which axis has place p, where not row-major.
  int axis(int p) const { return axes_[p]; }
  /// An operand, right-aligned to the shape, with its axes in this order; the view lives as long as
  /// this. At most kMost of them.
  TensorView turn(const TensorView& view);

 private:
  static constexpr int kMost = kMaxOperands + 1;  // and where the result goes
  int rank_;
  int turned_ = 0;
  bool row_major_;
  int axes_[kMaxRank];  ///< by place; these three only where not row-major
  std::int64_t sizes_[kMost][kMaxRank];
  std::int64_t strides_[kMost][kMaxRank];
};

}  // namespace wengert::kernels
