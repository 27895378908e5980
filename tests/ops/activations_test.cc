#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// What activations have to do with each other, and where they saturate.
namespace wengert {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
using List = std::vector<double>;
using Function = std::function<Var(const Var&)>;

Tensor vector_of(const List& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}
List list(const Var& v) { return v.value().to_vector<double>(); }

const List kPoints = {-1e4, -40, -7, -2.5, -1, -0.3, -1e-10, 0, 1e-10, 0.3, 1, 2.5, 7, 40, 1e4};

void expect_near(const Var& actual, const Var& expected, double tolerance) {
  const List a = list(actual), b = list(expected);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << kPoints[i];
}

TEST(Activations, LeakyRectifiersAreAMaximumForSlopesUpToOneOnly) {
  const Tensor x = vector_of(kPoints);
  for (const double slope : {-0.5, 0.0, 0.01, 0.25, 1.0}) {
    EXPECT_EQ(list(leaky_relu(x, slope)), list(maximum(slope * Var(x), x))) << slope;
    EXPECT_EQ(list(prelu(x, slope)), list(maximum(slope * Var(x), x))) << slope;
  }
  for (const double slope : {1.5, 20.0}) {
    const List leaky = list(leaky_relu(x, slope)), learned = list(prelu(x, slope)),
               most = list(maximum(slope * Var(x), x));
    for (std::size_t i = 0; i < kPoints.size(); ++i) {
      EXPECT_EQ(leaky[i] != most[i], kPoints[i] != 0) << slope << " at " << kPoints[i];
      EXPECT_EQ(leaky[i], kPoints[i] > 0 ? kPoints[i] : slope * kPoints[i]);
      EXPECT_EQ(learned[i], leaky[i]);
    }
  }
}

TEST(Activations, SlopesOfPreluGetWhatTheyShare) {
  const Tape tape;
  const Tensor x = Tensor::from<double>({-1, 2, -3, 4, -5, -6, 7, -8}, {2, 2, 2});
  const auto of = [&](const Tensor& slopes, int axis) {
    const Var slope = variable(slopes);
    return list(grad(sum(prelu(x, slope, axis)), slope));
  };
  EXPECT_EQ(of(Tensor::scalar(0.25), -1), (List{-23}));
  EXPECT_EQ(of(vector_of({0.25, 0.5}), 1), (List{-12, -11}));
  EXPECT_EQ(of(vector_of({0.25, 0.5}), -1), (List{-9, -14}));
  EXPECT_EQ(of(Tensor::full({2, 2}, 0.25, DType::kFloat64), 0), (List{-6, -6, -3, -8}));
}

TEST(Activations, RandomSlopesAtTheKinkAndFarOut) {
  const List points = {0, -0.0, -1e-10, 1e-10, -1e4, 1e4, -kInf, kInf};
  const List slopes = {0.25, 0.25, 0.25, 1, 0.25, 1, 0.25, 1};
  const List values = {0, 0, -2.5e-11, 1e-10, -2500, 1e4, -kInf, kInf};
  const Tape tape;
  RandomStream stream(1);
  const Var x = variable(vector_of(points)), y = rrelu(x, stream, 0.25, 0.25);
  EXPECT_EQ(stream.counter(), 1u);
  EXPECT_EQ(list(y), values);
  const Var ones = Tensor::full({8}, 1, DType::kFloat64);
  EXPECT_EQ(list(grad({y}, {x}, {ones}, {.retain = true})[0]), slopes);
  EXPECT_EQ(list(grad({y}, {x}, {ones}, {.create_graph = true})[0]), slopes);
}

TEST(Activations, TanhIsASigmoid) {
  const Var x = vector_of(kPoints);
  expect_near(tanh(x), 2.0 * sigmoid(2.0 * x) - 1.0, 4 * kEpsilon);
  const Var bounded = clip(x, -40, 40);
  expect_near(sigmoid(bounded), exp(bounded) / (exp(bounded) + 1.0), 4 * kEpsilon);
}

TEST(Activations, OneIsMadeOfAnother) {
  const Var x = vector_of(kPoints);
  EXPECT_EQ(list(celu(x, 1)), list(elu(x, 1)));
  expect_near(selu(x), 1.0507009873554805 * elu(x, 1.6732632423543772), 4 * 1e4 * kEpsilon);
  expect_near(celu(x, 0.5), 0.5 * elu(x / 0.5), 4 * kEpsilon);
  EXPECT_EQ(list(hard_tanh(x)), list(clip(x, -1, 1)));
  EXPECT_EQ(list(relu6(x)), list(minimum(relu(x), 6.0)));
  expect_near(hard_sigmoid(x), relu6(x + 3.0) / 6.0, 2 * kEpsilon);
  expect_near(hard_sigmoid(x, 0.2, 0.5), clip(0.2 * x + 0.5, 0, 1), 2 * kEpsilon);
  expect_near(hard_swish(x), x * hard_sigmoid(x), 8 * kEpsilon);
  expect_near(silu(x), x * sigmoid(x), 1e4 * kEpsilon);
  expect_near(mish(x), x * tanh(softplus(x)), 1e4 * kEpsilon);
  expect_near(gelu_tanh(x), gelu(x), 5e-4);
  EXPECT_NE(list(gelu_tanh(x)), list(gelu(x)));
  RandomStream stream(1);
  EXPECT_EQ(list(rrelu(x, stream)), list(leaky_relu(x, 11.0 / 48)));
  EXPECT_EQ(list(rrelu(x, stream, 0.125, 0.5, MeanSlope::kHarmonic)), list(leaky_relu(x, 0.2)));
}

TEST(Activations, MaxoutOfALinearLayerIsTheLargestOfItsPieces) {
  const Tensor h = Tensor::from<double>({1, -2}, {1, 2});
  const Tensor weight = Tensor::from<double>({1, 2, 3, 4, 5, 6, -1, 0}, {2, 4});
  const Tensor bias = vector_of({0.5, 0.25, -9, 1});
  // h·W + b = −8.5, −9.75, −4, 5
  EXPECT_EQ(list(maxout(linear(h, weight, bias), 2)), (List{-8.5, 5}));
}

/// An activation and what it comes to far out on both sides: value, of x alone, and slope.
struct Tails {
  const char* name;
  Function f;
  double low, low_slope, high_scale, high, high_slope;
};

TEST(Activations, DerivativesOfEveryOrderSaturateAndAreNeverNaN) {
  const double scale = 1.0507009873554805, least = -1.7580993408473768;
  const Tails all[] = {
      {"elu", [](const Var& x) { return elu(x); }, -1, 0, 1, 0, 1},
      {"celu", [](const Var& x) { return celu(x, 0.5); }, -0.5, 0, 1, 0, 1},
      {"selu", [](const Var& x) { return selu(x); }, least, 0, scale, 0, scale},
      {"gelu", [](const Var& x) { return gelu(x); }, 0, 0, 1, 0, 1},
      {"gelu_tanh", [](const Var& x) { return gelu_tanh(x); }, 0, 0, 1, 0, 1},
      {"silu", [](const Var& x) { return silu(x); }, 0, 0, 1, 0, 1},
      {"mish", [](const Var& x) { return mish(x); }, 0, 0, 1, 0, 1},
      {"hard_tanh", [](const Var& x) { return hard_tanh(x); }, -1, 0, 0, 1, 0},
      {"relu6", [](const Var& x) { return relu6(x); }, 0, 0, 0, 6, 0},
      {"hard_sigmoid", [](const Var& x) { return hard_sigmoid(x); }, 0, 0, 0, 1, 0},
      {"hard_swish", [](const Var& x) { return hard_swish(x); }, 0, 0, 1, 0, 1},
  };
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const Tails& tails : all) {
      for (const double x : {1e4, 1e30, kInf}) {
        Tape tape;
        const Var at = variable(vector_of({-x, x}).to(dtype));
        Var y = tails.f(at);
        const auto value = list(y);
        const double high = tails.high_scale == 0 ? tails.high : tails.high_scale * x;
        EXPECT_NEAR(value[0], tails.low, 1e-6) << tails.name << " at " << -x;
        if (std::isinf(high)) {
          EXPECT_EQ(value[1], high) << tails.name;
        } else {
          EXPECT_NEAR(value[1], high, 1e-6 * std::fabs(high)) << tails.name << " at " << x;
        }
        for (int order = 1; order <= 3 && y.requires_grad(); ++order) {
          const Var ones = Tensor::full({2}, 1, dtype);
          y = grad({y}, {at}, {ones}, {.create_graph = true})[0];
          const std::array<double, 2> expected = {order == 1 ? tails.low_slope : 0,
                                                  order == 1 ? tails.high_slope : 0};
          for (std::size_t side = 0; side < 2; ++side) {
            EXPECT_NEAR(list(y)[side], expected[side], 1e-6)
                << tails.name << ", order " << order << " at " << (side == 0 ? -x : x);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace wengert
