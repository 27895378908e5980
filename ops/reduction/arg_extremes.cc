#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

struct ArgumentAttributes {
  std::int64_t axis = -1;
  bool keepdims = false;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
    v("keepdims", self.keepdims);
  }
};

void infer_argument(InferContext& call) {
  require_number(call);
  const std::int64_t axis = call.canonical_axis(&ArgumentAttributes::axis, call.rank(0));
  ReductionAttributes over = {{axis}, call.attributes<ArgumentAttributes>().keepdims};
  const Shape shape = reduce(call, over);
  require_elements(call, over.axes);
  call.output(DType::kInt64, shape);
}

template <bool kLargest>
struct Argument {
  template <class T>
  std::int64_t operator()(const T* x, std::int64_t n) const {
    std::int64_t best = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (x[i] != x[i]) return i;
      if (kLargest ? x[i] > x[best] : x[i] < x[best]) best = i;
    }
    return best;
  }
};

template <bool kLargest>
void evaluate_argument(EvalContext& call) {
  evaluate_rows(call, {call.attributes<ArgumentAttributes>().axis}, Argument<kLargest>{});
}

}  // namespace

constinit const OpDef argmax_op = {
    .name = "argmax",
    .doc = {.summary = "Position of the largest element along an axis.",
            .formula = "y = the least i with x[…, i, …] = max x along the axis",
            .arguments = "x: floating or integer, at least one element along the axis; the first "
                         "of ties wins, and the first NaN before all; axis: negative from the "
                         "back; keepdims keeps it with size 1. The result is int64",
            .gradient = "none: positions are integers",
            .source = "elementary"},
    .infer = infer_argument,
    .evaluate = evaluate_argument<true>,
    .attributes = &attribute_type<ArgumentAttributes>,
    .default_attributes = &default_attributes_of<ArgumentAttributes>,
};

constinit const OpDef argmin_op = {
    .name = "argmin",
    .doc = {.summary = "Position of the smallest element along an axis.",
            .formula = "y = the least i with x[…, i, …] = min x along the axis",
            .arguments = "x: floating or integer, at least one element along the axis; the first "
                         "of ties wins, and the first NaN before all; axis: negative from the "
                         "back; keepdims keeps it with size 1. The result is int64",
            .gradient = "none: positions are integers",
            .source = "elementary"},
    .infer = infer_argument,
    .evaluate = evaluate_argument<false>,
    .attributes = &attribute_type<ArgumentAttributes>,
    .default_attributes = &default_attributes_of<ArgumentAttributes>,
};

}  // namespace ops

Var argmax(const Var& x, int axis, bool keepdims, std::source_location where) {
  return apply(ops::argmax_op, {&x}, ops::ArgumentAttributes{axis, keepdims}, where);
}

Var argmin(const Var& x, int axis, bool keepdims, std::source_location where) {
  return apply(ops::argmin_op, {&x}, ops::ArgumentAttributes{axis, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <algorithm>

#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

OpTests argument_tests(const std::function<Var(const Var&, int, bool)>& f, double sign) {
  OpTests tests;
  const ReductionCall call = [f](const Var& x, const Axes& axes, bool keepdims) {
    return f(x, static_cast<int>(axes[0]), keepdims);
  };
  const RowReference reference = [sign](const std::vector<double>& v) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < v.size(); ++i) {
      if (sign * v[i] > sign * v[best]) best = i;
    }
    return static_cast<double>(best);
  };
  for (const ReductionCase& c : std::vector<ReductionCase>{{{7}, {0}},
                                                           {{3, 5}, {0}},
                                                           {{3, 5}, {-1}, true},
                                                           {{2, 3, 4}, {1}},
                                                           {{2, 3, 4}, {-3}, true},
                                                           {{0, 3}, {1}},
                                                           {kManyColumns, {0}},
                                                           {kLongColumns, {1}},
                                                           {kLongRows, {1}}}) {
    tests.samples.push_back(
        reduction_sample(c, spread(c.shape, -2, 2), call, reference, DType::kInt64));
    tests.samples.push_back(reduction_sample(c, spread(c.shape, -20, 20).to(DType::kInt32), call,
                                             reference, DType::kInt64));
  }
  const auto fixed = [&](const char* name, std::vector<double> x, std::int64_t position) {
    for (double& v : x) v *= sign;
    tests.samples.push_back(
        fixed_sample(name, {Tensor::from(x, {static_cast<std::int64_t>(x.size())})},
                     [f](std::span<const Var> in) { return std::vector<Var>{f(in[0], -1, false)}; },
                     {Tensor::scalar(position)}));
  };
  fixed("the first of ties", {1, 3, 3, 2, 3}, 1);
  fixed("the first NaN", {1, kInfinity, kNan, 3, kNan}, 2);
  fixed("signed zeros tie", {-0.0, 0.0}, 0);
  fixed("infinity", {1, -kInfinity, kInfinity}, 2);
  const auto zeros = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Var(Tensor::zeros(shape, dtype));
  };
  tests.rejected = {{"axis",
                     [=] {
                       return f(zeros({2, 3}), 2, false);
                     },
                     ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
                    {"scalar", [=] { return f(zeros({}), -1, false); }, ErrorKind::kAxis,
                     "axis -1 is out of range for rank 0"},
                    {"empty axis",
                     [=] {
                       return f(zeros({3, 0}), -1, false);
                     },
                     ErrorKind::kShape, "over no elements: f32[3,0] along axes [1]"},
                    {"bool", [=] { return f(zeros({3}, DType::kBool), -1, false); },
                     ErrorKind::kDType, "needs numbers, got bool[3]"}};
  tests.order = 0;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(argmax) {
  return argument_tests(
      [](const Var& x, int axis, bool keepdims) { return argmax(x, axis, keepdims); }, 1);
}

WENGERT_OP_TESTS(argmin) {
  return argument_tests(
      [](const Var& x, int axis, bool keepdims) { return argmin(x, axis, keepdims); }, -1);
}
#endif
