#include "wengert/ops/reduction/axes.h"

#include "wengert/ops/kernels/strided.h"
#include "wengert/ops/ops.h"

namespace wengert::ops {

void mark_axes(const OpCall& call, const Axes& axes, bool* reduced) {
  for (int d = 0; d < kMaxRank; ++d) reduced[d] = axes.empty() && d < call.rank(0);
  for (std::int64_t axis : axes) {
    const int at = call.resolve_axis(axis, call.rank(0));
    if (reduced[at]) {
      call.fail(ErrorKind::kAxis, "axis " + std::to_string(axis) + " is named twice in " +
                                      to_string(axes.span()));
    }
    reduced[at] = true;
  }
}

Shape reduced_shape(const OpCall& call, const ReductionAttributes& attributes) {
  bool reduced[kMaxRank];
  mark_axes(call, attributes.axes, reduced);
  Shape shape;
  for (int d = 0; d < call.rank(0); ++d) {
    if (!reduced[d]) {
      shape.push_back(call.size(0, d));
    } else if (attributes.keepdims) {
      shape.push_back(1);
    }
  }
  return shape;
}

Var with_reduced_axes(const Var& y, const Shape& input_shape,
                      const ReductionAttributes& attributes) {
  if (attributes.keepdims) return y;
  Shape shape = input_shape;
  for (int d = 0; d < shape.size(); ++d) {
    if (attributes.axes.empty()) shape[d] = 1;
  }
  for (std::int64_t axis : attributes.axes) {
    shape[static_cast<int>(axis < 0 ? axis + shape.size() : axis)] = 1;
  }
  return reshape(y, shape);
}

DenseInput::DenseInput(const TensorView& view) : view_(view) {
  if (view.is_dense()) return;
  storage_ = detail::allocate_storage(static_cast<std::size_t>(view.count()) * size_of(view.dtype));
  kernels::copy_to_dense(view, storage_->data);
  view_.strides = nullptr;
  view_.data = storage_->data;
}

}  // namespace wengert::ops
