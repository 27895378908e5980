#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

#include "wengert/graph/convert.h"
#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/axis_order.h"

namespace wengert {
namespace ops {
namespace {

struct CastAttributes {
  DType dtype;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("dtype", self.dtype);
  }
};

void infer_cast(InferContext& call) {
  call.output(call.attributes<CastAttributes>().dtype, call.shape(0));
}

void evaluate_cast(EvalContext& call) {
  kernels::AxisOrder order(call.output(), call.output().rank);
  const TensorView out = order.turn(call.output());
  const DenseInput x(order.turn(call.input(0)));
  const std::int64_t count = out.count();
  dispatch(x.view().dtype, [&]<class From>(From) {
    dispatch(out.dtype, [&]<class To>(To) {
      const From* from = x.view().as<From>();
      std::transform(from, from + count, out.as<To>(), detail::convert<To, From>);
    });
  });
}

void cast_vjp(VjpContext& c) { c.set(0, cast(c.cotangent(), c.dtype(0))); }

}  // namespace

constinit const OpDef cast_op = {
    .name = "cast",
    .doc = {.summary = "The same numbers in another dtype.",
            .formula =
                "y = x, rounded to the nearest value of the dtype, or towards zero for integers",
            .arguments = "x: any dtype and shape; dtype: the result's. Floating to integer: NaN "
                         "becomes 0, values out of range the nearest end; to bool: x ≠ 0",
            .gradient = "the cotangent cast back; none through integers and bool",
            .source = "IEEE 754-2019 §5.4.2"},
    .differentiable = 1,
    .linear = {1},
    .keeps_order = 1,
    .infer = infer_cast,
    .evaluate = evaluate_cast,
    .vjp = cast_vjp,
    .attributes = &attribute_type<CastAttributes>,
};

}  // namespace ops

Var cast(const Var& x, DType dtype, std::source_location where) {
  if (x.has_value() && !x.get()->has(detail::Value::kWeak) && x.dtype() == dtype) return x;
  return apply(ops::cast_op, {&x}, ops::CastAttributes{dtype}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(cast) {
  OpTests tests;
  const auto add = [&](const Tensor& input, DType dtype, bool smooth) {
    Sample sample;
    sample.name =
        wengert::to_string(input.dtype(), input.shape()) + " to " + std::string(name_of(dtype));
    sample.inputs = {input};
    sample.call = [dtype](std::span<const Var> x) { return std::vector<Var>{cast(x[0], dtype)}; };
    sample.reference = [dtype](std::span<const Tensor> x) {
      return std::vector<Tensor>{map(
          x,
          [dtype](std::span<const double> v) {
            if (dtype == DType::kBool) return v[0] != 0 ? 1.0 : 0.0;
            return is_floating(dtype) ? v[0] : std::trunc(v[0]);
          },
          dtype)};
    };
    sample.smooth = smooth;
    tests.samples.push_back(std::move(sample));
  };
  add(spread({3, 4}, -3, 3), DType::kFloat64, true);
  add(spread({3, 4}, -300, 300), DType::kInt32, false);
  add(spread(kLongVector, -3, 3), DType::kFloat64, true);
  add(spread(kLongVector, -300, 300), DType::kInt32, false);
  add(spread(kLongColumns, 0, 200), DType::kUint8, false);
  add(spread({5}, 0, 200), DType::kUint8, false);
  add(Tensor::from({0.0, 0.5, -2.0}, {3}), DType::kBool, false);
  add(Tensor::from<std::int32_t>({-1, 0, 7}, {3}), DType::kInt64, false);
  add(spread({0, 2}, 0, 1), DType::kInt64, false);
  tests.linear = true;
  tests.order = 2;
  tests.rejected = {{"empty Var", [] { return wengert::cast(Var(), DType::kInt32); },
                     ErrorKind::kGraph, "input 0 is an empty Var"}};
  tests.exempt = "takes every dtype and shape";
  return tests;
}
#endif
