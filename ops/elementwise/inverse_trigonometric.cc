#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Asin {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return asin(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / sqrt(one_minus_square(x));
    }
  };

  struct Acos {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return acos(x);
    }
    template <class T>
    static T partial(T x, T) {
      return -1.0 / sqrt(one_minus_square(x));
    }
  };

  struct Atan {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return atan(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / (1.0 + square(x));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(asin, Asin, Floats)
WENGERT_UNARY(acos, Acos, Floats)
WENGERT_UNARY(atan, Atan, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef asin_op =
    unary<formulas::Asin>("asin", asin_elementwise,
                          {.summary = "Inverse sine.",
                           .formula = "y = arcsin x, in [−π/2, π/2]",
                           .arguments = "x: float32 or float64, any shape; NaN outside [−1, 1]",
                           .gradient = "∂y/∂x = 1/√(1 − x²): +∞ at ±1, NaN outside",
                           .source = "DLMF §4.23"});

constinit const OpDef acos_op =
    unary<formulas::Acos>("acos", acos_elementwise,
                          {.summary = "Inverse cosine.",
                           .formula = "y = arccos x, in [0, π]",
                           .arguments = "x: float32 or float64, any shape; NaN outside [−1, 1]",
                           .gradient = "∂y/∂x = −1/√(1 − x²): −∞ at ±1, NaN outside",
                           .source = "DLMF §4.23"});

constinit const OpDef atan_op =
    unary<formulas::Atan>("atan", atan_elementwise,
                          {.summary = "Inverse tangent.",
                           .formula = "y = arctan x, in [−π/2, π/2]",
                           .arguments = "x: float32 or float64, any shape; ±π/2 at ±∞",
                           .gradient = "∂y/∂x = 1/(1 + x²)",
                           .source = "DLMF §4.23"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(asin) {
  OpTests tests = unary_tests(
      wengert::asin, [](double x) { return std::asin(x); }, -0.9, 0.9);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, kNan, {kNan}},
                    {{-1e+308}, kNan, {kNan}},
                    {{kInfinity}, kNan, {kNan}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 1.5707963267948966, {kInfinity}},
                    {{-1.0}, -1.5707963267948966, {kInfinity}},
                    {{0.5}, 0.5235987755982989, {1.1547005383792517}}};
  tests.rejected = float_rejections(wengert::asin);
  return tests;
}

WENGERT_OP_TESTS(acos) {
  OpTests tests = unary_tests(
      wengert::acos, [](double x) { return std::acos(x); }, -0.9, 0.9);
  tests.specials = {{{0.0}, 1.5707963267948966, {-1.0}},
                    {{-0.0}, 1.5707963267948966, {-1.0}},
                    {{1e-300}, 1.5707963267948966, {-1.0}},
                    {{-1e-300}, 1.5707963267948966, {-1.0}},
                    {{1e+308}, kNan, {kNan}},
                    {{-1e+308}, kNan, {kNan}},
                    {{kInfinity}, kNan, {kNan}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.0, {-kInfinity}},
                    {{-1.0}, 3.141592653589793, {-kInfinity}},
                    {{0.5}, 1.0471975511965976, {-1.1547005383792517}}};
  tests.rejected = float_rejections(wengert::acos);
  return tests;
}

WENGERT_OP_TESTS(atan) {
  OpTests tests = unary_tests(
      wengert::atan, [](double x) { return std::atan(x); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, 1.5707963267948966, {0.0}},
                    {{-1e+308}, -1.5707963267948966, {0.0}},
                    {{kInfinity}, 1.5707963267948966, {0.0}},
                    {{-kInfinity}, -1.5707963267948966, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.7853981633974483, {0.5}}};
  tests.rejected = float_rejections(wengert::atan);
  return tests;
}
#endif
