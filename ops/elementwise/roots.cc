#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Sqrt {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return sqrt(x);
    }
    template <class T>
    static T partial(T, T y) {
      return 0.5 / y;
    }
  };

  struct Rsqrt {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return 1.0 / sqrt(x);
    }
    template <class T>
    static T partial(T, T y) {
      return -0.5 * (y * square(y));
    }
  };

  struct Cbrt {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return cbrt(x);
    }
    template <class T>
    static T partial(T, T y) {
      return 1.0 / (3.0 * square(y));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(sqrt, Sqrt, Floats)
WENGERT_UNARY(rsqrt, Rsqrt, Floats)
WENGERT_UNARY(cbrt, Cbrt, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef sqrt_op = unary<formulas::Sqrt>(
    "sqrt", sqrt_elementwise,
    {.summary = "Square root.",
     .formula = "y = √x",
     .arguments = "x: float32 or float64, any shape; NaN below 0, √−0 = −0",
     .gradient = "∂y/∂x = 1/(2y): +∞ at 0 and −∞ at −0, as IEEE division gives it",
     .source = "IEEE 754-2019 §5.4.1"});

constinit const OpDef rsqrt_op =
    unary<formulas::Rsqrt>("rsqrt", rsqrt_elementwise,
                           {.summary = "Reciprocal square root.",
                            .formula = "y = 1/√x",
                            .arguments = "x: float32 or float64, any shape; NaN below 0, ±∞ at ±0",
                            .gradient = "∂y/∂x = −y³/2",
                            .source = "IEEE 754-2019 §9.2"});

constinit const OpDef cbrt_op =
    unary<formulas::Cbrt>("cbrt", cbrt_elementwise,
                          {.summary = "Cube root.",
                           .formula = "y = ∛x",
                           .arguments = "x: float32 or float64, any shape, negative too",
                           .gradient = "∂y/∂x = 1/(3y²), +∞ at ±0",
                           .source = "C17 §7.12.7.1"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(sqrt) {
  OpTests tests = unary_tests(
      wengert::sqrt, [](double x) { return std::sqrt(x); }, 0.2, 9.0);
  tests.specials = {{{0.0}, 0.0, {kInfinity}},       {{-0.0}, -0.0, {-kInfinity}},
                    {{1e-300}, 1e-150, {5e+149}},    {{-1e-300}, kNan, {kNan}},
                    {{1e+308}, 1e+154, {5e-155}},    {{-1e+308}, kNan, {kNan}},
                    {{kInfinity}, kInfinity, {0.0}}, {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},          {{4.0}, 2.0, {0.25}},
                    {{-1.0}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::sqrt);
  return tests;
}

WENGERT_OP_TESTS(rsqrt) {
  OpTests tests = unary_tests(
      wengert::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.3, 9.0);
  tests.specials = {{{0.0}, kInfinity, {-kInfinity}},
                    {{-0.0}, -kInfinity, {kInfinity}},
                    {{1e-300}, 1e+150, {-kInfinity}},
                    {{-1e-300}, kNan, {kNan}},
                    {{1e+308}, 1e-154, {-0.0}},
                    {{-1e+308}, kNan, {kNan}},
                    {{kInfinity}, 0.0, {-0.0}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{4.0}, 0.5, {-0.0625}},
                    {{-1.0}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::rsqrt);
  return tests;
}

WENGERT_OP_TESTS(cbrt) {
  OpTests tests = unary_tests(
      wengert::cbrt, [](double x) { return std::cbrt(x); }, 0.2, 9.0);
  tests.specials = {{{0.0}, 0.0, {kInfinity}},
                    {{-0.0}, -0.0, {kInfinity}},
                    {{1e-300}, 1e-100, {3.3333333333333334e+199}},
                    {{-1e-300}, -1e-100, {3.3333333333333334e+199}},
                    {{1e+308}, 4.641588833612779e+102, {1.5471962778709263e-206}},
                    {{-1e+308}, -4.641588833612779e+102, {1.5471962778709263e-206}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{8.0}, 2.0, {0.08333333333333333}},
                    {{-8.0}, -2.0, {0.08333333333333333}}};
  tests.rejected = float_rejections(wengert::cbrt);
  return tests;
}
#endif
