#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/elementwise/driver.h"
#include "wengert/ops/kernels/axis_order.h"
#include "wengert/ops/kernels/select.h"
#include "wengert/ops/kernels/walk.h"

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
  kernels::AxisOrder order(call.output(), call.output().rank);
  const TensorView out = order.turn(call.output());
  const TensorView views[] = {order.turn(call.input(0)), order.turn(call.input(1)),
                              order.turn(call.input(2))};
  const std::size_t bytes = size_of(out.dtype);  // only the width of an element matters here
  kernels::walk(out.shape(), views,
                [&](const void* const* in, std::int64_t position, std::int64_t n) {
                  kernels::select(static_cast<const std::uint8_t*>(in[0]), in[1], in[2],
                                  out.data + position * static_cast<std::int64_t>(bytes), n, bytes);
                });
}

void where_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  const Var zero = Tensor::zeros({}, g.dtype());
  if (c.needs(1)) c.set(1, where(c.input(0), g, zero));
  if (c.needs(2)) c.set(2, where(c.input(0), zero, g));
}

}  // namespace

constinit const OpDef where_op = {
    .name = "where",
    .doc = {.summary = "Chooses between two tensors, element by element.",
            .formula = "y = a where the condition holds, else b",
            .arguments =
                "condition: bool; a, b: any one dtype, a number that of the other; two numbers "
                "make float32, or int64 where both are whole; all broadcast together",
            .gradient = "∂y/∂a = 1 where the condition holds, ∂y/∂b = 1 elsewhere; the branch not "
                        "taken gets exactly 0, whatever it holds",
            .source = "elementary"},
    .min_inputs = 3,
    .max_inputs = 3,
    .differentiable = 0b110,
    .reads = {0, reads_input(0), reads_input(0)},
    .linear = {0b110},
    .keeps_order = 1,
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

#ifdef WENGERT_TESTS
namespace {

using wengert::Shape;
using wengert::Tensor;
using wengert::Var;
using wengert::testing::Sample;

/// The condition is fixed and the branches are the inputs, so that differences see floats only.
Sample choose(const Shape& condition, const Shape& a, const Shape& b, wengert::DType dtype) {
  using namespace wengert;
  Sample sample;
  sample.name = to_string(condition) + " of " + to_string(dtype, a) + " and " + to_string(b);
  const Tensor mask = less(testing::spread(condition, 0.0, 1.0, 3), 0.6).value();
  sample.inputs = {testing::spread(a, -100.0, 100.0).to(dtype),
                   testing::spread(b, -100.0, 100.0, 2).to(dtype)};
  if (dtype == DType::kUint8 || dtype == DType::kBool) {
    sample.inputs = {testing::spread(a, 0.0, 250.0).to(dtype), Tensor::zeros(b, dtype)};
  }
  sample.smooth = is_floating(dtype);
  sample.call = [mask](std::span<const Var> x) {
    return std::vector<Var>{where(mask, x[0], x[1])};
  };
  sample.reference = [mask, dtype](std::span<const Tensor> x) {
    const Tensor all[] = {mask, x[0], x[1]};
    const auto f = [](std::span<const double> v) { return v[0] * v[1] + (1 - v[0]) * v[2]; };
    return std::vector<Tensor>{testing::map(all, f, dtype)};
  };
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(where) {
  OpTests tests;
  tests.linear = true;
  for (DType dtype : {DType::kFloat64, DType::kInt32, DType::kInt64, DType::kUint8, DType::kBool}) {
    tests.samples.push_back(choose({5, 7}, {5, 7}, {5, 7}, dtype));
    tests.samples.push_back(choose({7}, {5, 1}, {}, dtype));
    tests.samples.push_back(choose({3, 1, 1}, {5, 1}, {4}, dtype));
    tests.samples.push_back(choose({}, {3}, {2, 1}, dtype));
    tests.samples.push_back(choose({0, 3}, {3}, {1}, dtype));
    tests.samples.push_back(choose(kLongVector, kLongVector, kLongVector, dtype));
    tests.samples.push_back(choose({24001, 1}, {3}, {24001, 3}, dtype));
  }
  const Tensor yes = Tensor::full({2}, 1, DType::kBool), x = Tensor::full({2}, 1, DType::kFloat32);
  tests.rejected = {
      {"condition", [=] { return where(x, x, x); }, ErrorKind::kDType,
       "the condition must be bool, got f32[2]"},
      {"mixed dtypes", [=] { return where(yes, x, Tensor::full({2}, 1, DType::kFloat64)); },
       ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"},
      {"sizes", [=] { return where(yes, Tensor::full({3}, 1, DType::kFloat32), x); },
       ErrorKind::kShape, "shapes do not broadcast: bool[2] and f32[3] (2 vs 3)"},
      {"empty Var", [=] { return where(yes, x, Var()); }, ErrorKind::kGraph,
       "input 2 is an empty Var"}};
  return tests;
}
#endif
