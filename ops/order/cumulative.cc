#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <type_traits>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

void infer_cumulative(InferContext& call) {
  require_number(call);
  call.canonical_axis(&ScanAttributes::axis, call.rank(0));
  call.output(is_floating(call.dtype(0)) ? call.dtype(0) : DType::kInt64, call.shape(0));
}

template <bool kProduct>
void evaluate_cumulative(EvalContext& call) {
  const auto& attributes = call.attributes<ScanAttributes>();
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const Lines lines(out, static_cast<int>(attributes.axis));
  dispatch(x.view().dtype, [&]<class T>(T) {
    // float32 runs in double and is rounded once an element; integers wrap around.
    using Total = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
    using Result = std::conditional_t<std::is_floating_point_v<T>, T, std::int64_t>;
    using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    for (std::int64_t l = 0; l < lines.count; ++l) {
      std::int64_t at = lines.start(l), step = lines.step;
      if (attributes.reverse) {
        at += (lines.length - 1) * step;
        step = -step;
      }
      Total total = kProduct ? 1 : 0;
      RunningProduct product;
      for (std::int64_t i = 0; i < lines.length; ++i, at += step) {
        const auto value = static_cast<Total>(static_cast<Wide>(x.view().as<T>()[at]));
        if constexpr (kProduct && std::is_floating_point_v<T>) {
          total = product.times(value);
        } else {
          total = kProduct ? total * value : total + value;
        }
        out.as<Result>()[at] = static_cast<Result>(total);
      }
    }
  });
}

void cumsum_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ScanAttributes>();
  c.set(0, cumulative_sum(c.cotangent(), attributes.axis, !attributes.reverse));
}

void cumprod_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ScanAttributes>();
  const int axis = static_cast<int>(attributes.axis), by = attributes.reverse ? -1 : 1;
  // yᵢ = xᵢ·yᵢ₋₁: what flows into yᵢ is sᵢ = gᵢ + xᵢ₊₁·sᵢ₊₁, of which x gets sᵢ·yᵢ₋₁. In double:
  // either may overflow where their product does not.
  const Var x = cast(c.input(0), DType::kFloat64), g = cast(c.cotangent(), DType::kFloat64);
  const Var y = cumulative_product(x, axis, attributes.reverse);
  const Var s = linear_recurrence(shift(x, -by, axis, 0), g, axis, !attributes.reverse);
  c.set(0, cast(product_zero_wins(s, shift(y, by, axis, 1)), c.dtype(0)));
}

}  // namespace

Var product_zero_wins(const Var& a, const Var& b) {
  const Var zero = Tensor::zeros({}, a.dtype());
  const Var overflown = logical_and(is_inf(a), equal(b, zero));
  return where(overflown, zero, cotangent_product(a, b));
}
Var cumulative_sum(const Var& x, std::int64_t axis, bool reverse) {
  return apply(cumsum_op, {&x}, ScanAttributes{axis, reverse}, std::source_location::current());
}
Var cumulative_product(const Var& x, std::int64_t axis, bool reverse) {
  return apply(cumprod_op, {&x}, ScanAttributes{axis, reverse}, std::source_location::current());
}

constinit const OpDef cumsum_op = {
    .name = "cumsum",
    .doc = {.summary = "Running sum along an axis.",
            .formula = "y[i] = Σ x[k], k ≤ i",
            .arguments = "x: floating, or integers, whose sums are int64 and wrap around; axis: "
                         "negative from the back. float32 is summed in float64",
            .gradient = "the running sum of the cotangent from the end",
            .source = "G. Blelloch, Prefix sums and their applications, 1990"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_cumulative,
    .evaluate = evaluate_cumulative<false>,
    .vjp = cumsum_vjp,
    .attributes = &attribute_type<ScanAttributes>,
    .default_attributes = &default_attributes_of<ScanAttributes>,
};

constinit const OpDef cumprod_op = {
    .name = "cumprod",
    .doc = {.summary = "Running product along an axis.",
            .formula = "y[i] = Π x[k], k ≤ i",
            .arguments = "x: floating, or integers, whose products are int64 and wrap around; "
                         "axis: negative from the back. float32 is multiplied in float64",
            .gradient = "s[i]·y[i−1] with s[i] = g[i] + x[i+1]·s[i+1]: no division, so zeros are "
                        "like any other number, in every order",
            .source = "G. Blelloch, Prefix sums and their applications, 1990"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .infer = infer_cumulative,
    .evaluate = evaluate_cumulative<true>,
    .vjp = cumprod_vjp,
    .attributes = &attribute_type<ScanAttributes>,
    .default_attributes = &default_attributes_of<ScanAttributes>,
};

}  // namespace ops

Var cumsum(const Var& x, int axis, std::source_location where) {
  return apply(ops::cumsum_op, {&x}, ops::ScanAttributes{axis, false}, where);
}

Var cumprod(const Var& x, int axis, std::source_location where) {
  return apply(ops::cumprod_op, {&x}, ops::ScanAttributes{axis, false}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/order/line_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

OpTests cumulative_tests(const std::function<Var(const Var&, int)>& f, bool product) {
  OpTests tests;
  const auto reference = [product](const std::vector<double>& x) {
    std::vector<double> y;
    for (double v : x) {
      const double before = y.empty() ? (product ? 1.0 : 0.0) : y.back();
      y.push_back(product ? before * v : before + v);
    }
    return y;
  };
  int seed = 0;
  for (const auto& [shape, axis] : line_cases()) {
    const auto call = [f, axis = axis](const Var& x) { return f(x, axis); };
    tests.samples.push_back(
        line_sample("regular", spread(shape, -1.5, 1.5, ++seed), axis, call, reference));
    for (DType dtype : {DType::kInt32, DType::kUint8}) {
      tests.samples.push_back(line_sample("integers", spread(shape, 0, 9, ++seed).to(dtype), axis,
                                          call, reference, DType::kInt64));
    }
  }
  for (const auto& [shape, axis] : long_line_cases()) {
    const auto call = [f, axis = axis](const Var& x) { return f(x, axis); };
    const double low = product ? 0.999 : -1, high = product ? 1.001 : 1;
    tests.samples.push_back(line_sample("long", spread(shape, low, high), axis, call, reference));
    tests.samples.back().step = 1e-5;
    if (product) continue;
    tests.samples.push_back(line_sample("integers", spread(shape, 0, 9).to(DType::kInt32), axis,
                                        call, reference, DType::kInt64));
  }
  for (const std::vector<double>& x : std::vector<std::vector<double>>{
           {2, 0, 3, 4}, {2, 0, 3, 0}, {0, 0, 0, 1}, {0, 2, 3, 4}, {1, 2, 3, 0}}) {
    tests.samples.push_back(line_sample(
        "zeros", Tensor::from(x, {4}), 0, [f](const Var& v) { return f(v, 0); }, reference));
  }
  tests.rejected = line_rejected(f);
  tests.rejected.push_back({"bool", [f] { return f(Tensor::zeros({2}, DType::kBool), 0); },
                            ErrorKind::kDType, "needs numbers, got bool[2]"});
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(cumsum) {
  OpTests tests = cumulative_tests([](const Var& x, int axis) { return cumsum(x, axis); }, false);
  tests.order = 2;
  tests.linear = true;
  return tests;
}

WENGERT_OP_TESTS(cumprod) {
  return cumulative_tests([](const Var& x, int axis) { return cumprod(x, axis); }, true);
}
#endif
