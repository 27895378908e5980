#include "wengert/ops/dense_input.h"

#include "wengert/ops/kernels/strided.h"

namespace wengert::ops {

DenseInput::DenseInput(const TensorView& view) : view_(view) {
  if (view.is_dense()) return;
  storage_ = detail::allocate_storage(byte_count(view.dtype, view.shape()));
  kernels::copy_to_dense(view, storage_->data);
  view_.strides = nullptr;
  view_.data = storage_->data;
}

}  // namespace wengert::ops
