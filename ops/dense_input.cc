#include "wengert/ops/dense_input.h"

#include "wengert/ops/kernels/strided.h"

namespace wengert::ops {

DenseInput::DenseInput(const TensorView& view) : view_(view) {
  if (view.is_dense()) return;
  storage_ = detail::allocate_storage(static_cast<std::size_t>(view.count()) * size_of(view.dtype));
  kernels::copy_to_dense(view, storage_->data);
  view_.strides = nullptr;
  view_.data = storage_->data;
}

}  // namespace wengert::ops
