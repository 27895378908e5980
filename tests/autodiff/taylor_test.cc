#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Closed forms: derivatives of scalar functions to order 4 and more, and small Hessians.
namespace wengert {
namespace {

/// f, f′, …, f⁽ⁿ⁾ at `at`, each the gradient of the one before.
template <class F>
std::vector<double> derivatives(const F& f, double at, int order) {
  Tape tape;
  const Var x = variable(at);
  Var y = f(x);
  std::vector<double> result = {y.scalar_value()};
  for (int k = 1; k <= order; ++k) {
    y = y.requires_grad() ? grad(y, x, {.create_graph = true}) : Var(Tensor::scalar(0.0));
    result.push_back(y.scalar_value());
  }
  return result;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t k = 0; k < actual.size(); ++k) {
    EXPECT_NEAR(actual[k], expected[k], 1e-13 * std::fmax(1, std::fabs(expected[k]))) << k;
  }
}

TEST(Taylor, Exponential) {
  const double e = std::exp(0.7);
  expect_near(derivatives([](const Var& x) { return exp(x); }, 0.7, 6), {e, e, e, e, e, e, e});
}

TEST(Taylor, OfAnInnerFactor) {
  const double e = std::exp(1.4);
  expect_near(derivatives([](const Var& x) { return exp(2.0 * x); }, 0.7, 4),
              {e, 2 * e, 4 * e, 8 * e, 16 * e});
}

TEST(Taylor, Polynomial) {
  // x⁴ − 3x² + 2 at 1.5
  expect_near(
      derivatives([](const Var& x) { return square(square(x)) - 3.0 * square(x) + 2.0; }, 1.5, 5),
      {0.3125, 4.5, 21, 36, 24, 0});
}

TEST(Taylor, Reciprocal) {
  // (1/x)⁽ᵏ⁾ = (−1)ᵏ k!/x^(k+1) at 2
  expect_near(derivatives([](const Var& x) { return 1.0 / x; }, 2, 5),
              {0.5, -0.25, 0.25, -0.375, 0.75, -1.875});
}

TEST(Taylor, HyperbolicTangent) {
  const double t = std::tanh(0.4), s = 1 - t * t;
  expect_near(derivatives([](const Var& x) { return tanh(x); }, 0.4, 4),
              {t, s, -2 * t * s, -2 * s * (s - 2 * t * t), 8 * t * s * (2 * s - t * t)});
}

TEST(Taylor, GaussianThroughHermitePolynomials) {
  const double x = 0.6, g = std::exp(-x * x / 2);
  expect_near(
      derivatives([](const Var& v) { return exp(-square(v) / 2.0); }, x, 4),
      {g, -x * g, (x * x - 1) * g, -(x * x * x - 3 * x) * g, (x * x * x * x - 6 * x * x + 3) * g});
}

TEST(Taylor, CoefficientsOfALogisticCurveAtZero) {
  // 1/(1 + e⁻ˣ) = 1/2 + x/4 − x³/48 + x⁵/480 − …
  const auto d = derivatives([](const Var& x) { return 1.0 / (1.0 + exp(-x)); }, 0, 5);
  expect_near(d, {0.5, 0.25, 0, -6.0 / 48, 0, 120.0 / 480});
}

TEST(Taylor, MixedPartialsCommute) {
  Tape tape;
  const Var x = variable(0.3), y = variable(1.2);
  const Var f = exp(x * y) * tanh(x) + square(y) * x;
  const Var fx = grad(f, x, {.create_graph = true}), fy = grad(f, y, {.create_graph = true});
  const double fxy = grad(fx, y, {.create_graph = true}).scalar_value();
  const double fyx = grad(fy, x, {.create_graph = true}).scalar_value();
  EXPECT_NEAR(fxy, fyx, 1e-14);
  // ∂²/∂x∂y of e^(xy)·tanh x + x·y²
  const double e = std::exp(0.36), t = std::tanh(0.3);
  EXPECT_NEAR(fxy, e * t * (1 + 0.36) + 0.3 * e * (1 - t * t) + 2.4, 1e-13);
}

TEST(Taylor, HessianOfAQuadraticForm) {
  // ½ xᵀAx has the Hessian (A + Aᵀ)/2.
  const Tensor a = Tensor::from({2.0, 1.0, 0.0, 3.0, 4.0, -1.0, 5.0, 0.0, 6.0}, {3, 3});
  Tape tape;
  const Var x = variable(Tensor::from({0.5, -1.0, 2.0}, {3, 1}));
  const Var f = sum(x * matmul(a, x)) * 0.5;
  const Var g = grad(f, x, {.create_graph = true});
  for (int i = 0; i < 3; ++i) {
    std::vector<double> unit(3, 0.0);
    unit[static_cast<std::size_t>(i)] = 1;
    const Var u = Tensor::from(unit, {3, 1});
    const Tensor row = grad({g}, {x}, {u}, {.retain = true})[0].value();
    for (int j = 0; j < 3; ++j) {
      EXPECT_NEAR(row.at(j), (a.at(3 * i + j) + a.at(3 * j + i)) / 2, 1e-15);
    }
  }
}

TEST(Taylor, AGradientOfAGradientPenaltyReachesTheWeights) {
  // d/dw of (∂(w·x²)/∂x)² = d/dw (2wx)² = 8wx²
  Tape tape;
  const Var w = variable(1.5), x = variable(0.5);
  const Var g = grad(w * square(x), x, {.create_graph = true});
  EXPECT_NEAR(backward(square(g))[w].scalar_value(), 8 * 1.5 * 0.25, 1e-15);
}

}  // namespace
}  // namespace wengert
