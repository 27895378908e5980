#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cmath>

#include "wengert/graph/text.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct NormAttributes {
  double p = 2;
  ReductionAttributes over;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("p", self.p);
    ReductionAttributes::visit(self.over, v);
  }
};

void infer_norm(InferContext& call) {
  const auto& attributes = call.attributes<NormAttributes>();
  call.require_floating(0);
  if (!(attributes.p > 0)) {
    call.fail(ErrorKind::kValue, "p must be positive, got " + format_number(attributes.p),
              "1, 2, infinity or any other p > 0; count_nonzero counts");
  }
  call.output(call.dtype(0), reduce(call, call.canonical<NormAttributes>().over));
}

/// Σ term(i) over [begin, end), pairwise over blocks of four sums side by side.
template <class Term>
double sum_terms(std::int64_t begin, std::int64_t end, const Term& term) {
  constexpr std::int64_t kBlock = 256;
  if (end - begin > kBlock) {
    std::int64_t half = kBlock;
    while (half * 2 < end - begin) half *= 2;
    return sum_terms(begin, begin + half, term) + sum_terms(begin + half, end, term);
  }
  double totals[4] = {};
  std::int64_t i = begin;
  for (; i + 4 <= end; i += 4) {
    for (int k = 0; k < 4; ++k) totals[k] += term(i + k);
  }
  for (; i < end; ++i) totals[0] += term(i);
  return (totals[0] + totals[1]) + (totals[2] + totals[3]);
}

/// In double, scaled by the largest element where powers could overflow or vanish.
struct Norm {
  static constexpr bool kFloatingOnly = true;
  double p;
  template <class T>
  T operator()(const T* x, std::int64_t n) const {
    double most = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double magnitude = std::fabs(static_cast<double>(x[i]));
      if (magnitude != magnitude) return x[i];
      most = std::max(most, magnitude);
    }
    if (most == 0 || std::isinf(most) || std::isinf(p)) return static_cast<T>(most);
    const auto magnitude = [x](std::int64_t i) { return std::fabs(static_cast<double>(x[i])); };
    if (p == 1) return static_cast<T>(sum_terms(0, n, magnitude));
    if (p == 2) {
      const double scale = most < 1e140 && most > 1e-140 ? 1 : most;
      const auto squared = [&](std::int64_t i) {
        const double u = magnitude(i) / scale;
        return u * u;
      };
      return static_cast<T>(scale * std::sqrt(sum_terms(0, n, squared)));
    }
    const auto powered = [&](std::int64_t i) { return std::pow(magnitude(i) / most, p); };
    return static_cast<T>(most * std::pow(sum_terms(0, n, powered), 1 / p));
  }
};

void evaluate_norm(EvalContext& call) {
  const auto& attributes = call.attributes<NormAttributes>();
  evaluate_rows(call, attributes.over.axes, Norm{attributes.p});
}

void norm_vjp(VjpContext& c) {
  const auto& [p, over] = c.attributes<NormAttributes>();
  const Var x = c.input(0), y = with_reduced_axes(c.output(), c.shape(0), over);
  const Var g = with_reduced_axes(c.cotangent(), c.shape(0), over);
  if (p == 1) {
    c.set(0, cotangent_product(g, signed_power(x, 0, true)));
  } else if (p == 2) {
    c.set(0, cotangent_product(g, divide_or_zero(x, y)));
  } else if (std::isinf(p)) {
    const Var zero = Tensor::zeros({}, x.dtype()), one = Tensor::full({}, 1, x.dtype());
    const Var chosen = equal(signed_power(x, 1, false), y);
    const Var share = divide_or_zero(one, sum(where(chosen, one, zero), over.axes, true));
    c.set(0, where(chosen, cotangent_product(g * share, signed_power(x, 0, true)), zero));
  } else {
    // sign(x)·(|x|/y)^(p−1), and 0 where y is 0.
    c.set(0, cotangent_product(g, signed_power(divide_or_zero(x, y), p - 1, true)));
  }
}

}  // namespace

