#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cmath>
#include <limits>

#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct VarianceAttributes {
  ReductionAttributes over;
  std::int64_t correction = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    ReductionAttributes::visit(self.over, v);
    v("correction", self.correction);
  }
};

void infer_variance(InferContext& call) {
  const auto& attributes = call.attributes<VarianceAttributes>();
  call.require_floating(0);
  if (attributes.correction < 0) {
    call.fail(ErrorKind::kValue, "negative correction " + std::to_string(attributes.correction),
              "0 divides by n (biased), 1 by n − 1 (unbiased)");
  }
  call.output(call.dtype(0), reduce(call, call.canonical<VarianceAttributes>().over));
}

/// What the squares are divided by: n − correction, and 0, which gives NaN, where none is left.
double divisor(std::int64_t n, std::int64_t correction) {
  return static_cast<double>(std::max<std::int64_t>(0, n - correction));
}

/// The root of the variance in double, of elements moved to the middle of their range and scaled by
/// half of it: neither sums nor squares leave the range that the result lies in, and equal elements
/// have none.
template <class T>
double scaled_spread(const T* x, std::int64_t n, std::int64_t correction) {
  double low = static_cast<double>(x[0]), high = low;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<double>(x[i]);
    if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low == high) return 0;
  const double middle = low / 2 + high / 2, half = high / 2 - low / 2;
  const auto place = [&](std::int64_t i) { return (static_cast<double>(x[i]) - middle) / half; };
  double mean = 0, total = 0;
  for (std::int64_t i = 0; i < n; ++i) mean += place(i) / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i) total += (place(i) - mean) * (place(i) - mean);
  return half * std::sqrt(total / divisor(n, correction));
}

template <bool kRoot>
struct Spread {
  static constexpr bool kFloatingOnly = true;
  std::int64_t correction;
  template <class T>
  T operator()(const T* x, std::int64_t n) const {
    const auto& kernels = kernels::row_kernels<T>();
    const T mean = n == 0 ? T(0) : kernels.sum(x, n) / static_cast<T>(n);
    const T variance = kernels.squares(x, n, mean) / static_cast<T>(divisor(n, correction));
    // Beyond, squares of elements or their sum have overflowed, or lost digits by underflow.
    constexpr double kLeast = sizeof(T) == 4 ? 1e-26 : 1e-280,
                     kMost = sizeof(T) == 4 ? 1e36 : 1e300;
    if (n > correction && !(variance > kLeast && variance < kMost)) [[unlikely]] {
      const double root = scaled_spread(x, n, correction);
      return static_cast<T>(kRoot ? root : root * root);
    }
    return kRoot ? std::sqrt(variance) : variance;
  }
};

template <bool kRoot>
void evaluate_variance(EvalContext& call) {
  const auto& attributes = call.attributes<VarianceAttributes>();
  evaluate_rows(call, attributes.over.axes, Spread<kRoot>{attributes.correction});
}

void variance_vjp(VjpContext& c) {
  const auto& [over, correction] = c.attributes<VarianceAttributes>();
  const std::int64_t n = reduced_count(c.shape(0), over.axes);
  if (n == 0) return;  // x has no elements
  const Var x = c.input(0);
  const Var slope = (x - mean(x, over.axes, true)) * (2 / divisor(n, correction));
  c.set(0, cotangent_product(with_reduced_axes(c.cotangent(), c.shape(0), over), slope));
}

void standard_deviation_vjp(VjpContext& c) {
  const auto& [over, correction] = c.attributes<VarianceAttributes>();
  const std::int64_t n = reduced_count(c.shape(0), over.axes);
  if (n == 0) return;  // x has no elements
  const Var x = c.input(0), y = with_reduced_axes(c.output(), c.shape(0), over);
  const Var slope = divide_or_zero(x - mean(x, over.axes, true), y) / divisor(n, correction);
  c.set(0, cotangent_product(with_reduced_axes(c.cotangent(), c.shape(0), over), slope));
}

}  // namespace

constinit const OpDef variance_op = {
    .name = "variance",
    .doc = {.summary = "Variance over axes.",
            .formula = "y = Σ (x − mean x)²/(n − correction) over the given axes, n elements",
            .arguments = "x: float32 or float64; axes: negative from the back, all when empty; "
                         "keepdims keeps them with size 1; correction ≥ 0: 0 biased, 1 unbiased; "
                         "NaN where n ≤ correction",
            .gradient = "2·(x − mean x)/(n − correction)",
            .source = "two passes: T. Chan, G. Golub, R. LeVeque, Algorithms for computing the "
                      "sample variance, 1983"},
    .differentiable = 1,
    .reads = {reads_input(0)},
    .infer = infer_variance,
    .evaluate = evaluate_variance<false>,
    .vjp = variance_vjp,
    .attributes = &attribute_type<VarianceAttributes>,
    .default_attributes = &default_attributes_of<VarianceAttributes>,
};

