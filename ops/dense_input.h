#pragma once

#include "wengert/graph/storage.h"
#include "wengert/graph/tensor_view.h"

// Private to the library.
namespace wengert::ops {

/// A dense copy of a view for as long as it is needed, or the view itself when it is dense.
class DenseInput {
 public:
  explicit DenseInput(const TensorView& view);
  ~DenseInput() { detail::release(storage_); }
  DenseInput(const DenseInput&) = delete;
  DenseInput& operator=(const DenseInput&) = delete;
  const TensorView& view() const { return view_; }

 private:
  TensorView view_;
  detail::Storage* storage_ = nullptr;
};

}  // namespace wengert::ops
