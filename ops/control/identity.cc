#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS

namespace wengert {
namespace ops {
namespace {

void infer_same(InferContext& call) { call.output_view(0, call.shape(0), call.strides(0)); }
void identity_vjp(VjpContext& c) { c.set(0, c.cotangent()); }

}  // namespace

constinit const OpDef identity_op = {
    .name = "identity",
    .doc = {.summary = "The value itself, as a node of its own: something to name or observe.",
            .formula = "y = x",
            .arguments = "x: any dtype and shape. A view",
            .gradient = "the cotangent itself",
            .source = "elementary"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_same,
    .vjp = identity_vjp,
};

constinit const OpDef stop_gradient_op = {
    .name = "stop_gradient",
    .doc = {.summary = "The value, with the gradient cut.",
            .formula = "y = x, ∂y/∂x = 0",
            .arguments = "x: any dtype and shape. A view",
            .gradient = "none: what came before counts as constant",
            .source = "elementary"},
    .infer = infer_same,
};

}  // namespace ops

Var identity(const Var& x, std::source_location where) { return apply(ops::identity_op, x, where); }

Var stop_gradient(const Var& x, std::source_location where) {
  return apply(ops::stop_gradient_op, x, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
namespace {
wengert::testing::OpTests same_value_tests(wengert::Var (*op)(const wengert::Var&,
                                                              std::source_location)) {
  using namespace wengert;
  testing::OpTests tests = testing::unary_tests(
      op, [](double x) { return x; }, -2, 2);
  tests.rejected = {{"empty Var", [op] { return op(Var(), std::source_location::current()); },
                     ErrorKind::kGraph, "input 0 is an empty Var"}};
  tests.exempt = "takes every dtype and shape";
  return tests;
}
}  // namespace

WENGERT_OP_TESTS(identity) {
  OpTests tests = same_value_tests(wengert::identity);
  tests.order = 2;
  tests.linear = true;
  return tests;
}
WENGERT_OP_TESTS(stop_gradient) {
  OpTests tests = same_value_tests(wengert::stop_gradient);
  tests.order = 0;
  return tests;
}
#endif
