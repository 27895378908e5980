#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/kernels/strided.h"

namespace wengert {
namespace ops {
namespace {

void infer_contiguous(InferContext& call) { call.output(call.dtype(0), call.shape(0)); }
void evaluate_contiguous(EvalContext& call) {
  kernels::copy_to_dense(call.input(0), call.output().data);
}
void contiguous_vjp(VjpContext& c) { c.set(0, c.cotangent()); }

}  // namespace

constinit const OpDef contiguous_op = {
    .name = "contiguous",
    .doc = {.summary = "A row-major copy of a strided view; a dense tensor is returned as it is.",
            .formula = "y = x",
            .arguments = "x: any dtype and shape",
            .gradient = "the cotangent itself",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_contiguous,
    .evaluate = evaluate_contiguous,
    .vjp = contiguous_vjp,
};

}  // namespace ops

Var contiguous(const Var& x, std::source_location where) {
  if (x.has_value() && !x.get()->has(detail::Value::kStrided)) return x;
  return apply(ops::contiguous_op, x, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(contiguous) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "of a transposed view", {spread({2, 3}, -1, 1)},
      [](std::span<const Var> x) { return contiguous(transpose(x[0])); },
      [](std::span<const Tensor> x) {
        return by_index({3, 2}, [&](const Dims& i) { return element(x[0], {i[1], i[0]}); });
      });
  for (const Shape& shape : {Shape{24001, 3}, Shape{3, 24001}}) {
    add_sample(
        tests, "of a transposed " + to_string(shape), {spread(shape, -1, 1)},
        [](std::span<const Var> x) { return contiguous(transpose(x[0])); },
        [=](std::span<const Tensor> x) {
          return by_index({shape[1], shape[0]}, [&](const Dims& i) {
            return element(x[0], {i[1], i[0]});
          });
        });
  }
  add_sample(
      tests, "of a dense tensor", {spread({4}, -1, 1)},
      [](std::span<const Var> x) { return contiguous(x[0]); },
      [](std::span<const Tensor> x) { return x[0]; });
  tests.rejected = {{"empty Var", [] { return contiguous(Var()); }, ErrorKind::kGraph,
                     "input 0 is an empty Var"}};
  tests.exempt = "takes every dtype and shape";
  return tests;
}
#endif
