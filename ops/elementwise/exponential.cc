#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Exp {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return exp(x);
    }
    template <class T>
    static T partial(T, T y) {
      return y;
    }
  };

  struct Exp2 {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return exp2(x);
    }
    template <class T>
    static T partial(T, T y) {
      return y * 0.6931471805599453;
    }
  };

  struct Expm1 {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return expm1(x);
    }
    template <class T>
    static T partial(T x, T) {
      return exp(x);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(exp, Exp, Floats)
WENGERT_UNARY(exp2, Exp2, Floats)
WENGERT_UNARY(expm1, Expm1, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef exp_op =
    unary<formulas::Exp>("exp", exp_elementwise,
                         {.summary = "Exponential function.",
                          .formula = "y = eˣ",
                          .arguments = "x: float32 or float64, any shape",
                          .gradient = "∂y/∂x = y",
                          .source = "DLMF §4.2"});

constinit const OpDef exp2_op =
    unary<formulas::Exp2>("exp2", exp2_elementwise,
                          {.summary = "Power of two.",
                           .formula = "y = 2ˣ",
                           .arguments = "x: float32 or float64, any shape",
                           .gradient = "∂y/∂x = y·ln 2",
                           .source = "C17 §7.12.6.2"});

constinit const OpDef expm1_op = unary<formulas::Expm1>(
    "expm1", expm1_elementwise,
    {.summary = "eˣ − 1 without cancellation near 0.",
     .formula = "y = eˣ − 1",
     .arguments = "x: float32 or float64, any shape",
     .gradient = "∂y/∂x = eˣ, computed from x: y + 1 would lose it where y ≈ −1",
     .source = "C17 §7.12.6.3"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(exp) {
  OpTests tests = unary_tests(
      wengert::exp, [](double x) { return std::exp(x); }, -2.5, 2.5);
  tests.specials = {{{0.0}, 1.0, {1.0}},
                    {{-0.0}, 1.0, {1.0}},
                    {{1e-300}, 1.0, {1.0}},
                    {{-1e-300}, 1.0, {1.0}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{-800.0}, 0.0, {0.0}},
                    {{800.0}, kInfinity, {kInfinity}}};
  tests.rejected = float_rejections(wengert::exp);
  return tests;
}

WENGERT_OP_TESTS(exp2) {
  OpTests tests = unary_tests(
      wengert::exp2, [](double x) { return std::pow(2.0, x); }, -3.0, 3.0);
  tests.specials = {{{0.0}, 1.0, {0.6931471805599453}},
                    {{-0.0}, 1.0, {0.6931471805599453}},
                    {{1e-300}, 1.0, {0.6931471805599453}},
                    {{-1e-300}, 1.0, {0.6931471805599453}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{10.0}, 1024.0, {709.782712893384}},
                    {{-10.0}, 0.0009765625, {0.0006769015435155716}},
                    {{1100.0}, kInfinity, {kInfinity}},
                    {{-1100.0}, 0.0, {0.0}}};
  tests.rejected = float_rejections(wengert::exp2);
  return tests;
}

WENGERT_OP_TESTS(expm1) {
  OpTests tests = unary_tests(
      wengert::expm1, [](double x) { return std::expm1(x); }, -2.5, 2.5);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, -1.0, {0.0}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 1.00000000005e-10, {1.0000000001}},
                    {{-1e-10}, -9.999999999500001e-11, {0.9999999999}},
                    {{-40.0}, -1.0, {4.248354255291589e-18}},
                    {{800.0}, kInfinity, {kInfinity}},
                    {{-800.0}, -1.0, {0.0}}};
  tests.rejected = float_rejections(wengert::expm1);
  return tests;
}
#endif
