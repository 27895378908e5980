#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/elementwise/driver.h"
#include "wengert/ops/kernels/strided.h"

namespace wengert {
namespace ops {
namespace {

void infer_where(InferContext& call) {
  if (call.dtype(0) != DType::kBool) {
    call.fail(ErrorKind::kDType, "the condition must be bool, got " + call.describe(0),
              "compare first: where(x > 0, a, b)");
  }
  call.require_same_dtype(1, 2);
  call.output(call.dtype(1), broadcast_shape(call, 0, 2));
}

void evaluate_where(EvalContext& call) {
  const TensorView out = call.output();
  const TensorView views[] = {call.input(0), call.input(1), call.input(2)};
  const kernels::LoopNest nest = kernels::plan(out.shape(), views);
  const std::int64_t inner = nest.inner(), outer = nest.outer();
  if (inner == 0 || outer == 0) return;
  const auto run = [&]<class U>(U) {
    for (std::int64_t o = 0; o < outer; ++o) {
      std::int64_t at[3];
      kernels::offsets_at(nest, o, at);
      const auto* condition = views[0].as<std::uint8_t>() + at[0];
      const U* a = views[1].as<U>() + at[1];
      const U* b = views[2].as<U>() + at[2];
      U* to = out.as<U>() + o * inner;
      const std::int64_t sc = nest.inner_stride(0), sa = nest.inner_stride(1),
                         sb = nest.inner_stride(2);
      for (std::int64_t i = 0; i < inner; ++i) to[i] = condition[i * sc] ? a[i * sa] : b[i * sb];
    }
  };
  switch (size_of(out.dtype)) {  // only the width of an element matters here
    case 8:
      run(std::uint64_t{});
      break;
    case 4:
      run(std::uint32_t{});
      break;
    default:
      run(std::uint8_t{});
  }
}

void where_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  const Var zero = Tensor::zeros(g.dtype(), {});
  if (c.needs(1)) c.set(1, where(c.input(0), g, zero));
  if (c.needs(2)) c.set(2, where(c.input(0), zero, g));
}

}  // namespace

constinit const OpDef where_op = {
    .name = "where",
    .doc = {.summary = "Chooses between two tensors, element by element.",
            .formula = "y = a where the condition holds, else b",
            .arguments = "condition: bool; a, b: any one dtype; all broadcast together",
            .gradient = "∂y/∂a = 1 where the condition holds, ∂y/∂b = 1 elsewhere; the branch not "
                        "taken gets exactly 0, whatever it holds",
            .source = "elementary"},
    .min_inputs = 3,
    .max_inputs = 3,
    .differentiable = 0b110,
    .reads = {0, reads_input(0), reads_input(0)},
    .infer = infer_where,
    .evaluate = evaluate_where,
    .vjp = where_vjp,
};

}  // namespace ops

Var where(const Var& condition, const Var& a, const Var& b, std::source_location at) {
  const Var* inputs[] = {&condition, &a, &b};
  return apply(ops::where_op, inputs, nullptr, at);
}

}  // namespace wengert
#endif
