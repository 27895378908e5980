#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/testing/flawed_op.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/autodiff/custom_gradient.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// A failed gradcheck says where: planted wrong rules, planted cuts, draws, NaN.
namespace wengert::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using List = std::span<const Var>;

const std::vector<Tensor> kPoint = {Tensor::from({0.3, -1.2, 0.8}, {3}), Tensor::scalar(0.7)};

std::string here(unsigned line) { return " at gradcheck_fault_test.cc:" + std::to_string(line); }

/// A test_cube that is wrong in one way.
class Flawed : public ::testing::Test {
 protected:
  void plant(Flaw flaw) {
    g_flaw = flaw;
    op_ = cube_record();
  }
  ~Flawed() override { g_flaw = Flaw::kNone; }
  OpDef op_;
  unsigned line_ = 0;

  /// A long loss of many ops, in which one is wrong.
  Var long_loss(List x) {
    Var h = x[0];
    for (int i = 0; i < 20; ++i) h = tanh(h * x[1]) + sin(h);
    {
      const Scope scope("layer");
      line_ = std::source_location::current().line() + 1;
      h = h + apply(op_, h, std::source_location::current());
    }
    for (int i = 0; i < 20; ++i) h = h * 0.9 + exp(-square(h));
    return mean(h * h);
  }
  GradcheckResult check(int order) {
    return gradcheck([this](List x) { return long_loss(x); }, kPoint, {.order = order});
  }
};

TEST_F(Flawed, NothingIsBlamedWhereNothingIsWrong) {
  plant(Flaw::kNone);
  const GradcheckResult result = check(2);
  EXPECT_TRUE(result) << result.message;
  EXPECT_EQ(result.fault, "");
}

TEST_F(Flawed, AWrongRuleIsNamedWithItsLine) {
  plant(Flaw::kFirstOrder);
  const GradcheckResult result = check(1);
  EXPECT_FALSE(result);
  EXPECT_THAT(result.fault, StartsWith("the derivative of test_cube f64[3] in scope layer" +
                                       here(line_) + " by its input 0 is wrong: analytic "));
  EXPECT_THAT(result.message, HasSubstr("; " + result.fault));
}

TEST_F(Flawed, TheWrongFormIsNamed) {
  plant(Flaw::kFusedForm);
  EXPECT_THAT(check(1).fault,
              AllOf(HasSubstr("test_cube"), HasSubstr("is wrong in its fused form (backward)")));
}

TEST_F(Flawed, ARuleThatCutsItsOwnDerivativeIsNamed) {
  plant(Flaw::kSecondOrder);
  EXPECT_TRUE(check(1));
  EXPECT_THAT(check(2).fault, AllOf(HasSubstr("test_cube f64[3] in scope layer" + here(line_)),
                                    HasSubstr("is wrong at order 2")));
}

TEST(GradcheckFault, AWrongCustomGradientIsNamed) {
  unsigned line = 0;
  const auto loss = [&](List x) {
    const auto forward = [](List v) { return sin(v[0]) * v[1]; };
    const auto backward = [](List v, List, List g) {
      return std::vector<Var>{g[0] * cos(v[0]) * v[1], sum(g[0] * cos(v[0]))};  // sin
    };
    line = std::source_location::current().line() + 1;
    const Var y = custom_gradient(forward, backward, {x[0], x[1]});
    return sum(exp(y) * x[0]);
  };
  const GradcheckResult result = gradcheck(loss, kPoint);
  EXPECT_THAT(result.fault, StartsWith("the derivative of custom_gradient f64[3]" + here(line) +
                                       " by its input 1 is wrong"));
}

TEST(GradcheckFault, ACheckpointIsNotBlamedForWhatStandsBesideIt) {
  const auto loss = [](List x) {
    const Var y = checkpoint([](const Var& v) { return sin(v) * v; }, x[0]);
    return sum(y * Var(exp(x[1]).value()) * x[1]);
  };
  EXPECT_THAT(gradcheck(loss, kPoint).fault, StartsWith("the graph is cut: constant f64[]"));
}

