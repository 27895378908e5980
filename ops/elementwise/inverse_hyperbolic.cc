#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Asinh {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return asinh(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / hypot(x, like(x, 1.0));
    }
  };

  struct Acosh {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return acosh(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0));
    }
  };

  struct Atanh {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return atanh(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / one_minus_square(x);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(asinh, Asinh, Floats)
WENGERT_UNARY(acosh, Acosh, Floats)
WENGERT_UNARY(atanh, Atanh, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef asinh_op =
    unary<formulas::Asinh>("asinh", asinh_elementwise,
                           {.summary = "Inverse hyperbolic sine.",
                            .formula = "y = ln(x + √(x² + 1))",
                            .arguments = "x: float32 or float64, any shape",
                            .gradient = "∂y/∂x = 1/√(x² + 1), without overflow of x²",
                            .source = "DLMF §4.37"});

constinit const OpDef acosh_op =
    unary<formulas::Acosh>("acosh", acosh_elementwise,
                           {.summary = "Inverse hyperbolic cosine.",
                            .formula = "y = ln(x + √(x² − 1)), y ≥ 0",
                            .arguments = "x: float32 or float64, any shape; NaN below 1",
                            .gradient = "∂y/∂x = 1/√(x² − 1): +∞ at 1, NaN below",
                            .source = "DLMF §4.37"});

constinit const OpDef atanh_op = unary<formulas::Atanh>(
    "atanh", atanh_elementwise,
    {.summary = "Inverse hyperbolic tangent.",
     .formula = "y = ½·ln((1 + x)/(1 − x))",
     .arguments = "x: float32 or float64, any shape; ±∞ at ±1, NaN outside [−1, 1]",
     .gradient = "∂y/∂x = 1/(1 − x²): +∞ at ±1, also outside where y is NaN",
     .source = "DLMF §4.37"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(asinh) {
  OpTests tests = unary_tests(
      wengert::asinh, [](double x) { return std::asinh(x); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, 709.889355822726, {1e-308}},
                    {{-1e+308}, -709.889355822726, {1e-308}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e+200}, 461.2101657793691, {1e-200}}};
  tests.rejected = float_rejections(wengert::asinh);
  return tests;
}

WENGERT_OP_TESTS(acosh) {
  OpTests tests = unary_tests(
      wengert::acosh, [](double x) { return std::acosh(x); }, 1.2, 6.0);
  tests.specials = {{{0.0}, kNan, {kNan}},
                    {{-0.0}, kNan, {kNan}},
                    {{1e-300}, kNan, {kNan}},
                    {{-1e-300}, kNan, {kNan}},
                    {{1e+308}, 709.889355822726, {1e-308}},
                    {{-1e+308}, kNan, {kNan}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.0, {kInfinity}},
                    {{2.0}, 1.3169578969248168, {0.5773502691896258}},
                    {{1e+200}, 461.2101657793691, {1e-200}}};
  tests.rejected = float_rejections(wengert::acosh);
  return tests;
}

WENGERT_OP_TESTS(atanh) {
  OpTests tests = unary_tests(
      wengert::atanh, [](double x) { return 0.5 * (std::log1p(x) - std::log1p(-x)); }, -0.9, 0.9);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, kNan, {-0.0}},
                    {{-1e+308}, kNan, {-0.0}},
                    {{kInfinity}, kNan, {-0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, kInfinity, {kInfinity}},
                    {{-1.0}, -kInfinity, {kInfinity}},
                    {{0.5}, 0.5493061443340549, {1.3333333333333333}},
                    {{2.0}, kNan, {-0.3333333333333333}}};
  tests.rejected = float_rejections(wengert::atanh);
  return tests;
}
#endif
