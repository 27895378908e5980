#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"

// Every op that adds many numbers up, forward or backward: millions of equal float32 terms, whose
// rounding errors all point the same way, are summed to 1e-6 relative. A running sum in float32 is
// 1e-2 off here, one of blocks of 128 still 1e-5.
namespace wengert {
namespace {

constexpr std::int64_t kTerms = 2000003;
constexpr double kEach = 0.1f, kTotal = static_cast<double>(kTerms) * kEach;

Tensor equal_terms(const Shape& shape) { return Tensor::full(shape, kEach, DType::kFloat32); }
Tensor units(const Shape& shape) { return Tensor::full(shape, 1, DType::kFloat32); }
Tensor first(const Shape& shape) { return Tensor::zeros(shape, DType::kInt64); }

/// The first element of ∂(Σ 0.1·f(x))/∂x.
double gradient(const Shape& shape, const std::function<Var(const Var&)>& f) {
  Tape tape;
  const Var x = variable(units(shape)), y = f(x), cotangent = equal_terms(y.shape());
  return grad(std::span(&y, 1), std::span(&x, 1), std::span(&cotangent, 1))[0].value().at(0);
}

double last(const Var& y) { return y.value().at(y.value().element_count() - 1); }

struct Case {
  const char* name;
  double expected;
  std::function<double()> compute;
};

void PrintTo(const Case& shown, std::ostream* out) { *out << shown.name; }

std::vector<Case> forward_cases() {
  constexpr std::int64_t n = kTerms;
  return {
      {"sum", kTotal, [] { return last(sum(equal_terms({n}))); }},
      {"sum_of_rows", kTotal,
       [] {
         return last(sum(equal_terms({2, n}), {1}));
       }},
      {"sum_of_1_column", kTotal,
       [] {
         return last(sum(equal_terms({n, 1}), {0}));
       }},
      {"sum_of_2_columns", kTotal,
       [] {
         return last(sum(equal_terms({n, 2}), {0}));
       }},
      {"sum_of_3_columns", kTotal,
       [] {
         return last(sum(equal_terms({n, 3}), {0}));
       }},
      {"sum_of_70_columns", (kTerms / 70) * kEach,
       [] {
         return last(sum(equal_terms({n / 70, 70}), {0}));
       }},
      {"sum_of_outer_and_inner", 4 * kTotal,
       [] {
         return last(sum(equal_terms({n, 2, 4}), {0, 2}));
       }},
      {"sum_of_many_outer_and_inner", 2 * (kTerms / 20) * kEach,
       [] {
         return last(sum(equal_terms({n / 20, 10, 2}), {0, 2}));
       }},
      {"mean", kEach,
       [] {
         return last(mean(equal_terms({n, 3}), {0}));
       }},
      {"norm", kTotal, [] { return last(norm(equal_terms({n}), {}, false, 1)); }},
      {"count_nonzero", static_cast<double>(n),
       [] { return last(count_nonzero(equal_terms({n}))); }},
      {"logsumexp", std::log(n),
       [] { return last(logsumexp(Tensor::zeros({n}, DType::kFloat32))); }},
      {"cumsum", kTotal,
       [] {
         return last(cumsum(equal_terms({n, 2}), 0));
       }},
      {"linear_recurrence", kTotal,
       [] { return last(linear_recurrence(units({n}), equal_terms({n}), 0, false)); }},
      {"trace", 1000 * kEach,
       [] {
         return last(trace(equal_terms({1000, 1000})));
       }},
      {"dot", kTotal, [] { return last(dot(equal_terms({n}), units({n}))); }},
      {"matmul", kTotal,
       [] {
         return last(matmul(transpose(equal_terms({n, 3})), units({n, 2})));
       }},
      {"einsum", kTotal,
       [] {
         return last(einsum("ij->j", {equal_terms({n, 3})}));
       }},
      {"scatter_add", kTotal,
       [] { return last(scatter_add(equal_terms({1}), first({n - 1}), equal_terms({n - 1}), 0)); }},
      {"scatter_add_along_rows", kTotal,
       [] {
         return last(
             scatter_add(equal_terms({2, 3}) * 0.0, first({n, 3}) - 1, equal_terms({n, 3}), 0));
       }},
      {"fold_padding", kTotal,
       [] {
         return sum(fold_padding(equal_terms({n}), {n - 2}, {1}, PadMode::kEdge)).value().at(0);
       }},
      {"mean_squared_error", kTotal * kEach,
       [] {
         return last(mean_squared_error(equal_terms({n}), Tensor::zeros({n}, DType::kFloat32),
                                        Reduction::kSum));
       }},
      {"bce_with_logits", kTerms * std::log(2.0),
       [] {
         return last(
             bce_with_logits(Tensor::zeros({n}, DType::kFloat32), units({n}), Reduction::kSum));
       }},
      {"softmax_cross_entropy", kTerms * std::log(3.0),
       [] {
         return last(softmax_cross_entropy(equal_terms({n, 3}), first({n}), Reduction::kSum));
       }},
  };
}

std::vector<Case> backward_cases() {
  constexpr std::int64_t n = kTerms;
  using V = const Var&;
  return {
      {"gradient_of_linear_for_the_bias", kTotal,
       [] {
         const Var x = units({n, 1}), w = units({1, 3});
         return gradient({3}, [&](V b) { return linear(x, w, b); });
       }},
      {"gradient_of_linear_for_the_weight", kTotal,
       [] {
         const Var x = units({n, 2});
         return gradient({2, 3}, [&](V w) { return linear(x, w); });
       }},
      {"gradient_of_add_for_a_row", kTotal,
       [] { return gradient({3}, [](V x) {
              return x + units({n, 3});
            }); }},
      {"gradient_of_mul_for_a_column", kTotal,
       [] {
         return gradient({3, 1}, [](V x) { return x * units({3, n}); });
       }},
      {"gradient_of_mul_for_a_scalar", kTotal,
       [] { return gradient({}, [](V x) { return x * units({n}); }); }},
      {"gradient_of_where_for_a_scalar", kTotal,
       [] {
         const Var mask = Tensor::full({n}, 1, DType::kBool);
         return gradient({}, [&](V x) { return where(mask, x, units({n})); });
       }},
      {"gradient_of_broadcast_to", kTotal,
       [] {
         return gradient({1, 3}, [](V x) { return broadcast_to(x, {n, 3}); });
       }},
      {"gradient_of_broadcast_on_both_sides", 4 * kTotal,
       [] {
         return gradient({1, 2, 1}, [](V x) { return broadcast_to(x, {n, 2, 4}); });
       }},
      {"gradient_of_tile", kTotal,
       [] {
         return gradient({1, 3}, [](V x) { return tile(x, {n, 1}); });
       }},
      {"gradient_of_tile_of_columns", kTotal,
       [] {
         return gradient({2, 3}, [](V x) { return tile(x, {1, n / 2}); }) * 2 * n / (n - 1);
       }},
      {"gradient_of_repeat_interleave", kTotal,
       [] {
         return gradient({1, 3}, [](V x) { return repeat_interleave(x, n, 0); });
       }},
      {"gradient_of_edge_padding", kTotal,
       [] { return gradient({2}, [](V x) { return pad(x, {n - 1}, {0}, PadMode::kEdge); }); }},
      {"gradient_of_take", kTotal,
       [] { return gradient({3}, [](V x) { return take(x, first({n})); }); }},
      {"gradient_of_gather", kTotal,
       [] {
         return gradient({2, 3}, [](V x) { return gather(x, first({n, 3}), 0); });
       }},
      {"gradient_of_index_select", kTotal,
       [] {
         return gradient({2, 3}, [](V x) { return index_select(x, first({n})); });
       }},
      // y·(g − Σ g·y) vanishes for equal g: what is left is the error of the sum.
      {"gradient_of_softmax", kEach,
       [] {
         const double g = gradient({n}, [](V x) { return softmax(x); });
         return kEach + g * static_cast<double>(n);
       }},
  };
}

class Accumulation : public ::testing::TestWithParam<Case> {
 protected:
  void TearDown() override { kernels::set_thread_count(0); }
};

TEST_P(Accumulation, IsRightToSixDigitsAtAnyThreadCount) {
  kernels::set_thread_count(1);
  const double one = GetParam().compute();
  EXPECT_NEAR(one / GetParam().expected, 1, 1e-6);
  kernels::set_thread_count(3);
  EXPECT_EQ(GetParam().compute(), one);
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Forward, Accumulation, ::testing::ValuesIn(forward_cases()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Backward, Accumulation, ::testing::ValuesIn(backward_cases()),
                         name_of_case);

}  // namespace
}  // namespace wengert