constinit const OpDef standard_deviation_op = {
    .name = "standard_deviation",
    .doc = {.summary = "Standard deviation over axes.",
            .formula = "y = √(Σ (x − mean x)²/(n − correction)) over the given axes, n elements",
            .arguments = "x: float32 or float64; axes: negative from the back, all when empty; "
                         "keepdims keeps them with size 1; correction ≥ 0: 0 biased, 1 unbiased; "
                         "NaN where n ≤ correction",
            .gradient = "(x − mean x)/((n − correction)·y), and 0 where y is 0",
            .source = "two passes: T. Chan, G. Golub, R. LeVeque, Algorithms for computing the "
                      "sample variance, 1983"},
    .differentiable = 1,
    .reads = {reads_input(0) | kReadsOutputs},
    .infer = infer_variance,
    .evaluate = evaluate_variance<true>,
    .vjp = standard_deviation_vjp,
    .attributes = &attribute_type<VarianceAttributes>,
    .default_attributes = &default_attributes_of<VarianceAttributes>,
};

}  // namespace ops

Var variance(const Var& x, const Axes& axes, bool keepdims, std::int64_t correction,
             std::source_location where) {
  return apply(ops::variance_op, {&x}, ops::VarianceAttributes{{axes, keepdims}, correction},
               where);
}

Var standard_deviation(const Var& x, const Axes& axes, bool keepdims, std::int64_t correction,
                       std::source_location where) {
  return apply(ops::standard_deviation_op, {&x},
               ops::VarianceAttributes{{axes, keepdims}, correction}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

double textbook_variance(const std::vector<double>& values, int correction) {
  long double mean = 0, squares = 0;
  for (double v : values) mean += v / static_cast<long double>(values.size());
  for (double v : values) squares += (v - mean) * (v - mean);
  const double left = static_cast<double>(values.size()) - correction;
  return left <= 0 ? kNan : static_cast<double>(squares / left);
}

using CorrectedCall = std::function<Var(const Var&, const Axes&, bool, std::int64_t)>;

OpTests spread_tests(const CorrectedCall& f, bool root) {
  OpTests tests;
  for (int correction : {0, 1}) {
    const ReductionCall call = [f, correction](const Var& x, const Axes& axes, bool keepdims) {
      return f(x, axes, keepdims, correction);
    };
    const RowReference reference = [correction, root](const std::vector<double>& v) {
      const double variance = textbook_variance(v, correction);
      return root ? std::sqrt(variance) : variance;
    };
    for (Sample& sample : reduction_samples(call, reference, -1, 3, true)) {
      // One element has no spread: a kink, or NaN.
      sample.smooth =
          sample.inputs[0].rank() > 0 && sample.name.find("[2,1,3]") == std::string::npos;
      sample.name += " correction " + std::to_string(correction);
      sample.scale = 1;
      tests.samples.push_back(std::move(sample));
    }
    if (correction == 1) add_long_samples(tests, call, reference, -1, 3, 1);
  }
  const ReductionCall plain = [f](const Var& x, const Axes& axes, bool keepdims) {
    return f(x, axes, keepdims, 0);
  };
  const auto all = [plain](const Var& x) { return plain(x, {}, false); };
  tests.samples.push_back(
      gradient_sample("no spread", Tensor::full({3}, 2, DType::kFloat64), all, {0, 0, 0}));
  tests.samples.push_back(
      fixed_sample("far from zero", {Tensor::from({1048576., 1048577., 1048578.}, {3})},
                   [all](std::span<const Var> x) { return std::vector<Var>{all(x[0])}; },
                   {Tensor::scalar(root ? std::sqrt(2.0 / 3) : 2.0 / 3)}));
  const auto fixed = [&](const char* name, const Tensor& at, double value) {
    tests.samples.push_back(fixed_sample(
        name, {at}, [all](std::span<const Var> x) { return std::vector<Var>{all(x[0])}; },
        {Tensor::scalar(value)}));
  };
  fixed("NaN", Tensor::from({1., kNan, 2.}, {3}), kNan);
  fixed("NaN first", Tensor::from({kNan, kNan}, {2}), kNan);
  fixed("infinite", Tensor::from({1., kInfinity}, {2}), kNan);
  fixed("49 ones", Tensor::full({49}, 1, DType::kFloat64), 0);
  tests.rejected = reduction_rejected(plain);
  tests.rejected.push_back({"negative correction",
                            [f] { return f(Tensor::zeros({2}, DType::kFloat32), {}, false, -1); },
                            ErrorKind::kValue, "negative correction -1"});
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(variance) {
  return spread_tests(
      [](const Var& x, const Axes& axes, bool keepdims, std::int64_t correction) {
        return variance(x, axes, keepdims, correction);
      },
      false);
}

WENGERT_OP_TESTS(standard_deviation) {
  return spread_tests(
      [](const Var& x, const Axes& axes, bool keepdims, std::int64_t correction) {
        return standard_deviation(x, axes, keepdims, correction);
      },
      true);
}
#endif
