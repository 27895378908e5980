#pragma once

#include "wengert/graph/op.h"
#include "wengert/graph/storage.h"

// What reductions over axes share. Private to the library.
namespace wengert::ops {

struct ReductionAttributes {
  Axes axes;
  bool keepdims;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axes", self.axes);
    v("keepdims", self.keepdims);
  }
};

/// Marks which dimensions of input 0 are reduced. Fails on axes out of range or named twice.
void mark_axes(const OpCall& call, const Axes& axes, bool* reduced);

/// The result's shape.
Shape reduced_shape(const OpCall& call, const ReductionAttributes& attributes);

/// A reduction's result (or its cotangent) with the reduced axes back as size 1.
Var with_reduced_axes(const Var& y, const Shape& input_shape,
                      const ReductionAttributes& attributes);

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
