#include "wengert/ops/dense_input.h"
#include "wengert/ops/elementwise_loss/record.h"
#include "wengert/ops/loss/loss_reduction.h"

namespace wengert::ops {
void infer_loss_of_elements(InferContext& call, Reduction reduction) {
  call.require_same_dtype(0, 1);
  call.require_floating(0);
  if (!(call.shape(0) == call.shape(1))) {
    call.fail(ErrorKind::kShape, "shapes differ: " + call.describe(0) + " and " + call.describe(1),
              "a loss does not broadcast: use reshape or expand_dims");
  }
  check_weights(call, 2, call.shape(0));
  output_of_loss(call, reduction, call.shape(0));
}

void evaluate_loss_of_elements(EvalContext& call, const ElementwiseOp& op, Reduction reduction) {
  const DenseInput a(call.input(0)), b(call.input(1));
  const DenseInput weights(operand_or_none(call, 2));
  const TensorView out = call.output();
  const auto losses = op.kernels->forward[static_cast<int>(out.dtype)];
  dispatch_floating(out.dtype, [&]<class T>(T) {
    const LossReduction<T> over(reduction, a.view().count(), elements_or_none<T>(weights));
    over.reduce(
        [&](std::int64_t at, std::int64_t count, T* to) {
          const void* in[] = {elements_or_none<T>(a, at), elements_or_none<T>(b, at)};
          losses(in, to, count, call.raw_attributes());
        },
        out.as<T>());
  });
}

void backward_loss_of_elements(BackwardContext& call, const ElementwiseOp& op,
                               Reduction reduction) {
  const DenseInput g(call.cotangent());
  const DenseInput weights(operand_or_none(call, 2));
  dispatch_floating(g.view().dtype, [&]<class T>(T) {
    for (int i = 0; i < 2; ++i) {
      if (!call.needs(i)) continue;
      const BackwardContext::Destination to = call.gradient(i);
      const auto read = [&](int k) {
        return (call.op().reads_for(i) & reads_input(k)) != 0 ? call.input(k) : TensorView{};
      };
      const DenseInput a(read(0)), b(read(1));
      const auto partial = op.kernels->backward[i][static_cast<int>(g.view().dtype)];
      const LossReduction<T> over(reduction, to.view.count(), elements_or_none<T>(weights));
      over.spread(g.view().as<T>(), [&](std::int64_t at, std::int64_t count, const T* cotangents) {
        const void* in[] = {elements_or_none<T>(a, at), elements_or_none<T>(b, at)};
        partial(cotangents, in, nullptr, to.view.as<T>() + at, count, call.raw_attributes(),
                to.accumulate);
      });
    }
  });
}

}  // namespace wengert::ops
