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
                     const Var& counted) {
  Var g = cotangent;
  if (reduction == Reduction::kMean && (weights.has_value() || counted.has_value())) {
    Var all = counted.has_value() ? counted : weights;
    if (counted.has_value() && weights.has_value()) all = cotangent_product(weights, counted);
    g = cotangent_product(g, 1.0 / sum(all));  // the sum may be 0, and 0/0 is not 0
  } else if (reduction == Reduction::kMean || reduction == Reduction::kMeanOverAll) {
    g = g / static_cast<double>(n);
  }
  return weights.has_value() ? cotangent_product(weights, g) : g;
}

}  // namespace wengert::ops
