#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/composite.h"
#include "wengert/ops/reduction/axes.h"

namespace wengert {
namespace ops {

namespace {

void require_vectors(const ExpandContext& call) {
  call.require_same_dtype(0, 1);
  if (call.rank(0) != 1 || call.rank(1) != 1) {
    call.fail(ErrorKind::kShape,
              "needs two vectors: a is " + call.describe(0) + ", b is " + call.describe(1),
              "matmul takes matrices, flatten makes vectors");
  }
}

Var expand_dot(const ExpandContext& call) {
  require_vectors(call);
  call.require_floating(0);
  if (call.size(0, 0) != call.size(1, 0)) {
    call.fail(ErrorKind::kShape, "lengths differ: a is " + call.describe(0) + ", b is " +
                                     call.describe(1) + " (" + std::to_string(call.size(0, 0)) +
                                     " vs " + std::to_string(call.size(1, 0)) + ")");
  }
  return matmul(call.operand(0), call.operand(1), call.where());
}

Var expand_outer(const ExpandContext& call) {
  require_vectors(call);
  require_number(call);
  const std::source_location where = call.where();
  return mul(expand_dims(call.operand(0), 1, where), expand_dims(call.operand(1), 0, where), where);
}

}  // namespace

constinit const OpDef dot_op =
    composite("dot", 2, 2, 3, expand_dot, nullptr, nullptr,
              {.summary = "Inner product of two vectors.",
               .formula = "y = Σᵢ a[i]·b[i]",
               .arguments = "a, b: vectors of one length and floating dtype. Recorded as matmul",
               .gradient = "∂y/∂a = b, ∂y/∂b = a",
               .source = "elementary"});

constinit const OpDef outer_op =
    composite("outer", 2, 2, 3, expand_outer, nullptr, nullptr,
              {.summary = "Outer product of two vectors.",
               .formula = "y[i, j] = a[i]·b[j]",
               .arguments = "a, b: vectors of one dtype. Recorded as expand_dims and mul",
               .gradient = "∂a: g·b, ∂b: gᵀ·a",
               .source = "elementary"});

}  // namespace ops

Var dot(const Var& a, const Var& b, std::source_location where) {
  return apply(ops::dot_op, a, b, where);
}

Var outer(const Var& a, const Var& b, std::source_location where) {
  return apply(ops::outer_op, a, b, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/shape/shape_tests.h"

WENGERT_OP_TESTS(dot) {
  OpTests tests = moving_tests();
  tests.ulps32 = tests.ulps64 = 16;
  for (const std::int64_t n : {1, 5, 40, 0, 70001}) {
    add_sample(
        tests, std::to_string(n), {spread({n}, -1, 1), spread({n}, -1, 1, 2)},
        [](std::span<const Var> x) { return dot(x[0], x[1]); },
        [=](std::span<const Tensor> x) {
          long double total = 0;
          for (std::int64_t i = 0; i < n; ++i) total += x[0].at(i) * x[1].at(i);
          return Tensor::scalar(static_cast<double>(total));
        });
    tests.samples.back().scale = std::fmax(1, static_cast<double>(n) / 4);  // Σ |a·b|
  }
  tests.rejected = {{"matrix",
                     [] {
                       return dot(zeros32({2, 2}), zeros32({2}));
                     },
                     ErrorKind::kShape, "needs two vectors: a is f32[2,2], b is f32[2]"},
                    {"scalar", [] { return dot(zeros32({}), zeros32({2})); }, ErrorKind::kShape,
                     "needs two vectors: a is f32[], b is f32[2]"},
                    {"lengths", [] { return dot(zeros32({3}), zeros32({2})); }, ErrorKind::kShape,
                     "lengths differ: a is f32[3], b is f32[2] (3 vs 2)"}};
  return tests;
}

WENGERT_OP_TESTS(outer) {
  OpTests tests = moving_tests();
  add_sample(
      tests, "3 and 4", {spread({3}, -1, 1), spread({4}, -1, 1, 2)},
      [](std::span<const Var> x) { return outer(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({3, 4}, [&](const Dims& i) { return x[0].at(i[0]) * x[1].at(i[1]); });
      });
  add_sample(
      tests, "long", {spread({9001}, -1, 1), spread({9}, -1, 1, 2)},
      [](std::span<const Var> x) { return outer(x[0], x[1]); },
      [](std::span<const Tensor> x) {
        return by_index({9001, 9}, [&](const Dims& i) { return x[0].at(i[0]) * x[1].at(i[1]); });
      });
  add_sample(
      tests, "nothing", {spread({0}, -1, 1), spread({4}, -1, 1, 2)},
      [](std::span<const Var> x) { return outer(x[0], x[1]); },
      [](std::span<const Tensor>) {
        return Tensor::zeros({0, 4}, DType::kFloat64);
      });
  tests.rejected = {
      {"matrix",
       [] {
         return outer(zeros32({2, 2}), zeros32({2}));
       },
       ErrorKind::kShape, "needs two vectors: a is f32[2,2], b is f32[2]"},
      {"scalar", [] { return outer(zeros32({}), zeros32({2})); }, ErrorKind::kShape,
       "needs two vectors: a is f32[], b is f32[2]"},
      {"dtypes", [] { return outer(zeros32({2}), Tensor::zeros({2}, DType::kFloat64)); },
       ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"}};
  return tests;
}
#endif
