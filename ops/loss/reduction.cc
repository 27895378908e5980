#include "wengert/ops/loss/losses.h"
#include "wengert/ops/ops.h"

namespace wengert::ops {

void output_of_loss(InferContext& call, Reduction reduction, const Shape& shape) {
  if (reduction > Reduction::kMeanOverAll) call.fail(ErrorKind::kValue, "unknown reduction");
  call.output(call.dtype(0), reduction == Reduction::kNone ? shape : Shape{});
}

void check_weights(InferContext& call, int i, const Shape& losses) {
  if (!call.has(i)) return;
  if (call.dtype(i) != call.dtype(0)) {
    call.fail(ErrorKind::kDType, "mixed dtypes: " + call.describe(0) + " and " + call.describe(i),
              "convert one with cast(x, DType)");
  }
  if (call.shape(i) == losses) return;
  call.fail(ErrorKind::kShape,
            "the weights are " + call.describe(i) + " for losses of shape " + losses.str(),
            "one for each loss: broadcast_to repeats them");
}

Var spread_cotangent(const Var& cotangent, Reduction reduction, std::int64_t n, const Var& weights,
                     const Tensor* counted) {
  Var g = cotangent;
  const bool weighted = weights.has_value() || counted != nullptr;
  if (reduction == Reduction::kMean && weighted) {
    Var all = weights;
    if (counted != nullptr)
      all = weights.has_value() ? cotangent_product(weights, *counted) : Var(*counted);
    g = g / sum(all);
  } else if (reduction == Reduction::kMean || reduction == Reduction::kMeanOverAll) {
    g = g / static_cast<double>(n);
  }
  return weights.has_value() ? cotangent_product(weights, g) : g;
}

}  // namespace wengert::ops