struct Cut {
  const char* name;
  Var (*loss)(List, unsigned&);
  const char* node;
  const char* how;
};

#define WENGERT_HERE (line = std::source_location::current().line())

const Cut kCuts[] = {
    {"value",
     [](List x, unsigned& line) {
       const Var e = exp(x[0]) * x[1];
       WENGERT_HERE, line += 1;
       return sum(square(x[0]) * Var(e.value()));
     },
     "constant f64[3]", "but is a constant"},
    {"no_grad",
     [](List x, unsigned& line) {
       Var e;
       {
         const NoGrad off;
         e = exp(x[0]) * 2.0;
       }
       WENGERT_HERE, line += 1;
       return sum(square(x[0]) + e);
     },
     "constant f64[3]", "but is a constant"},
    {"number",
     [](List x, unsigned& line) {
       const double size = max(abs(x[0])).item<double>();
       WENGERT_HERE, line += 1;
       return sum(square(x[0]) / size);
     },
     "constant f64[]", "but is a constant"},
    {"stop_gradient",
     [](List x, unsigned& line) {
       WENGERT_HERE, line += 1;
       const Var e = stop_gradient(exp(x[0]));
       return sum(square(x[0]) * e);
     },
     "stop_gradient f64[3]", "but sends no gradient back"},
};

class CutTest : public ::testing::TestWithParam<Cut> {};

TEST_P(CutTest, NamesThePlaceAndTheInput) {
  unsigned line = 0;
  const auto loss = [&](List x) { return GetParam().loss(x, line); };
  const GradcheckResult result = gradcheck(loss, kPoint, {.arguments = 1});
  EXPECT_FALSE(result);
  EXPECT_EQ(result.fault, "the graph is cut: " + std::string(GetParam().node) + here(line) +
                              " changes with input 0 f64[3], " + GetParam().how +
                              "; value(), NoGrad and stop_gradient cut gradients");
}

INSTANTIATE_TEST_SUITE_P(GradcheckFault, CutTest, ::testing::ValuesIn(kCuts),
                         [](const auto& info) { return info.param.name; });

TEST(GradcheckFault, AResultThatWasNotRecordedIsNamed) {
  const auto loss = [](List x) {
    const NoGrad off;
    return sum(square(x[0]));
  };
  EXPECT_THAT(gradcheck(loss, kPoint, {.arguments = 1}).fault,
              StartsWith("the graph is cut: result 0 changes with input 0 f64[3], but was not "
                         "recorded"));
}

TEST(GradcheckFault, ASecondCutIsCounted) {
  const auto loss = [](List x) {
    return sum(x[0] * Var(exp(x[0]).value()) + Var(sin(x[0]).value()));
  };
  EXPECT_THAT(gradcheck(loss, kPoint).fault, HasSubstr("but is a constant, and 1 further"));
}

TEST(GradcheckFault, TwoCallsThatDifferAreNoKink) {
  int calls = 0;
  const auto drawn = [&](List x) { return x[0] * (1.0 + 0.001 * ++calls); };
  const GradcheckResult result = gradcheck(drawn, kPoint, {.arguments = 1});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.fault, StartsWith("two calls differ: element 0 is "));
  EXPECT_THAT(result.message, Not(HasSubstr("kink")));
}

TEST(GradcheckFault, NaNIsNamedByElementAndFirstNode) {
  unsigned line = 0;
  const auto loss = [&](List x) {
    line = std::source_location::current().line() + 1;
    return sqrt(x[0]) * 2.0;
  };
  const GradcheckResult result = gradcheck(loss, kPoint, {.arguments = 1});
  EXPECT_THAT(result.fault,
              StartsWith("NaN at element 1 in the function's value, first in sqrt f64[3]" +
                         here(line) + "; inputs f64[3] in [-1.2, 0.8]"));
  const std::vector<Tensor> zero = {Tensor::scalar(1.0), Tensor::from({1.0, 0.0}, {2})};
  EXPECT_THAT(gradcheck([](List x) { return sum(sqrt(x[1]) * x[0]); }, zero).fault,
              StartsWith("infinity at element 1 of the gradient by input 1 f64[2]"));
}

