#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Neg {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return -x;
    }
    template <class T>
    static double partial(T, T) {
      return -1.0;
    }
  };

  struct Square {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return x * x;
    }
    template <class T>
    static T partial(T x, T) {
      return 2.0 * x;
    }
  };

  struct Reciprocal {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return 1.0 / x;
    }
    template <class T>
    static T partial(T, T y) {
      return -square(y);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(neg, Neg, Numbers)
WENGERT_UNARY(square, Square, Numbers)
WENGERT_UNARY(reciprocal, Reciprocal, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef neg_op =
    unary<formulas::Neg>("neg", neg_elementwise,
                         {.summary = "Negation.",
                          .formula = "y = −x",
                          .arguments = "x: any floating or integer tensor; integers wrap around",
                          .gradient = "∂y/∂x = −1",
                          .source = "elementary"});

constinit const OpDef square_op =
    unary<formulas::Square>("square", square_elementwise,
                            {.summary = "Square.",
                             .formula = "y = x²",
                             .arguments = "x: any floating or integer tensor; integers wrap around",
                             .gradient = "∂y/∂x = 2x",
                             .source = "elementary"});

constinit const OpDef reciprocal_op =
    unary<formulas::Reciprocal>("reciprocal", reciprocal_elementwise,
                                {.summary = "Reciprocal.",
                                 .formula = "y = 1/x",
                                 .arguments = "x: float32 or float64, any shape; 1/±0 = ±∞",
                                 .gradient = "∂y/∂x = −y², −∞ at 0",
                                 .source = "IEEE 754-2019 for division by zero"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(neg) {
  OpTests tests = unary_tests(
      wengert::neg, [](double x) { return -x; }, -3.0, 3.0);
  tests.specials = {{{0.0}, -0.0, {-1.0}},
                    {{-0.0}, 0.0, {-1.0}},
                    {{1e-300}, -1e-300, {-1.0}},
                    {{-1e-300}, 1e-300, {-1.0}},
                    {{1e+308}, -1e+308, {-1.0}},
                    {{-1e+308}, 1e+308, {-1.0}},
                    {{kInfinity}, -kInfinity, {-1.0}},
                    {{-kInfinity}, kInfinity, {-1.0}},
                    {{kNan}, kNan, {-1.0}}};
  add_integer_samples(tests, wengert::neg, [](double x) { return -x; });
  tests.rejected = number_rejections(wengert::neg);
  return tests;
}

WENGERT_OP_TESTS(square) {
  OpTests tests = unary_tests(
      wengert::square, [](double x) { return std::pow(x, 2); }, -3.0, 3.0);
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, 0.0, {-0.0}},
                    {{1e-300}, 0.0, {2e-300}},
                    {{-1e-300}, 0.0, {-2e-300}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, kInfinity, {-kInfinity}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, kInfinity, {-kInfinity}},
                    {{kNan}, kNan, {kNan}}};
  add_integer_samples(tests, wengert::square, [](double x) { return x * x; });
  tests.rejected = number_rejections(wengert::square);
  return tests;
}

WENGERT_OP_TESTS(reciprocal) {
  OpTests tests = unary_tests(
      wengert::reciprocal, [](double x) { return std::pow(x, -1); }, 0.3, 4.0);
  tests.specials = {{{0.0}, kInfinity, {-kInfinity}},
                    {{-0.0}, -kInfinity, {-kInfinity}},
                    {{1e-300}, 9.999999999999999e+299, {-kInfinity}},
                    {{-1e-300}, -9.999999999999999e+299, {-kInfinity}},
                    {{1e+300}, 1e-300, {-0.0}},
                    {{-1e+300}, -1e-300, {-0.0}},
                    {{kInfinity}, 0.0, {-0.0}},
                    {{-kInfinity}, -0.0, {-0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::reciprocal);
  return tests;
}
#endif
