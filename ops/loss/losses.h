#pragma once

#include <vector>

#include "wengert/graph/op.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/loss/reduction.h"

// What losses share. Private to the library.
namespace wengert::ops {

struct LossAttributes {
  Reduction reduction = Reduction::kMean;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("reduction", self.reduction);
  }
};

/// Adds the output: a scalar, or `shape` where nothing is reduced.
inline void output_of_loss(InferContext& call, const Shape& shape) {
  const Reduction reduction = call.attributes<LossAttributes>().reduction;
  if (reduction > Reduction::kNone) call.fail(ErrorKind::kValue, "unknown reduction");
  const bool none = reduction == Reduction::kNone;
  call.output(call.dtype(0), none ? shape : Shape{});
}

/// Writes n losses, or their sum or mean.
template <class T>
void reduce_losses(const T* losses, std::int64_t n, Reduction reduction, T* to) {
  if (reduction == Reduction::kNone) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = losses[i];
    return;
  }
  *to = kernels::row_kernels<T>().sum(losses, n);
  if (reduction == Reduction::kMean) *to /= static_cast<T>(n);
}

/// The cotangent of single losses from that of the result: a scalar, but for kNone.
inline Var cotangent_of_losses(const VjpContext& c, std::int64_t n) {
  const Reduction reduction = c.attributes<LossAttributes>().reduction;
  return reduction == Reduction::kMean ? c.cotangent() / static_cast<double>(n) : c.cotangent();
}

}  // namespace wengert::ops
