#include "wengert/testing/check_op.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>

#include "tests/testing/flawed_op.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/user_op.h"
#include "wengert/tests/sanitizers.h"

namespace wengert::testing {
namespace {

using ::testing::HasSubstr;

CheckReport check_with(Flaw flaw) {
  g_flaw = flaw;
  const OpDef op = cube_record();
  const OpTests tests = cube_tests(op);
  CheckReport report = check_op(op, tests);
  g_flaw = Flaw::kNone;
  return report;
}

TEST(CheckOp, AcceptsARightOp) {
  const CheckReport report = check_with(Flaw::kNone);
  EXPECT_TRUE(report.passed()) << report.str();
  EXPECT_GT(report.checks, 100);
  EXPECT_GT(report.worst_ratio, 0);
  EXPECT_LT(report.worst_ratio, 1);
}

struct Case {
  Flaw flaw;
  const char* name;
  const char* expected;  ///< in a message
};

/// For the names that ctest shows.
void PrintTo(const Case& shown, std::ostream* out) { *out << shown.name; }

class CheckOpFinds : public ::testing::TestWithParam<Case> {};

TEST_P(CheckOpFinds, TheFlaw) {
  const CheckReport report = check_with(GetParam().flaw);
  EXPECT_GT(report.failures, 0);
  EXPECT_EQ(report.messages.size(), static_cast<std::size_t>(report.failures));
  EXPECT_THAT(report.str(), HasSubstr(GetParam().expected));
  // The op is this test's own: the installed program could not repeat it.
  EXPECT_THAT(report.str(), Not(HasSubstr("reproduce")));
}

TEST(CheckOp, SaysOnceHowToRepeatWhatFailsTogether) {
  OpTests tests;
  tests.op = "square";
  Sample sample;
  sample.name = "wrong";
  sample.inputs = {Tensor::from({1.0, 2.0}, {2})};
  sample.call = [](std::span<const Var> x) { return std::vector<Var>{square(x[0])}; };
  sample.reference = [](std::span<const Tensor> x) { return std::vector<Tensor>{x[0]}; };
  tests.samples.push_back(sample);
  const CheckReport report = check_op(*find_op("square"), tests);
  EXPECT_GT(report.failures, 1);
  const std::string text = report.str();
  const std::string command = "build/release/wengert gradcheck --op square --sample \"wrong\"";
  EXPECT_THAT(text, HasSubstr("reproduce: " + command));
  EXPECT_EQ(text.find(command), text.rfind(command));
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      {Flaw::kValue, "Value", "float64 value: output 0: element"},
      {Flaw::kFirstOrder, "FirstOrder", "arguments {0}: order 1, input 0 f64"},
      {Flaw::kSecondOrder, "SecondOrder", "arguments {0}: order 2, input 0 f64"},
      {Flaw::kFusedForm, "FusedForm", "recorded and fused gradient, argument 0"},
      {Flaw::kAccumulation, "Accumulation", "two uses, argument 0"},
      {Flaw::kZeroCotangent, "ZeroCotangent", "gradient of argument 0 at a zero cotangent"},
      {Flaw::kFloat32, "Float32", "float32 gradient of argument 0"},
      {Flaw::kForgottenRead, "ForgottenRead",
       "the derivative reads input 0 that its record does not name in reads"},
      {Flaw::kFarValue, "FarValue", "sample \"[70001]\", float64 value: output 0: element 65536"},
      {Flaw::kFarGradient, "FarGradient", "sample \"[70001]\", projected gradient: vᵀJu is"},
      {Flaw::kThreads, "Threads", "value, bits of float64 at 3 threads: 0: element 0"}};
#if !WENGERT_ADDRESS_SANITIZER  // this one reads outside of its memory
  all.push_back({Flaw::kStrides, "Strides", "value of strided inputs"});
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, CheckOpFinds, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

class CheckOpTests : public ::testing::Test {
 protected:
  void SetUp() override { g_flaw = Flaw::kNone; }
  OpDef op_ = cube_record();
  OpTests tests_ = cube_tests(op_);
};

TEST_F(CheckOpTests, WrongSpecialPointsAreFound) {
  tests_.specials = {{{0.0}, -0.0, {0.0}}, {{1.0}, 1.0, {3.5}}, {{kNan}, 0.0, {kNan}}};
  const CheckReport report = check_op(op_, tests_);
  EXPECT_THAT(report.str(), HasSubstr("special point (0) as f64[], value: the zero has the wrong "
                                      "sign, expected -0"));
  EXPECT_THAT(report.str(),
              HasSubstr("special point (1) as f64[], gradient of argument 0: element 0 is 3, "
                        "expected 3.5"));
  EXPECT_THAT(report.str(), HasSubstr("special point (nan) as f64[], value: element 0 is nan"));
}

TEST_F(CheckOpTests, WrongRejectionsAreFound) {
  tests_.rejected[0].message = "something else";
  tests_.rejected[1].kind = ErrorKind::kValue;
  tests_.rejected[2].call = [] {};
  const std::string text = check_op(op_, tests_).str();
  EXPECT_THAT(text, HasSubstr("rejected input \"integers\": the message is "));
  EXPECT_THAT(text, HasSubstr("rejected input \"rank 4\": threw a shape error, expected value"));
  EXPECT_THAT(text, HasSubstr("rejected input \"empty Var\": was accepted"));
}

TEST_F(CheckOpTests, TooFewRejectedInputsNeedAReason) {
  tests_.rejected.pop_back();
  EXPECT_THAT(check_op(op_, tests_).str(), HasSubstr("there are 2, state at least three"));
  tests_.exempt = "accepts almost everything";
  EXPECT_TRUE(check_op(op_, tests_).passed());
}

TEST_F(CheckOpTests, NoLargeSampleNeedsAReason) {
  tests_.samples.pop_back();
  EXPECT_THAT(check_op(op_, tests_).str(), HasSubstr("there are none, state one, or in"));
  tests_.small_only = "never sees many elements";
  EXPECT_TRUE(check_op(op_, tests_).passed());
}

/// y = x³ once more.
struct Elementwise {
  static constexpr int reads = kX;
  template <class T>
  static T value(T x) {
    return x * square(x);
  }
  template <class T>
  static T partial(T x, T) {
    return 3.0 * square(x);
  }
};

TEST(CheckOp, ALargeSampleThatNoKernelCutsIntoTwoPartsAndARestIsTooSmall) {
  const auto square_of = [](const Shape& shape) {
    OpTests tests;
    Sample sample;
    sample.name = to_string(shape);
    sample.inputs = {spread(shape, 1, 2)};
    sample.call = [](std::span<const Var> x) { return std::vector<Var>{square(x[0])}; };
    sample.reference = [](std::span<const Tensor> x) {
      return std::vector<Tensor>{map(x, [](std::span<const double> v) { return v[0] * v[0]; })};
    };
    tests.samples.push_back(std::move(sample));
    return check_op(*find_op("square"), tests).str();
  };
  const std::string gap = "splits, walk: elements of dense operands, by task";
  EXPECT_THAT(square_of({40000}), HasSubstr(gap));
  EXPECT_THAT(square_of({65536}), HasSubstr(gap));
  EXPECT_THAT(square_of({65537}), Not(HasSubstr(gap)));
}

TEST(CheckOp, ElementwiseOpsGetLargeSamplesByThemselves) {
  static const OpDef& op = elementwise_op<Elementwise>("large_cube", {"For tests.", "y = x³"});
  OpTests tests = cube_tests(op);
  tests.samples.pop_back();
  tests.specials.clear();
  tests.rejected.clear();
  tests.exempt = "not what is tested";
  const CheckReport report = check_op(op, tests, {.sample = "[5] tiled to [70001]"});
  EXPECT_TRUE(report.passed()) << report.str();
  EXPECT_GT(report.checks, 10);
}

TEST_F(CheckOpTests, AnExceptionIsAFailureOfThatSample) {
  tests_.samples[1].call = [](std::span<const Var>) -> std::vector<Var> {
    throw std::runtime_error("out of order");
  };
  const CheckReport report = check_op(op_, tests_);
  EXPECT_THAT(report.str(), HasSubstr("sample \"[5]\", values: threw out of order"));
  EXPECT_GT(report.checks, 50);
}

TEST_F(CheckOpTests, OneSampleAlone) {
  const CheckReport report = check_op(op_, tests_, {.sample = "[5]"});
  EXPECT_TRUE(report.passed()) << report.str();
  EXPECT_LT(report.checks, check_op(op_, tests_).checks);
  EXPECT_THAT(check_op(op_, tests_, {.sample = "[6]"}).str(),
              HasSubstr("there is no sample \"[6]\""));
}

TEST_F(CheckOpTests, OrderLimitsTheDifferences) {
  EXPECT_LT(check_op(op_, tests_, {.order = 1}).checks, check_op(op_, tests_).checks);
}

/// y = x·tanh(x) whose partial looks at x though `reads` names y alone.
struct Forgetful {
  static constexpr int reads = kY;
  template <class T>
  static T value(T x) {
    return x * tanh(x);
  }
  template <class T>
  static T partial(T x, T) {
    return tanh(x) + x * (1.0 - square(tanh(x)));
  }
};

TEST(CheckOp, AFormulaThatLooksAtWhatReadsDoesNotName) {
  const auto call = [](const Var& x) {
    static const OpDef& op = elementwise_op<Forgetful>("forgetful", {"For tests.", "y = x·tanh x"});
    return apply(op, x, std::source_location::current());
  };
  Tape tape;
  const Var x = variable(0.5);
  EXPECT_TRUE(std::isnan(backward(call(x))[x].scalar_value()));
  try {
    (void)grad(call(x), x, {.create_graph = true});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_EQ(error.message(), "a partial looks at a value that its `reads` does not name");
  }
}

}  // namespace
}  // namespace wengert::testing
