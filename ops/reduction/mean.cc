#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

/// The mean of a row whose sum leaves T's range, which long double holds.
template <class T>
T wide_mean(const T* x, std::int64_t n) {
  long double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += static_cast<long double>(x[i]);
  return static_cast<T>(total / static_cast<long double>(n));
}

void evaluate_mean(EvalContext& call) {
  const Axes& axes = call.attributes<ReductionAttributes>().axes;
  sum_over_axes(call, axes);
  const TensorView out = call.output();
  const std::int64_t n = reduced_count(call.shape(0), axes), results = out.count();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < results; ++i) out.as<T>()[i] /= static_cast<T>(n);
    const auto is_wide = [&](std::int64_t i) { return !std::isfinite(out.as<T>()[i]); };
    std::int64_t first = 0;
    while (first < results && !is_wide(first)) ++first;
    if (first == results || n == 0) return;
    bool reduced[kMaxRank];
    mark_axes(call, axes, reduced);
    const Rows rows(call.input(0), reduced);
    rows.for_each([&](std::int64_t i) {
      if (is_wide(i)) out.as<T>()[i] = wide_mean(rows.row<T>(i), n);
    });
  });
}

void mean_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  const auto n = static_cast<double>(reduced_count(c.shape(0), attributes.axes));
  if (n == 0) return;  // x has no elements
  c.set(0, broadcast_to(with_reduced_axes(c.cotangent() / n, c.shape(0), attributes), c.shape(0)));
}

}  // namespace

constinit const OpDef mean_op = {
    .name = "mean",
    .doc = {.summary = "Arithmetic mean over axes.",
            .formula = "y = (1/n)·Σ x over the given axes, n elements",
            .arguments = "x: float32 or float64; axes: negative from the back, all when empty; "
                         "keepdims keeps them with size 1; over no elements the mean is NaN",
            .gradient = "the cotangent over n, repeated along the axes",
            .source = "N. Higham, The accuracy of floating point summation, 1993 (pairwise)"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_floating,
    .evaluate = evaluate_mean,
    .vjp = mean_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var mean(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::mean_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(mean) {
  const ReductionCall call = [](const Var& x, const Axes& axes, bool keepdims) {
    return mean(x, axes, keepdims);
  };
  const RowReference reference = [](const std::vector<double>& values) {
    long double total = 0;
    for (double v : values) total += v;
    return static_cast<double>(total / static_cast<long double>(values.size()));
  };
  OpTests tests;
  tests.samples = reduction_samples(call, reference, -1, 1, true);
  for (Sample& sample : tests.samples) sample.scale = 1;
  add_long_samples(tests, call, reference, -1, 1, 1);
  tests.rejected = reduction_rejected(call);
  tests.rejected.push_back({"integers", [] { return mean(Tensor::zeros({2}, DType::kInt32)); },
                            ErrorKind::kDType, "needs float32 or float64, got i32[2]"});
  tests.ulps32 = tests.ulps64 = 8;
  tests.order = 2;
  tests.linear = true;
  return tests;
}
#endif
