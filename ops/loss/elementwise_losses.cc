#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/loss/losses.h"

namespace wengert {
namespace ops {
namespace {

void infer_pair(InferContext& call) {
  call.require_same_dtype(0, 1);
  call.require_floating(0);
  if (!(call.shape(0) == call.shape(1))) {
    call.fail(ErrorKind::kShape, "shapes differ: " + call.describe(0) + " and " + call.describe(1),
              "a loss does not broadcast: use reshape or expand_dims");
  }
  output_of_loss(call, call.shape(0));
}

template <class F>
void evaluate_pair(EvalContext& call, const F& loss) {
  const DenseInput a(call.input(0)), b(call.input(1));
  const TensorView out = call.output();
  const std::int64_t n = a.view().count();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    std::vector<T> losses(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      losses[static_cast<std::size_t>(i)] = loss(a.view().as<T>()[i], b.view().as<T>()[i]);
    }
    reduce_losses(losses.data(), n, call.attributes<LossAttributes>().reduction, out.as<T>());
  });
}

void evaluate_squared(EvalContext& call) {
  evaluate_pair(call, []<class T>(T p, T t) { return (p - t) * (p - t); });
}

void squared_vjp(VjpContext& c) {
  const Var g = cotangent_of_losses(c, element_count(c.shape(0)));
  const Var slope = cotangent_product(2.0 * g, c.input(0) - c.input(1));
  if (c.needs(0)) c.set(0, slope);
  if (c.needs(1)) c.set(1, -slope);
}

/// t·softplus(−x) + (1 − t)·softplus(x), with the large part of softplus taken out exactly.
template <class T>
T bce_loss(T x, T t) {
  const T weight = x > 0 ? 1 - t : -t;
  const T large = weight == 0 ? T(0) : weight * x;
  return large + std::log1p(std::exp(-std::fabs(x)));
}

void evaluate_bce(EvalContext& call) {
  evaluate_pair(call, []<class T>(T x, T t) { return bce_loss(x, t); });
}

/// 1/(1 + exp(−x)) without overflow, in ops: right in every order.
Var stable_sigmoid(const Var& x) {
  const Var zero = Tensor::zeros({}, x.dtype()), one = Tensor::full({}, 1, x.dtype());
  const Var positive = greater(x, zero);
  const Var e = exp(where(positive, -x, x));
  return where(positive, one, e) / (one + e);
}

void bce_vjp(VjpContext& c) {
  const Var g = cotangent_of_losses(c, element_count(c.shape(0)));
  if (c.needs(0)) {
    c.set(0, cotangent_product(g, stable_sigmoid(c.input(0)) - c.input(1)));
  }
  if (c.needs(1)) c.set(1, cotangent_product(g, -c.input(0)));
}

}  // namespace

