#include "wengert/autodiff/gradcheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wengert/graph/error.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"
#include "wengert/testing/matchers.h"

namespace wengert::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Tensor> kPoint = {Tensor::from({0.3, -1.2, 2.5}, {3}), Tensor::scalar(0.7)};

/// tanh(a·b)·exp(b), of two arguments that broadcast.
Var smooth(std::span<const Var> x) { return mul(tanh(mul(x[0], x[1])), exp(x[1])); }

/// The right value, the gradient of twice as much.
Var wrong(std::span<const Var> x) {
  const Var y = smooth(x);
  return sub(mul(2.0, y), Var(y.value()));
}

TEST(Gradcheck, AcceptsRightDerivativesOfEveryOrder) {
  for (const int order : {1, 2, 3, 4}) {
    const GradcheckResult result = gradcheck(smooth, kPoint, {.order = order});
    EXPECT_TRUE(result) << result.message;
    EXPECT_EQ(result.checked, 4);
    EXPECT_TRUE(result.message.empty());
    // Six points near ε^(1/7) are good to far below what they are held to.
    EXPECT_LT(result.worst_ratio, 0.01) << order;
  }
}

TEST(Gradcheck, RefutesAWrongGradientAndSaysWhere) {
  const GradcheckResult result = gradcheck(wrong, kPoint);
  EXPECT_FALSE(result);
  EXPECT_GT(result.worst_ratio, 1);
  EXPECT_NEAR(result.analytic, 2 * result.numeric, 1e-6 * std::fabs(result.numeric));
  EXPECT_THAT(result.message,
              HasSubstr("order 1, input 1 f64[], element 0 (x = 0.69999999999999996): "));
  EXPECT_THAT(result.message, HasSubstr("analytic "));
  EXPECT_THAT(result.message, HasSubstr("4 of 4 derivatives differ"));
}

TEST(Gradcheck, AnErrorOfOneInAMillionIsFound) {
  const auto slightly = [](std::span<const Var> x) {
    const Var y = smooth(x);
    return sub(mul(1.000001, y), mul(1e-6, Var(y.value())));
  };
  EXPECT_FALSE(gradcheck(slightly, kPoint));
  EXPECT_FALSE(gradcheck(slightly, kPoint, {.fast = true}));
}

TEST(Gradcheck, FastModeComparesOneProjectionAnArgument) {
  const GradcheckResult right = gradcheck(smooth, kPoint, {.order = 2, .fast = true});
  EXPECT_TRUE(right) << right.message;
  EXPECT_EQ(right.checked, 2);
  EXPECT_EQ(right.element, -1);
  EXPECT_THAT(gradcheck(wrong, kPoint, {.fast = true}).message, HasSubstr("along a direction"));
}

TEST(Gradcheck, OnlyChosenArgumentsAreDifferentiated) {
  const auto half_wrong = [](std::span<const Var> x) {
    return mul(x[0], sub(mul(2.0, x[1]), Var(x[1].value())));
  };
  EXPECT_TRUE(gradcheck(half_wrong, kPoint, {.arguments = 1}));
  EXPECT_FALSE(gradcheck(half_wrong, kPoint, {.arguments = 2}));
}

TEST(Gradcheck, SeveralOutputsAndOnesWithoutGradient) {
  const auto many = [](std::span<const Var> x) {
    return std::vector<Var>{square(x[0]), Var(x[0].value()), exp(x[1]), equal(x[0], 0.3)};
  };
  const GradcheckResult result = gradcheck(many, kPoint, {.order = 2});
  EXPECT_TRUE(result) << result.message;
}

TEST(Gradcheck, LinearFunctionsHaveSecondDerivativeZero) {
  const auto linear = [](std::span<const Var> x) { return add(neg(x[0]), x[1]); };
  EXPECT_TRUE(gradcheck(linear, kPoint, {.order = 2, .absolute = 0, .relative = 0}));
  EXPECT_TRUE(gradcheck(linear, kPoint, {.absolute = 1e-12, .relative = 1e-12, .step = 1}));
}

TEST(Gradcheck, ANarrowDomainIsReachedByShrinkingSteps) {
  // 1/x a third of a step from its pole: six points reach beyond it, Ridders' steps do not.
  const auto reciprocal = [](std::span<const Var> x) { return div(1.0, x[0]); };
  const std::vector<Tensor> near_pole = {Tensor::scalar(0.0013)};
  const GradcheckResult result = gradcheck(reciprocal, near_pole);
  EXPECT_TRUE(result) << result.message;
}

TEST(Gradcheck, HintsAtKinksAndFloat32) {
  const std::vector<Tensor> zero = {Tensor::scalar(0.0)};
  const GradcheckResult kink = gradcheck([](std::span<const Var> x) { return relu(x[0]); }, zero);
  EXPECT_FALSE(kink);
  EXPECT_THAT(kink.message, HasSubstr("the slope is -0 on the left and 1 on the right"));
  EXPECT_THAT(kink.message, HasSubstr("a kink or a jump at this point?"));
  const std::vector<Tensor> single = {Tensor::scalar(1.5f)};
  const GradcheckResult noise = gradcheck([](std::span<const Var> x) { return exp(x[0]); }, single);
  EXPECT_FALSE(noise);
  EXPECT_THAT(noise.message, HasSubstr("give float64 inputs"));
}

TEST(Gradcheck, NotANumberIsNeverRight) {
  const auto nan = [](std::span<const Var> x) { return mul(x[0], kNan); };
  EXPECT_FALSE(gradcheck(nan, kPoint));
}

TEST(Gradcheck, RejectsWhatItCannotCheck) {
  const std::vector<Tensor> integers = {Tensor::from({1, 2}, {2})};
  EXPECT_THROW(gradcheck(smooth, kPoint, {.order = 0}), Error);
  EXPECT_THROW(gradcheck(smooth, kPoint, {.step = -1}), Error);
  EXPECT_THROW(gradcheck(smooth, kPoint, {.step = kNan}), Error);
  EXPECT_THROW(gradcheck(smooth, integers), Error);
}

TEST(Gradcheck, LeavesTheInputsAlone) {
  const Tensor x = Tensor::from({0.5, 1.5}, {2});
  const std::uint32_t version = x.version();
  EXPECT_TRUE(gradcheck([](std::span<const Var> v) { return square(v[0]); }, {&x, 1}));
  EXPECT_EQ(x.version(), version);
  EXPECT_EQ(x.at(0), 0.5);
}

TEST(PassesGradcheckMatcher, MatchesAndExplains) {
  EXPECT_THAT(smooth, PassesGradcheck(kPoint, {.order = 2}));
  EXPECT_THAT(wrong, Not(PassesGradcheck(kPoint)));
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(::testing::ExplainMatchResult(PassesGradcheck(kPoint), wrong, &listener));
  EXPECT_THAT(listener.str(), HasSubstr("input 1 f64[], element 0"));
}

}  // namespace
}  // namespace wengert::testing
