#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {
namespace {

void evaluate_sum(EvalContext& call) {
  sum_over_axes(call, call.attributes<ReductionAttributes>().axes);
}

void sum_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ReductionAttributes>();
  c.set(0, broadcast_to(with_reduced_axes(c.cotangent(), c.shape(0), attributes), c.shape(0)));
}

}  // namespace

constinit const OpDef sum_op = {
    .name = "sum",
    .doc = {.summary = "Sum over axes.",
            .formula = "y = Σ x over the given axes",
            .arguments =
                "x: float32, float64, or integers, whose sum is int64 and wraps around; axes: "
                "negative from the back, all when empty; keepdims keeps them with size 1; "
                "over no elements the sum is 0",
            .gradient = "the cotangent repeated along the axes",
            .source = "N. Higham, The accuracy of floating point summation, 1993 (pairwise)"},
    .differentiable = 1,
    .linear = {1},
    .infer = infer_total,
    .evaluate = evaluate_sum,
    .vjp = sum_vjp,
    .attributes = &attribute_type<ReductionAttributes>,
    .default_attributes = &default_attributes_of<ReductionAttributes>,
};

}  // namespace ops

Var sum(const Var& x, const Axes& axes, bool keepdims, std::source_location where) {
  return apply(ops::sum_op, {&x}, ops::ReductionAttributes{axes, keepdims}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/reduction/reduction_tests.h"

WENGERT_OP_TESTS(sum) {
  const ReductionCall call = [](const Var& x, const Axes& axes, bool keepdims) {
    return sum(x, axes, keepdims);
  };
  const RowReference reference = [](const std::vector<double>& values) {
    long double total = 0;
    for (double v : values) total += v;
    return static_cast<double>(total);
  };
  OpTests tests;
  tests.samples = reduction_samples(call, reference, -1, 1, true);
  for (Sample& sample : tests.samples) sample.scale = 8;
  for (const ReductionCase& c : std::vector<ReductionCase>{{{3000}, {}},
                                                           {{300, 70}, {0}},
                                                           {kLongSum, {}},
                                                           {{40001, 4}, {0}},
                                                           {{2100, 136}, {0}},
                                                           {{200, 700}, {1}},
                                                           {{3, 70001}, {1}},
                                                           {{700, 3, 70}, {0, 2}},
                                                           {{5, 400, 70}, {1}},
                                                           {{45, 3001, 2}, {0, 2}},
                                                           {{3, 70, 5, 20}, {0, 2}}}) {
    tests.samples.push_back(reduction_sample(c, spread(c.shape, -1, 1), call, reference));
    // Rounding errors of n additions add up like √n, each of a block's sum of some terms.
    const auto terms = static_cast<double>(element_count(c.shape));
    tests.samples.back().scale = std::fmax(300, 3 * std::sqrt(terms));
    if (!tests.samples.back().large()) tests.samples.back().smooth = false;  // takes long
  }
  for (DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
    const ReductionCase c = {{3, 5}, {0}};
    tests.samples.push_back(
        reduction_sample(c, spread(c.shape, 0, 200).to(dtype), call, reference, DType::kInt64));
    for (const ReductionCase& large : long_reduction_cases()) {
      tests.samples.push_back(reduction_sample(large, spread(large.shape, 0, 200).to(dtype), call,
                                               reference, DType::kInt64));
    }
  }
  tests.rejected = reduction_rejected(call);
  tests.rejected.push_back({"bool", [] { return sum(Tensor::zeros({2}, DType::kBool)); },
                            ErrorKind::kDType, "needs numbers, got bool[2]"});
  tests.order = 2;
  tests.linear = true;
  return tests;
}
#endif
