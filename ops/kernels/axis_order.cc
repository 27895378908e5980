#include "wengert/ops/kernels/axis_order.h"

#include <algorithm>
#include <numeric>

namespace wengert::kernels {

AxisOrder::AxisOrder(const TensorView& view, int rank)
    : rank_(rank), row_major_(view.strides == nullptr) {
  if (row_major_) return;
  std::iota(axes_, axes_ + rank, 0);
  const int lead = rank - view.rank;
  std::stable_sort(axes_ + lead, axes_ + rank,
                   [&](int a, int b) { return view.strides[a - lead] > view.strides[b - lead]; });
}

TensorView AxisOrder::turn(const TensorView& view) {
  if (row_major_) return view;
  const Strides own = view.resolved_strides();
  std::int64_t *sizes = sizes_[turned_], *strides = strides_[turned_];
  ++turned_;
  const int lead = rank_ - view.rank;
  for (int p = 0; p < rank_; ++p) {
    const int axis = axes_[p] - lead;
    sizes[p] = axis < 0 ? 1 : view.sizes[axis];
    strides[p] = axis < 0 ? 0 : own[axis];
  }
  return {view.dtype, rank_, sizes, strides, view.data};
}

}  // namespace wengert::kernels
