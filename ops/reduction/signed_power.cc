#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct PowerAttributes {
  double exponent;
  bool odd;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("exponent", self.exponent);
    v("odd", self.odd);
  }
};

void infer_power(InferContext& call) {
  call.require_floating(0);
  const double exponent = call.attributes<PowerAttributes>().exponent;
  if (!std::isfinite(exponent)) {
    call.fail(ErrorKind::kValue, "the exponent must be finite, got " + std::to_string(exponent));
  }
  call.output(call.dtype(0), call.shape(0));
}

double signed_power_of(double x, double exponent, bool odd) {
  if (x != x) return x;
  if (x == 0 && (odd || exponent != 0)) return 0;
  const double magnitude = std::pow(std::fabs(x), exponent);
  return odd && x < 0 ? -magnitude : magnitude;
}

void evaluate_power(EvalContext& call) {
  const auto& attributes = call.attributes<PowerAttributes>();
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const std::int64_t n = out.count();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < n; ++i) {
      out.as<T>()[i] =
          static_cast<T>(signed_power_of(x.view().as<T>()[i], attributes.exponent, attributes.odd));
    }
  });
}

void power_vjp(VjpContext& c) {
  const auto& [exponent, odd] = c.attributes<PowerAttributes>();
  if (exponent == 0) {
    c.set(0, Tensor::zeros(c.shape(0), c.dtype(0)));  // flat on either side of 0
    return;
  }
  const Var slope = signed_power(c.input(0), exponent - 1, !odd) * exponent;
  c.set(0, cotangent_product(c.cotangent(), slope));
}

}  // namespace

constinit const OpDef signed_power_op = {
    .name = "signed_power",
    .doc = {.summary = "A power of the magnitude, with x's sign when odd.",
            .formula = "y = |x|^e, or sign(x)·|x|^e when odd",
            .arguments = "x: float32 or float64; e: finite. At x = 0 the value is 0, also for "
                         "e < 0; only the even e = 0 gives 1 there. NaN stays NaN",
            .gradient = "e·|x|^(e−1), times sign(x) when not odd: 0 at x = 0 by the same "
                        "convention, but e for the odd e = 1",
            .source = "the engine's own; derivatives of norms are made of it"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .infer = infer_power,
    .evaluate = evaluate_power,
    .vjp = power_vjp,
    .attributes = &attribute_type<PowerAttributes>,
};

}  // namespace ops

Var signed_power(const Var& x, double exponent, bool odd, std::source_location where) {
  return apply(ops::signed_power_op, {&x}, ops::PowerAttributes{exponent, odd}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(signed_power) {
  OpTests tests;
  int seed = 0;
  for (double exponent : {0.0, 1.0, 2.0, 2.5, 0.5, -1.0, -0.5}) {
    for (bool odd : {false, true}) {
      for (const Shape& shape : {Shape{}, Shape{7}, Shape{2, 3}, Shape{0}, kLongVector}) {
        for (double sign : {1.0, -1.0}) {
          Sample sample;
          sample.name = to_string(shape) + " to " + std::to_string(exponent) + (odd ? " odd" : "");
          sample.inputs = {spread(shape, sign > 0 ? 0.3 : -2, sign > 0 ? 2 : -0.3, ++seed)};
          sample.call = [exponent, odd](std::span<const Var> x) {
            return std::vector<Var>{signed_power(x[0], exponent, odd)};
          };
          sample.reference = [exponent, odd](std::span<const Tensor> x) {
            return std::vector<Tensor>{map(x, [&](std::span<const double> v) {
              return std::pow(std::fabs(v[0]), exponent) * (odd ? std::copysign(1.0, v[0]) : 1.0);
            })};
          };
          tests.samples.push_back(std::move(sample));
        }
      }
    }
  }
  const auto at_zero = [&](double exponent, bool odd, double value, double gradient) {
    const std::string name = "0 to " + std::to_string(exponent) + (odd ? " odd" : "");
    const auto call = [exponent, odd](const Var& x) { return signed_power(x, exponent, odd); };
    tests.samples.push_back(
        fixed_sample(name, {Tensor::scalar(0.0)},
                     [call](std::span<const Var> x) { return std::vector<Var>{call(x[0])}; },
                     {Tensor::scalar(value)}));
    tests.samples.push_back(gradient_sample(name, Tensor::scalar(0.0), call, {gradient}));
  };
  at_zero(0, false, 1, 0);
  at_zero(0, true, 0, 0);
  at_zero(1, true, 0, 1);
  at_zero(1, false, 0, 0);
  at_zero(0.5, true, 0, 0);
  at_zero(-1, false, 0, 0);
  const auto bad = [](double e) {
    return [e] { return signed_power(Tensor::zeros({2}, DType::kFloat32), e, false); };
  };
  tests.rejected = {
      {"infinite", bad(kInfinity), ErrorKind::kValue, "the exponent must be finite, got inf"},
      {"NaN", bad(kNan), ErrorKind::kValue, "the exponent must be finite, got nan"},
      {"integers", [] { return signed_power(Tensor::zeros({2}, DType::kInt32), 1, false); },
       ErrorKind::kDType, "needs float32 or float64, got i32[2]"}};
  return tests;
}
#endif
