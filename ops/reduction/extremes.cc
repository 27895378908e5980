#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>

#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

template <bool kLargest>
struct Extreme {
  template <class T>
  void operator()(const T* x, std::int64_t rows, std::int64_t n, T* to) const {
    if constexpr (std::is_floating_point_v<T>) {
      const auto& kernels = kernels::row_kernels<T>();
      (kLargest ? kernels.maxima : kernels.minima)(x, rows, n, to);
    } else {
      for (std::int64_t r = 0; r < rows; ++r, x += n) {
        to[r] = kLargest ? *std::max_element(x, x + n) : *std::min_element(x, x + n);
      }
    }
  }
};

template <bool kLargest>
void evaluate_extreme(EvalContext& call) {
  bool reduced[kMaxRank];
  mark_axes(call, call.attributes<ReductionAttributes>().axes, reduced);
  const Rows rows(call.input(0), reduced);
  const TensorView out = call.output();
  constexpr std::int64_t kPart = 32768;  // elements a task: some microseconds of work
  const std::int64_t part = std::max<std::int64_t>(1, kPart / rows.length());
  WENGERT_SPLIT(ExtremeTasks, rows.count(), part);
  dispatch(out.dtype, [&]<class T>(T) {
    kernels::parallel_for((rows.count() + part - 1) / part, [&](std::int64_t task) {
      const std::int64_t first = task * part, count = std::min(part, rows.count() - first);
      Extreme<kLargest>{}(rows.row<T>(first), count, rows.length(), out.as<T>() + first);
    });
  });
}

/// The cotangent shared evenly by the elements that equal the result; NaN to those that are NaN.
void extreme_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  const Var x = c.input(0), y = with_reduced_axes(c.output(), c.shape(0), attributes);
  const Var zero = Tensor::zeros({}, x.dtype()), one = Tensor::full({}, 1, x.dtype());
  const Var chosen = equal(x, y);
  const Var ties = sum(where(chosen, one, zero), attributes.axes, true);
  const Var g = with_reduced_axes(c.cotangent(), c.shape(0), attributes);
  const Var share = where(chosen, divide_or_zero(one, ties), where(is_nan(x), x, zero));
  c.set(0, cotangent_product(g, share));
}

}  // namespace

constinit const OpDef max_op = {
    .name = "max",
    .doc = {.summary = "Largest element over axes.",
            .formula = "y = max x over the given axes",
            .arguments = "x: floating or integer; NaN wins; axes: negative from the back, all when "
                         "empty, at least one element; keepdims keeps them with size 1",
            .gradient = "the cotangent shared evenly by all elements that equal y, so that it adds "
                        "up to the cotangent; NaN where x is",
            .source = "a subgradient: R. T. Rockafellar, Convex Analysis, 1970, §23"},
    .differentiable = 1,
    .reads = {reads_input(0) | kReadsOutputs},
    .infer = infer_extreme,
    .evaluate = evaluate_extreme<true>,
    .vjp = extreme_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

constinit const OpDef min_op = {
    .name = "min",
    .doc = {.summary = "Smallest element over axes.",
            .formula = "y = min x over the given axes",
            .arguments = "x: floating or integer; NaN wins; axes: negative from the back, all when "
                         "empty, at least one element; keepdims keeps them with size 1",
            .gradient = "the cotangent shared evenly by all elements that equal y, so that it adds "
                        "up to the cotangent; NaN where x is",
            .source = "a supergradient: R. T. Rockafellar, Convex Analysis, 1970, §23"},
    .differentiable = 1,
    .reads = {reads_input(0) | kReadsOutputs},
    .infer = infer_extreme,
    .evaluate = evaluate_extreme<false>,
    .vjp = extreme_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var max(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::max_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

Var min(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::min_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <algorithm>

#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

OpTests extreme_tests(const ReductionCall& call, const RowReference& reference, double sign) {
  OpTests tests;
  tests.samples = reduction_samples(call, reference, -3, 2, false);
  add_long_samples(tests, call, reference, -3, 2, 0, 2e-6);
  const auto all = [call](std::span<const Var> x) {
    return std::vector<Var>{call(x[0], {}, false)};
  };
  const auto total = [call](const Var& x) { return call(x, {-1}, false); };
  const auto at = [sign](std::initializer_list<double> values) {
    std::vector<double> signed_values;
    for (double v : values) signed_values.push_back(sign * v);
    return Tensor::from(signed_values, {static_cast<std::int64_t>(values.size())});
  };
  tests.samples.push_back(
      gradient_sample("ties share", at({1, 4, 4, 2, 4, 4}), total, {0, .25, .25, 0, .25, .25}));
  tests.samples.push_back(
      gradient_sample("zeros tie, signs apart", at({-0.0, 0.0, -1}), total, {.5, .5, 0}));
  tests.samples.push_back(
      gradient_sample("infinities tie", at({kInfinity, 0, kInfinity}), total, {.5, 0, .5}));
  tests.samples.push_back(gradient_sample("NaN", at({1, kNan, 2}), total, {0, kNan, 0}));
  for (int position : {0, 5, 40}) {
    std::vector<double> values(41, 1.0);
    values[static_cast<std::size_t>(position)] = kNan;
    tests.samples.push_back(fixed_sample("NaN wins at " + std::to_string(position),
                                         {Tensor::from(values, {41})}, all,
                                         {Tensor::scalar(kNan)}));
  }
  for (DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
    const ReductionCase c = {{3, 5}, {0}};
    tests.samples.push_back(
        reduction_sample(c, spread(c.shape, 0, 200).to(dtype), call, reference, dtype));
  }
  tests.rejected = reduction_rejected(call);
  tests.rejected.push_back({"no elements",
                            [call] {
                              return call(Tensor::zeros({3, 0}, DType::kFloat32), {1}, false);
                            },
                            ErrorKind::kShape, "over no elements: f32[3,0] along axes [1]"});
  tests.rejected.push_back({"bool",
                            [call] { return call(Tensor::zeros({2}, DType::kBool), {}, false); },
                            ErrorKind::kDType, "needs numbers, got bool[2]"});
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(max) {
  return extreme_tests(
      [](const Var& x, const Axes& axes, bool keepdims) { return max(x, axes, keepdims); },
      [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }, 1);
}

WENGERT_OP_TESTS(min) {
  return extreme_tests(
      [](const Var& x, const Axes& axes, bool keepdims) { return min(x, axes, keepdims); },
      [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }, -1);
}
#endif
