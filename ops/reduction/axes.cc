#include "wengert/ops/reduction/axes.h"

#include <algorithm>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/axis_order.h"
#include "wengert/ops/kernels/reduce.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/strided.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"

namespace wengert::ops {

void mark_axes(const OpCall& call, const Axes& axes, bool* reduced) {
  for (int d = 0; d < kMaxRank; ++d) reduced[d] = axes.empty() && d < call.rank(0);
  for (std::int64_t axis : axes) {
    const int at = call.resolve_axis(axis, call.rank(0));
    if (reduced[at]) {
      call.fail(ErrorKind::kAxis,
                "axis " + std::to_string(axis) + " is named twice in " + to_string(axes.span()));
    }
    reduced[at] = true;
  }
}

Axes marked_axes(const bool* marked, int rank) {
  Axes axes;
  for (int d = 0; d < rank; ++d) {
    if (marked[d]) axes.push_back(d);
  }
  return axes.size() == rank ? Axes{} : axes;
}

Shape reduce(const OpCall& call, ReductionAttributes& attributes) {
  bool reduced[kMaxRank];
  mark_axes(call, attributes.axes, reduced);
  attributes.axes = marked_axes(reduced, call.rank(0));
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
  for (std::int64_t axis : attributes.axes) shape[static_cast<int>(axis)] = 1;
  return reshape(y, shape);
}

std::int64_t reduced_count(const Shape& shape, const Axes& axes) {
  if (axes.empty()) return element_count(shape);
  std::int64_t n = 1;
  for (std::int64_t axis : axes) n *= shape[static_cast<int>(axis)];
  return n;
}

void require_number(const OpCall& call) {
  if (call.dtype(0) == DType::kBool) {
    call.fail(ErrorKind::kDType, "needs numbers, got " + call.describe(0),
              "count_nonzero counts, any and all combine truth values");
  }
}

void require_elements(const OpCall& call, const Axes& axes) {
  if (reduced_count(call.shape(0), axes) == 0) {
    call.fail(ErrorKind::kShape,
              "over no elements: " + call.describe(0) + " along " +
                  (axes.empty() ? "all axes" : "axes " + to_string(axes.span())),
              "it has no value there; check the size first");
  }
}

void sum_over_axes(EvalContext& call, const Axes& axes) {
  bool reduced[kMaxRank], turned[kMaxRank];
  mark_axes(call, axes, reduced);
  TensorView view = call.input(0);
  // In the order of memory nothing is copied, where what is kept comes out row-major all the same.
  kernels::AxisOrder order(view, view.rank);
  const bool* marks = reduced;
  if (!order.is_row_major()) {
    int last = -1;
    bool in_order = true;
    for (int p = 0; p < view.rank; ++p) {
      const int axis = order.axis(p);
      turned[p] = reduced[axis];
      if (reduced[axis] || view.sizes[axis] == 1) continue;
      in_order &= axis > last;
      last = axis;
    }
    if (in_order) {
      view = order.turn(view);
      marks = turned;
    }
  }
  const DenseInput x(view);
  kernels::reduce_sum(view.dtype, x.view().data, view.shape(), marks, call.output().data, false);
}

void infer_floating(InferContext& call) {
  call.require_floating(0);
  call.output(call.dtype(0), reduce(call, call.canonical<ReductionAttributes>()));
}

void infer_extreme(InferContext& call) {
  auto& attributes = call.canonical<ReductionAttributes>();
  require_number(call);
  const Shape shape = reduce(call, attributes);
  require_elements(call, attributes.axes);
  call.output(call.dtype(0), shape);
}

void infer_total(InferContext& call) {
  require_number(call);
  const DType dtype = is_floating(call.dtype(0)) ? call.dtype(0) : DType::kInt64;
  call.output(dtype, reduce(call, call.canonical<ReductionAttributes>()));
}

Var divide_or_zero(const Var& x, const Var& y) {
  const Var zero = Tensor::zeros({}, y.dtype()), one = Tensor::full({}, 1, y.dtype());
  const Var none = equal(y, zero);
  return where(none, zero, x / where(none, one, y));
}

Rows::Rows(const TensorView& view, const bool* reduced) : data_(view.data) {
  // Kept axes first, reduced ones last: when that is how the memory lies, nothing is copied.
  const Strides own = view.resolved_strides();
  Shape sizes;
  Strides strides;
  for (int pass = 0; pass < 2; ++pass) {
    for (int d = 0; d < view.rank; ++d) {
      if (reduced[d] != (pass == 1)) continue;
      std::int64_t& product = pass == 0 ? count_ : length_;
      product *= view.sizes[d];
      sizes.push_back(view.sizes[d]);
      strides.push_back(own[d]);
    }
  }
  const TensorView ordered = {view.dtype, view.rank, sizes.data(), strides.data(), view.data};
  if (count_ * length_ == 0 || ordered.is_dense()) return;
  storage_ = detail::allocate_storage(byte_count(view.dtype, sizes));
  kernels::copy_to_dense(ordered, storage_->data);
  data_ = storage_->data;
}

void Rows::run(void (*body)(void*, std::int64_t), void* context) const {
  constexpr std::int64_t kPart = 32768;  // elements a task: a few microseconds of work
  const std::int64_t part = std::max<std::int64_t>(1, kPart / std::max<std::int64_t>(1, length_));
  WENGERT_SPLIT(RowTasks, count_, part);
  if (count_ <= part) {
    for (std::int64_t i = 0; i < count_; ++i) body(context, i);
    return;
  }
  kernels::parallel_for((count_ + part - 1) / part, [&](std::int64_t task) {
    const std::int64_t end = std::min(count_, (task + 1) * part);
    for (std::int64_t i = task * part; i < end; ++i) body(context, i);
  });
}

}  // namespace wengert::ops
