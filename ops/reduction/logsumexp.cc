#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <limits>

#include "wengert/ops/kernels/softmax.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

void evaluate_logsumexp(EvalContext& call) {
  bool reduced[kMaxRank];
  mark_axes(call, call.attributes<ReductionAttributes>().axes, reduced);
  const Rows rows(call.input(0), reduced);
  const TensorView out = call.output();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    // As many rows a task as any CPU level has lanes, so that groups do not straddle tasks.
    constexpr std::int64_t kRows = 64;
    WENGERT_SPLIT(LogSumExpTasks, rows.count(), kRows);
    kernels::parallel_for((rows.count() + kRows - 1) / kRows, [&](std::int64_t task) {
      const std::int64_t first = task * kRows, end = std::min(rows.count(), first + kRows);
      kernels::softmax_kernels<T>().logsumexp(rows.row<T>(first), end - first, rows.length(),
                                              out.as<T>() + first);
    });
  });
}

void logsumexp_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  const Var x = c.input(0), y = with_reduced_axes(c.output(), c.shape(0), attributes);
  const Var g = with_reduced_axes(c.cotangent(), c.shape(0), attributes);
  const Var zero = Tensor::zeros({}, x.dtype());
  const Var lowest = Tensor::full({}, -std::numeric_limits<double>::infinity(), x.dtype());
  // Elements that are ∞ share the result evenly, exp(0) each, instead of exp(∞ − ∞); where all is
  // −∞ nothing flows.
  const Var none = equal(y, lowest);
  const Var infinite = logical_and(is_inf(x), equal(x, y));
  const Var e = exp(where(infinite, zero, x) - where(infinite, zero, y));
  // Scaled to sum 1 again: the rounding of y, large beside small differences, cancels.
  const Var weights = divide_or_zero(e, sum(e, attributes.axes, true));
  c.set(0, cotangent_product(where(none, zero, g), weights));
}

}  // namespace

constinit const OpDef logsumexp_op = {
    .name = "logsumexp",
    .doc = {.summary = "Logarithm of the sum of exponentials over axes, without overflow.",
            .formula = "y = log Σ exp(x) over the given axes",
            .arguments = "x: float32 or float64, −∞ and +∞ allowed; axes: negative from the back, "
                         "all when empty; keepdims keeps them with size 1; over no elements −∞",
            .gradient = "exp(x − y), the softmax; 0 where y is −∞; NaN where y is +∞",
            .source = "P. Blanchard, D. Higham, N. Higham, Accurately computing the log-sum-exp "
                      "and softmax functions, 2021"},
    .differentiable = 1,
    .reads = {reads_input(0) | kReadsOutputs},
    .infer = infer_floating,
    .evaluate = evaluate_logsumexp,
    .vjp = logsumexp_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var logsumexp(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::logsumexp_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(logsumexp) {
  const ReductionCall call = [](const Var& x, const Axes& axes, bool keepdims) {
    return logsumexp(x, axes, keepdims);
  };
  OpTests tests;
  const RowReference reference = [](const std::vector<double>& values) {
    long double total = 0;
    for (double v : values) total += std::exp(static_cast<long double>(v));
    return static_cast<double>(std::log(total));
  };
  tests.samples = reduction_samples(call, reference, -3, 3, true);
  for (Sample& sample : tests.samples) sample.scale = 1;
  add_long_samples(tests, call, reference, -3, 3, 1);
  const auto all = [](std::span<const Var> x) { return std::vector<Var>{logsumexp(x[0])}; };
  const auto total = [](const Var& x) { return logsumexp(x); };
  const double two = std::log(2.0);
  const auto fixed = [&](const char* name, std::vector<double> x, double value,
                         std::vector<double> gradient) {
    const Tensor at = Tensor::from(x, {static_cast<std::int64_t>(x.size())});
    tests.samples.push_back(fixed_sample(name, {at}, all, {Tensor::scalar(value)}));
    tests.samples.push_back(gradient_sample(name, at, total, gradient));
  };
  fixed("large", {1e4, 1e4, -1e4}, 1e4 + two, {.5, .5, 0});
  fixed("small", {-1e4, -1e4}, -1e4 + two, {.5, .5});
  fixed("one masked", {-kInfinity, 0, 0}, two, {0, .5, .5});
  fixed("all masked", {-kInfinity, -kInfinity}, -kInfinity, {0, 0});
  fixed("infinite", {kInfinity, 1}, kInfinity, {1, 0});
  fixed("infinite ones", {kInfinity, 1, kInfinity}, kInfinity, {.5, 0, .5});
  // Rows too wide for a lane each have kernels of their own.
  constexpr std::size_t kWide = 70;
  fixed("all of a wide row masked", std::vector<double>(kWide, -kInfinity), -kInfinity,
        std::vector<double>(kWide, 0));
  fixed("NaN", {kNan, 1}, kNan, {kNan, kNan});
  tests.rejected = reduction_rejected(call);
  tests.rejected.push_back({"integers", [] { return logsumexp(Tensor::zeros({2}, DType::kInt32)); },
                            ErrorKind::kDType, "needs float32 or float64, got i32[2]"});
  tests.ulps32 = tests.ulps64 = 8;
  return tests;
}
#endif
