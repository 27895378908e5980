#include "wengert/autodiff/jvp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/autodiff/custom_gradient.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Forward mode. That every op's tangent is right, in order 1 and 2, is a property of the op
// (testing/check_tangents.cc); here is what it is worth over whole graphs.
namespace wengert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor numbers(std::initializer_list<double> values) {
  return Tensor::from(std::vector<double>(values), {static_cast<std::int64_t>(values.size())});
}

std::vector<double> of(const Var& x) { return x.value().to_vector<double>(); }

TEST(Jvp, FollowsThePathsBetweenXsAndYs) {
  Tape tape;
  const Var x = variable(numbers({1, 2})), w = variable(numbers({3, 5}));
  const Var product = x * w, other = exp(w);
  const auto t = jvp({product, sum(product * x), other}, {x}, {numbers({1, -1})});
  EXPECT_THAT(of(t[0]), ElementsAre(3, -5));
  EXPECT_THAT(of(t[1]), ElementsAre(2 * 1 * 3 - 2 * 2 * 5));  // Σ 2·x·w·t
  EXPECT_THAT(of(t[2]), ElementsAre(0, 0));                   // depends on no x
  EXPECT_FALSE(t[0].requires_grad());
}

TEST(Jvp, SumsOverXsThatAreAlsoIntermediate) {
  Tape tape;
  const Var x = variable(numbers({1, 2}));
  const Var y = x * 3.0;
  const Var z = y * y;
  // ∂z/∂y·(1 + what x moves it by): y moves by 1 + 3·1.
  const auto t = jvp({z, y}, {x, y}, {numbers({1, 1}), numbers({1, 1})});
  EXPECT_THAT(of(t[0]), ElementsAre(2 * 3 * 4, 2 * 6 * 4));
  EXPECT_THAT(of(t[1]), ElementsAre(4, 4));
}

TEST(Jvp, GivesNothingBackAndLeavesTheTapeAsItWas) {
  Tape tape;
  const Var x = variable(numbers({.3, .7}));
  const Var y = sum(softmax(tanh(x) * x));
  const std::uint32_t size = tape.size();
  const auto t = jvp({y}, {x}, {numbers({1, 0})});
  EXPECT_EQ(tape.size(), size);
  const Var g = grad(y, x);
  EXPECT_NEAR(of(t[0])[0], of(g)[0], 1e-15);
}

TEST(Jvp, OfARecordedGradientIsAHessianTimesAVector) {
  Tape tape;
  const Var x = variable(numbers({1, 2}));
  const Var y = sum(x * x * x) + prod(x);
  const Var g = grad(y, x, {.create_graph = true});
  // H = [[6x₀, 1], [1, 6x₁]].
  EXPECT_THAT(of(jvp({g}, {x}, {numbers({1, 0})})[0]), ElementsAre(6, 1));
  EXPECT_THAT(of(jvp({g}, {x}, {numbers({0, 1})})[0]), ElementsAre(1, 12));
}

TEST(Jvp, RecordedTangentsAreDifferentiatedInBothModes) {
  Tape tape;
  const Var x = variable(Tensor::scalar(.5));
  const Var y = sin(x) * exp(x);
  const Var one = Tensor::scalar(1.0);
  const Var first = jvp({y}, {x}, {one}, {.create_graph = true})[0];
  const Var second = jvp({first}, {x}, {one}, {.create_graph = true})[0];
  // (sin·exp)″ = 2·cos·exp, ‴ = 2·(cos − sin)·exp.
  EXPECT_NEAR(second.item<double>(), 2 * std::cos(.5) * std::exp(.5), 1e-14);
  EXPECT_NEAR(grad(second, x).item<double>(), 2 * (std::cos(.5) - std::sin(.5)) * std::exp(.5),
              1e-14);
}