TEST(GradcheckFault, AKinkIsNamedWithItsOp) {
  const std::vector<Tensor> at = {Tensor::from({0.5, 0.0}, {2})};
  unsigned line = 0;
  const auto loss = [&](List x) {
    const Var h = sin(x[0]);
    line = std::source_location::current().line() + 1;
    return sum(exp(abs(h)));
  };
  const GradcheckResult result = gradcheck(loss, at);
  EXPECT_FALSE(result);  // although the mean of both slopes is the gradient
  EXPECT_THAT(result.fault, AllOf(StartsWith("the derivative of abs f64[2]" + here(line)),
                                  HasSubstr("a kink or a jump at this point?")));
}

TEST(GradcheckFault, AWrongRuleCountsBeforeAKink) {
  g_flaw = Flaw::kFirstOrder;
  const OpDef op = cube_record();
  const std::vector<Tensor> at = {Tensor::from({0.5, 0.0}, {2})};
  const auto loss = [&](List x) {
    return sum(abs(x[0])) + sum(apply(op, x[0] + 1.0, std::source_location::current()));
  };
  EXPECT_THAT(gradcheck(loss, at).fault, HasSubstr("test_cube"));
  g_flaw = Flaw::kNone;
}

// ---------------------------------------------------------------------------- models

const Tensor kInputs = spread({4, 3}, -1, 1);

TEST(GradcheckParameters, ChecksAModelAndLeavesItAsItWas) {
  ParameterSet parameters(3);
  const auto loss = [&] {
    const Var h = tanh(linear(parameters, "in", kInputs, 5));
    return mean(square(linear(parameters, "out", h, 2)));
  };
  for (const int order : {1, 2}) {
    const GradcheckResult result = gradcheck(loss, parameters, {.order = order});
    EXPECT_TRUE(result) << result.message;
    EXPECT_EQ(result.checked, 3 * 5 + 5 + 5 * 2 + 2);
  }
  ParameterSet untouched(3);
  (void)linear(untouched, "in", kInputs, 5);
  EXPECT_EQ(parameters.at("in/weight").value().to_vector<double>(),
            untouched.at("in/weight").value().to_vector<double>());
}

TEST(GradcheckParameters, NamesTheParameterAndTheCut) {
  ParameterSet parameters(3);
  unsigned line = 0;
  const auto loss = [&] {
    const Var h = tanh(linear(parameters, "in", kInputs, 2));
    const Tensor weight = parameters.at("in/weight").value();
    line = std::source_location::current().line() + 1;
    return mean(square(h)) + 0.1 * sum(square(Var(weight)));
  };
  const GradcheckResult result = gradcheck(loss, parameters);
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message, StartsWith("order 1, parameter 'in/weight' f64[3,2], element "));
  EXPECT_THAT(result.fault, StartsWith("the graph is cut: constant f64[3,2]" + here(line) +
                                       " changes with parameter 'in/weight' f64[3,2]"));
}

TEST(GradcheckParameters, FrozenOnesAreLeftOutAndAnErrorMovesNothing) {
  ParameterSet parameters(3);
  parameters.add("w", Tensor::from({0.5, 1.5}, {2}));
  parameters.add("frozen", Tensor::from({2.0, 3.0}, {2})).set_trainable(false);
  const auto loss = [&] { return sum(square(parameters.at("w") * Var(parameters.at("frozen")))); };
  EXPECT_EQ(gradcheck(loss, parameters).checked, 2);
  int calls = 0;
  const auto throws = [&] {
    if (++calls == 6) throw std::runtime_error("stopped");
    return loss();
  };
  EXPECT_THROW((void)gradcheck(throws, parameters), std::runtime_error);
  EXPECT_EQ(parameters.at("w").value().to_vector<double>(), (std::vector<double>{0.5, 1.5}));
  parameters.at("w").set_trainable(false);
  EXPECT_THROW((void)gradcheck(loss, parameters), Error);
}

}  // namespace
}  // namespace wengert::testing