constinit const OpDef norm_op = {
    .name = "norm",
    .doc = {.summary = "p-norm over axes, without overflow on the way.",
            .formula = "y = (Σ |x|^p)^(1/p); for p = ∞ max |x|",
            .arguments = "x: float32 or float64; p > 0, infinity too (below 1 it is no norm, but "
                         "defined); axes: negative from the back, all when empty; keepdims keeps "
                         "them with size 1; over no elements the norm is 0; NaN wins",
            .gradient = "sign(x)·(|x|/y)^(p−1): for p = 1 sign(x), for p = 2 x/y, for p = ∞ "
                        "sign(x) shared evenly by the elements with |x| = y; the subgradient 0 at "
                        "x = 0 and where y = 0, for p < 1 too",
            .source = "J. Blue, A portable Fortran program to find the Euclidean norm of a "
                      "vector, 1978 (scaling)"},
    .differentiable = 1,
    .reads = {reads_input(0) | kReadsOutputs},
    .infer = infer_norm,
    .evaluate = evaluate_norm,
    .vjp = norm_vjp,
    .attributes = &attribute_type<NormAttributes>,
    .default_attributes = &default_attributes_of<NormAttributes>,
};

}  // namespace ops

Var norm(const Var& x, const Axes& axes, bool keepdims, double p, std::source_location where) {
  return apply(ops::norm_op, {&x}, ops::NormAttributes{p, {axes, keepdims}}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(norm) {
  OpTests tests;
  const auto call = [](double p) -> ReductionCall {
    return
        [p](const Var& x, const Axes& axes, bool keepdims) { return norm(x, axes, keepdims, p); };
  };
  for (double p : {1.0, 2.0, kInfinity, 3.0, 1.5}) {
    const RowReference reference = [p](const std::vector<double>& values) {
      long double total = 0;
      for (double v : values) {
        const double magnitude = std::fabs(v);
        total = std::isinf(p) ? std::max<long double>(total, magnitude)
                              : total + std::pow(magnitude, p);
      }
      return static_cast<double>(std::isinf(p) ? total : std::pow(total, 1 / p));
    };
    // Positive, so away from the kinks at 0, and then with signs.
    for (Sample& sample : reduction_samples(call(p), reference, 0.2, 2, true)) {
      sample.name += " p = " + std::to_string(p);
      if (sample.inputs[0].element_count() > 40) sample.smooth = false;
      tests.samples.push_back(std::move(sample));
    }
    if (p != 1.5) {  // the largest elements lie near each other
      add_long_samples(tests, call(p), reference, 0.2, 2, 1, std::isinf(p) ? 1e-6 : 1e-3);
    }
    tests.samples.push_back(reduction_sample(
        {{2, 3}, {1}}, Tensor::from({-1., .5, 2., 3., -.25, -2.}, {2, 3}), call(p), reference));
    const auto all = [p](const Var& x) { return norm(x, {}, false, p); };
    tests.samples.push_back(gradient_sample("at 0, p = " + std::to_string(p),
                                            Tensor::from({0., 0.}, {2}), all, {0, 0}));
    tests.samples.push_back(fixed_sample(
        "infinite, p = " + std::to_string(p), {Tensor::from({1., -kInfinity}, {2})},
        [p](std::span<const Var> x) { return std::vector<Var>{norm(x[0], {}, false, p)}; },
        {Tensor::scalar(kInfinity)}));
  }
  tests.samples.push_back(gradient_sample("3-4-5", Tensor::from({3., -4.}, {2}),
                                          [](const Var& x) { return norm(x); }, {.6, -.8}));
  tests.samples.push_back(
      gradient_sample("infinity, ties", Tensor::from({3., -3., 1.}, {3}),
                      [](const Var& x) { return norm(x, {}, false, kInfinity); }, {.5, -.5, 0}));
  tests.samples.push_back(gradient_sample("1, with a zero", Tensor::from({3., 0., -1.}, {3}),
                                          [](const Var& x) { return norm(x, {}, false, 1); },
                                          {1, 0, -1}));
  tests.rejected = reduction_rejected(call(2));
  const auto bad = [](double p) {
    return [p] { return norm(Tensor::zeros({2}, DType::kFloat32), {}, false, p); };
  };
  tests.rejected.push_back({"p = 0", bad(0), ErrorKind::kValue, "p must be positive, got 0"});
  tests.rejected.push_back(
      {"p = -inf", bad(-kInfinity), ErrorKind::kValue, "p must be positive, got -inf"});
  tests.rejected.push_back({"NaN", bad(kNan), ErrorKind::kValue, "p must be positive, got nan"});
  tests.rejected.push_back({"integers", [] { return norm(Tensor::zeros({2}, DType::kInt32)); },
                            ErrorKind::kDType, "needs float32 or float64, got i32[2]"});
  tests.ulps32 = tests.ulps64 = 8;
  tests.order = 2;
  return tests;
}
#endif
