#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/kernels/reduce.h"
#include "wengert/ops/kernels/strided.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

void infer_sum(InferContext& call) {
  const auto& attributes = call.attributes<ReductionAttributes>();
  call.require_floating(0);
  call.output(call.dtype(0), reduced_shape(call, attributes));
}

void evaluate_sum(EvalContext& call) {
  bool reduced[kMaxRank];
  mark_axes(call, call.attributes<ReductionAttributes>().axes, reduced);
  const DenseInput x(call.input(0));
  kernels::reduce_sum(x.view().dtype, x.view().data, x.view().shape(), reduced,
                      call.output().data, false);
}

void sum_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  c.set(0, broadcast_to(with_reduced_axes(c.cotangent(), c.shape(0), attributes), c.shape(0)));
}

}  // namespace

constinit const OpDef sum_op = {
    .name = "sum",
    .doc = {.summary = "Sum over axes.",
            .formula = "y = Σ x over the given axes",
            .arguments = "x: float32 or float64; axes: negative from the back, all when empty; "
                         "keepdims keeps them with size 1; over no elements the sum is 0",
            .gradient = "the cotangent repeated along the axes",
            .source = "N. Higham, The accuracy of floating point summation, 1993 (pairwise)"},
    .differentiable = 1,
    .infer = infer_sum,
    .evaluate = evaluate_sum,
    .vjp = sum_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
};

}  // namespace ops

Var sum(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::sum_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif
