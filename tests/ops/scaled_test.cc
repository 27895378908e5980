#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Functions f(s·x) = s·f(x) over the whole range of their dtype: the value scales, the gradient
// does not change, the second derivative scales back. Whatever squares or multiplies on the way
// must not leave the range that its result lies in.
namespace wengert {
namespace {

struct Homogeneous {
  const char* name;
  std::function<Var(const Var&)> f;  ///< of a vector
};

const Homogeneous kFunctions[] = {
    {"standard_deviation", [](const Var& x) { return standard_deviation(x); }},
    {"standard_deviation_1", [](const Var& x) { return standard_deviation(x, {}, false, 1); }},
    {"norm", [](const Var& x) { return norm(x); }},
    {"norm_1", [](const Var& x) { return norm(x, {}, false, 1); }},
    {"norm_3", [](const Var& x) { return norm(x, {}, false, 3); }},
    {"norm_half", [](const Var& x) { return norm(x, {}, false, 1.5); }},
    {"norm_infinity",
     [](const Var& x) { return norm(x, {}, false, std::numeric_limits<double>::infinity()); }},
    {"hypot", [](const Var& x) { return hypot(x[0], x[1]); }},
    {"mean", [](const Var& x) { return mean(x); }},
    {"max", [](const Var& x) { return max(x); }},
};

/// Value, gradient, and Hessian times (1, 1, 1, 1).
std::vector<std::vector<double>> derivatives(const Homogeneous& function, const Tensor& at) {
  const Tape tape;
  const Var x = variable(at);
  const Var y = function.f(x);
  const Var g = grad(y, x, {.create_graph = true});
  const Var curvature = g.requires_grad() ? grad(sum(g), x) : Var(Tensor::zeros({4}, at.dtype()));
  return {y.value().to_vector<double>(), g.value().to_vector<double>(),
          curvature.value().to_vector<double>()};
}

class Scaled : public ::testing::TestWithParam<Homogeneous> {};

TEST_P(Scaled, ChangesNothingButTheScale) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double tolerance = dtype == DType::kFloat32 ? 2e-5 : 1e-12;
    const Tensor x = Tensor::from({0.75, -1.5, 2.25, 0.5}, {4}).to(dtype);
    const auto plain = derivatives(GetParam(), x);
    for (const int exponent : {-110, -100, -40, 0, 40, 100, 115, -1000, -900, 500, 1000}) {
      if (dtype == DType::kFloat32 && std::abs(exponent) > 120) continue;
      const double scale = std::ldexp(1.0, exponent);
      std::vector<double> values = x.to_vector<double>();
      for (double& value : values) value *= scale;
      const auto scaled = derivatives(GetParam(), Tensor::from(values, {4}).to(dtype));
      const double factors[] = {scale, 1, 1 / scale};
      for (std::size_t order = 0; order < 3; ++order) {
        for (std::size_t i = 0; i < plain[order].size(); ++i) {
          const double expected = plain[order][i] * factors[order];
          // What is 0 by cancellation is so to the rounding of its terms, which are about 1.
          EXPECT_NEAR(scaled[order][i], expected, tolerance * factors[order])
              << "2^" << exponent << " " << name_of(dtype) << " order " << order << " element "
              << i;
        }
      }
    }
  }
}

void PrintTo(const Homogeneous& function, std::ostream* out) { *out << function.name; }

INSTANTIATE_TEST_SUITE_P(Each, Scaled, ::testing::ValuesIn(kFunctions),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Products, OfZerosAndLargeNumbersAreZero) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double large = dtype == DType::kFloat32 ? 1e20 : 1e200;  // the square overflows
    const Tape tape;
    const auto at = [&](const std::vector<double>& values) {
      return variable(Tensor::from(values, {static_cast<std::int64_t>(values.size())}).to(dtype));
    };
    const auto list = [](const Var& v) { return v.value().to_vector<double>(); };
    using List = std::vector<double>;
    const Var two = at({0, 0, large, large});
    EXPECT_EQ(prod(two).scalar_value(), 0);
    EXPECT_EQ(list(grad(prod(two), two)), (List{0, 0, 0, 0}));
    EXPECT_EQ(list(grad(sum(cumprod(two)), two)), (List{1, 0, 0, 0}));
    const Var late = at({large, large, 0, 2});
    EXPECT_EQ(prod(late).scalar_value(), 0);
    EXPECT_EQ(cumprod(late).value().at(3), 0);
    EXPECT_EQ(list(grad(prod(late), late)), (List{0, 0, INFINITY, 0}));
    const Var back = at({large, 1 / large, 1 / large, large});  // all together are 1
    const Var g = grad(prod(back), back);
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(g.value().at(i) * back.value().at(i), 1, 1e-5) << i;
    EXPECT_TRUE(std::isnan(prod(at({0, INFINITY})).scalar_value()));
  }
}

TEST(LinearRecurrence, EndsWhereStateOrCoefficientIs0) {
  const double inf = INFINITY;
  const auto run = [](const std::vector<double>& a, const std::vector<double>& b) {
    const Shape shape{static_cast<std::int64_t>(a.size())};
    return linear_recurrence(Tensor::from(a, shape), Tensor::from(b, shape), 0, false)
        .value()
        .to_vector<double>();
  };
  EXPECT_EQ(run({1, inf, 2}, {0, 0, 3}), (std::vector<double>{0, 0, 3}));
  EXPECT_EQ(run({1, 1e200, 1e200, 0}, {1, 0, 1e200, 5}), (std::vector<double>{1, 1e200, inf, 5}));
}

/// Rows near the end of a dtype's range: their sums leave it, their means and spreads do not.
TEST(Scaled, MeansAndSpreadsOfSumsThatOverflow) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    SCOPED_TRACE(name_of(dtype));
    const double large = dtype == DType::kFloat32 ? 3e38 : 1.7e308, u = large / 100;
    const Tensor rows = Tensor::from({large, large, large, large,                  //
                                      large, large - 4 * u, large - 4 * u, large,  //
                                      large, -large, large, -large,                //
                                      1., 2., 3., 6.},
                                     {4, 4})
                            .to(dtype);
    const double means[] = {large, large - 2 * u, 0, 3};
    const double slopes[4][4] = {{0, 0, 0, 0},
                                 {.25, -.25, -.25, .25},
                                 {.25, -.25, .25, -.25},
                                 {-2 / std::sqrt(56), -1 / std::sqrt(56), 0, 3 / std::sqrt(56)}};
    for (const bool columns : {false, true}) {
      const Tape tape;
      const Var x = variable(columns ? transpose(rows).value().contiguous() : rows);
      const Axes over = {columns ? 0 : 1};
      const Tensor mean_of = mean(x, over).value();
      const Tensor slope = grad(sum(standard_deviation(x, over)), x).value();
      const double all = mean(x).scalar_value();
      EXPECT_NEAR(all / (large / 2 - u / 2), 1, 1e-6);
      for (std::int64_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(mean_of.at(i), means[i], 1e-6 * std::fabs(means[i])) << i;
        for (std::int64_t k = 0; k < 4; ++k) {
          EXPECT_NEAR(slope.at(columns ? k * 4 + i : i * 4 + k), slopes[i][k], 1e-5) << i << k;
        }
      }
    }
    const double infinity = std::numeric_limits<double>::infinity();
    const Tensor ends = Tensor::from({infinity, 1., infinity, -infinity}, {2, 2}).to(dtype);
    const Tensor mean_of = mean(ends, {1}).value();
    EXPECT_EQ(mean_of.at(0), infinity);
    EXPECT_TRUE(std::isnan(mean_of.at(1)));
  }
}

}  // namespace
}  // namespace wengert