TEST(Jvp, OfALinearFunctionTwiceIsZero) {
  Tape tape;
  const Var x = variable(numbers({1, 2}));
  const Var first = jvp({x * 2.0}, {x}, {numbers({1, 1})}, {.create_graph = true})[0];
  EXPECT_THAT(of(first), ElementsAre(2, 2));
  EXPECT_THAT(of(jvp({first}, {x}, {numbers({1, 1})})[0]), ElementsAre(0, 0));
}

TEST(Jvp, ReadsOnlyWhatIsKept) {
  // The bias alone moves: neither x nor the weight was kept.
  Tape tape;
  const Var bias = variable(numbers({0, 0}));
  const Var y = linear(Tensor::full({3, 2}, 1, DType::kFloat64),
                       Tensor::full({2, 2}, 1, DType::kFloat64), bias);
  EXPECT_THAT(of(jvp({y}, {bias}, {numbers({4, 5})})[0]), ElementsAre(4, 5, 4, 5, 4, 5));
}

TEST(Jvp, TakesOneForAnEmptyTangentOfAScalar) {
  Tape tape;
  const Var x = variable(Tensor::scalar(3.0));
  EXPECT_EQ(jvp({x * x}, {x}, {Var()})[0].item<double>(), 6);
}

// Rules that call functions of the user's find the parameters that these use.
TEST(Jvp, GoesThroughCheckpoints) {
  ParameterSet set;
  Parameter& w = set.add("w", numbers({.5, -.25}));
  for (const bool recorded : {false, true}) {
    Tape tape;
    const Var x = variable(numbers({.3, .7}));
    const auto f = [&](const Var& v) { return tanh(v * w) * v; };
    const std::vector<Var> sources = {x, use(w)}, directions = {numbers({1, 2}), numbers({-1, 3})};
    const JvpOptions options = {.create_graph = recorded};
    const auto through = jvp({checkpoint(f, x)}, sources, directions, options);
    const auto plain = jvp({f(x)}, sources, directions, options);
    EXPECT_THAT(of(through[0]), ::testing::Pointwise(::testing::DoubleNear(1e-15), of(plain[0])));
  }
}

TEST(Jvp, OfCustomGradientsIsTheTransposeOfWhatTheyState) {
  Tape tape;
  const Var x = variable(numbers({1, 2}));
  const auto y = custom_gradient(
      [](std::span<const Var> in) { return std::vector<Var>{in[0] * in[0]}; },
      [](std::span<const Var> in, std::span<const Var>, std::span<const Var> g) {
        return std::vector<Var>{g[0] * in[0] * 10.0};  // not the true one, on purpose
      },
      {x});
  EXPECT_THAT(of(jvp(y, {x}, {numbers({1, 1})})[0]), ElementsAre(10, 20));
}

template <class F>
std::string message_of(const F& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Jvp, RejectsWhatHasNoTangent) {
  const auto outside = [] { (void)jvp({}, {}, {}); };
  EXPECT_THAT(message_of(outside), HasSubstr("no tape is live"));
  Tape tape;
  const Var x = variable(numbers({1, 2}));
  const Var y = x * x;
  const auto with = [&](const VarList& ys, const VarList& xs, const VarList& tangents) {
    return message_of([&] { (void)jvp(ys, xs, tangents); });
  };
  EXPECT_THAT(with({y}, {x}, {}), HasSubstr("0 tangents for 1 values"));
  EXPECT_THAT(with({y}, {x}, {numbers({1})}),
              HasSubstr("the tangent is f64[1] for a value f64[2]"));
  EXPECT_THAT(with({y}, {x}, {Var()}), HasSubstr("needs a scalar, got f64[2]"));
  EXPECT_THAT(with({y}, {Var(numbers({1}))}, {numbers({1})}), HasSubstr("jvp"));
  EXPECT_THAT(with({stop_gradient(x)}, {x}, {numbers({1, 1})}),
              HasSubstr("depends on no variable or parameter"));
  (void)grad(sum(y), x);
  EXPECT_THAT(with({y}, {x}, {numbers({1, 1})}),
              HasSubstr("its saved values were given back by an earlier backward"));
}

}  // namespace
}  // namespace wengert
