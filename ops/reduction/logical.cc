#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

template <DType kResult>
void infer_logical(InferContext& call) {
  call.output(kResult, reduce(call, call.canonical<ReductionAttributes>()));
}

struct Any {
  template <class T>
  bool operator()(const T* x, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) {
      if (x[i] != T(0)) return true;
    }
    return false;
  }
};

struct All {
  template <class T>
  bool operator()(const T* x, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) {
      if (x[i] == T(0)) return false;
    }
    return true;
  }
};

struct CountNonzero {
  template <class T>
  std::int64_t operator()(const T* x, std::int64_t n) const {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) count += x[i] != T(0);
    return count;
  }
};

template <class F>
void evaluate_logical(EvalContext& call) {
  evaluate_rows(call, call.attributes<ReductionAttributes>().axes, F{});
}

constexpr std::string_view kArguments =
    "x: any dtype, where every element but 0 counts as true, NaN too; axes: negative from the "
    "back, all when empty; keepdims keeps them with size 1";

}  // namespace

constinit const OpDef any_op = {
    .name = "any",
    .doc = {.summary = "Whether any element over the axes is true; false over no elements.",
            .formula = "y = ∃ x ≠ 0 over the given axes",
            .arguments = kArguments,
            .gradient = "none: the result is bool",
            .source = "elementary"},
    .infer = infer_logical<DType::kBool>,
    .evaluate = evaluate_logical<Any>,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

constinit const OpDef all_op = {
    .name = "all",
    .doc = {.summary = "Whether all elements over the axes are true; true over no elements.",
            .formula = "y = ∀ x ≠ 0 over the given axes",
            .arguments = kArguments,
            .gradient = "none: the result is bool",
            .source = "elementary"},
    .infer = infer_logical<DType::kBool>,
    .evaluate = evaluate_logical<All>,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

constinit const OpDef count_nonzero_op = {
    .name = "count_nonzero",
    .doc = {.summary = "How many elements over the axes are not zero, as int64.",
            .formula = "y = #{x ≠ 0} over the given axes",
            .arguments = kArguments,
            .gradient = "none: counts are integers",
            .source = "elementary"},
    .infer = infer_logical<DType::kInt64>,
    .evaluate = evaluate_logical<CountNonzero>,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var any(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::any_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

Var all(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::all_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

Var count_nonzero(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::count_nonzero_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <algorithm>

#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

OpTests logical_tests(const ReductionCall& call, const RowReference& reference, DType result) {
  OpTests tests;
  auto cases = reduction_cases();
  cases.push_back({{0}, {}});
  cases.push_back({{3, 0}, {1}, true});
  cases.push_back({{0, 3}, {1}});
  for (const ReductionCase& c : long_reduction_cases()) cases.push_back(c);
  int seed = 0;
  for (const ReductionCase& c : cases) {
    // Truncation leaves zeros among ones and minus ones.
    const Tensor values = spread(c.shape, -1.9, 1.9, ++seed).to(DType::kInt32);
    for (DType dtype : {DType::kInt32, DType::kFloat64, DType::kBool}) {
      tests.samples.push_back(reduction_sample(c, values.to(dtype), call, reference, result));
    }
  }
  tests.samples.push_back(reduction_sample({{2, 3}, {1}},
                                           Tensor::from({kNan, kNan, kNan, -0.0, 0.0, 0.0}, {2, 3}),
                                           call, reference, result));
  tests.rejected = reduction_rejected(call);
  tests.order = 0;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(any) {
  return logical_tests(
      [](const Var& x, const Axes& axes, bool keepdims) { return any(x, axes, keepdims); },
      [](const std::vector<double>& v) {
        return std::any_of(v.begin(), v.end(), [](double x) { return x != 0; }) ? 1.0 : 0.0;
      },
      DType::kBool);
}

WENGERT_OP_TESTS(all) {
  return logical_tests(
      [](const Var& x, const Axes& axes, bool keepdims) { return all(x, axes, keepdims); },
      [](const std::vector<double>& v) {
        return std::all_of(v.begin(), v.end(), [](double x) { return x != 0; }) ? 1.0 : 0.0;
      },
      DType::kBool);
}

WENGERT_OP_TESTS(count_nonzero) {
  return logical_tests([](const Var& x, const Axes& axes,
                          bool keepdims) { return count_nonzero(x, axes, keepdims); },
                       [](const std::vector<double>& v) {
                         return static_cast<double>(v.size()) -
                                static_cast<double>(std::count(v.begin(), v.end(), 0.0));
                       },
                       DType::kInt64);
}
#endif