constinit const OpDef mean_squared_error_op = {
    .name = "mean_squared_error",
    .doc = {.summary = "Squared error, averaged over all elements unless told otherwise.",
            .formula = "y = (1/n)·Σ (prediction − target)²",
            .arguments =
                "prediction, target: float32 or float64 of one dtype and shape; reduction: "
                "mean (NaN over none), sum, or none",
            .gradient = "∂prediction: 2·(prediction − target)/n, ∂target: its negative",
            .source = "C. F. Gauss, Theoria combinationis observationum, 1823"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 3,
    .reads = {reads_input(0) | reads_input(1), reads_input(0) | reads_input(1)},
    .infer = infer_pair,
    .evaluate = evaluate_squared,
    .vjp = squared_vjp,
    .attributes = &attribute_type<LossAttributes>,
    .default_attributes = &default_attributes_of<LossAttributes>,
};

constinit const OpDef bce_with_logits_op = {
    .name = "bce_with_logits",
    .doc = {.summary =
                "Binary cross-entropy of sigmoid(logits), from the logits, without overflow.",
            .formula = "y = (1/n)·Σ max(x, 0) − x·t + log(1 + exp(−|x|))",
            .arguments = "logits x, targets t (probabilities): float32 or float64 of one dtype and "
                         "shape; reduction: mean (NaN over none), sum, or none. An infinite logit "
                         "on the target's side costs 0",
            .gradient = "∂x: (sigmoid(x) − t)/n, ∂t: −x/n",
            .source = "D. R. Cox, The regression analysis of binary sequences, 1958"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 3,
    .reads = {reads_input(0) | reads_input(1), reads_input(0)},
    .infer = infer_pair,
    .evaluate = evaluate_bce,
    .vjp = bce_vjp,
    .attributes = &attribute_type<LossAttributes>,
    .default_attributes = &default_attributes_of<LossAttributes>,
};

}  // namespace ops

Var mean_squared_error(const Var& prediction, const Var& target, Reduction reduction,
                       std::source_location where) {
  return apply(ops::mean_squared_error_op, {&prediction, &target}, ops::LossAttributes{reduction},
               where);
}

Var bce_with_logits(const Var& logits, const Var& targets, Reduction reduction,
                    std::source_location where) {
  return apply(ops::bce_with_logits_op, {&logits, &targets}, ops::LossAttributes{reduction}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/loss/loss_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

using PairLoss = std::function<Var(const Var&, const Var&, Reduction)>;

OpTests pair_tests(const PairLoss& f, const std::function<double(double, double)>& loss, double low,
                   double high) {
  OpTests tests;
  int seed = 0;
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 4}, Shape{0, 2}, kLongVector}) {
    for (Reduction reduction : {Reduction::kMean, Reduction::kSum, Reduction::kNone}) {
      Sample sample;
      sample.name = to_string(shape) + name_of_reduction(reduction);
      sample.inputs = {spread(shape, -3, 3, ++seed), spread(shape, low, high, seed + 50)};
      sample.call = [=](std::span<const Var> x) {
        return std::vector<Var>{f(x[0], x[1], reduction)};
      };
      sample.reference = [=](std::span<const Tensor> x) {
        std::vector<double> losses;
        for (std::int64_t i = 0; i < x[0].element_count(); ++i) {
          losses.push_back(loss(x[0].at(i), x[1].at(i)));
        }
        return std::vector<Tensor>{reduced(losses, x[0].shape(), reduction)};
      };
      sample.scale = 1;
      tests.samples.push_back(std::move(sample));
    }
  }
  const auto call = [f](const Tensor& a, const Tensor& b) {
    return [=] { return f(a, b, Reduction::kMean); };
  };
  const auto zeros = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Tensor::zeros(shape, dtype);
  };
  tests.rejected = {{"shapes", call(zeros({2, 3}), zeros({3})), ErrorKind::kShape,
                     "shapes differ: f32[2,3] and f32[3]"},
                    {"dtypes", call(zeros({2}), zeros({2}, DType::kFloat64)), ErrorKind::kDType,
                     "mixed dtypes: f32[2] and f64[2]"},
                    {"integers", call(zeros({2}, DType::kInt32), zeros({2}, DType::kInt32)),
                     ErrorKind::kDType, "needs float32 or float64, got i32[2]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(mean_squared_error) {
  OpTests tests = pair_tests(
      [](const Var& a, const Var& b, Reduction r) { return mean_squared_error(a, b, r); },
      [](double p, double t) { return (p - t) * (p - t); }, -3, 3);
  for (Sample& sample : tests.samples) sample.scale = 36;
  return tests;
}

WENGERT_OP_TESTS(bce_with_logits) {
  OpTests tests =
      pair_tests([](const Var& a, const Var& b, Reduction r) { return bce_with_logits(a, b, r); },
                 [](double x, double t) {
                   const double p = 1 / (1 + std::exp(-x));
                   return -t * std::log(p) - (1 - t) * std::log(1 - p);
                 },
                 0.05, 0.95);
  const auto special = [&](double x, double t, double value, double gradient) {
    tests.specials.push_back({{x, t}, value, {gradient, -x}});
  };
  special(1e4, 1, 0, 0);
  special(1e4, 0, 1e4, 1);
  special(-1e4, 0, 0, 0);
  special(-1e4, 1, 1e4, -1);
  special(0, 0.5, std::log(2.0), 0);
  special(800, 0.25, 600, 0.75);
  special(kInfinity, 1, 0, 0);
  special(-kInfinity, 0, 0, 0);
  special(-kInfinity, 1, kInfinity, -1);
  return tests;
}
#endif
