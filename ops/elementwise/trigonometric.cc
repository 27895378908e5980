#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Sin {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return sin(x);
    }
    template <class T>
    static T partial(T x, T) {
      return cos(x);
    }
  };

  struct Cos {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return cos(x);
    }
    template <class T>
    static T partial(T x, T) {
      return -sin(x);
    }
  };

  struct Tan {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return where(abs(x) < 1e-9, x, tan(x));  // the vector form flushes the smallest numbers
    }
    template <class T>
    static T partial(T, T y) {
      return 1.0 + square(y);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(sin, Sin, Floats)
WENGERT_UNARY(cos, Cos, Floats)
WENGERT_UNARY(tan, Tan, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef sin_op =
    unary<formulas::Sin>("sin", sin_elementwise,
                         {.summary = "Sine.",
                          .formula = "y = sin x",
                          .arguments = "x: float32 or float64, any shape, in radians; NaN at ±∞",
                          .gradient = "∂y/∂x = cos x",
                          .source = "DLMF §4.14"});

constinit const OpDef cos_op =
    unary<formulas::Cos>("cos", cos_elementwise,
                         {.summary = "Cosine.",
                          .formula = "y = cos x",
                          .arguments = "x: float32 or float64, any shape, in radians; NaN at ±∞",
                          .gradient = "∂y/∂x = −sin x",
                          .source = "DLMF §4.14"});

constinit const OpDef tan_op =
    unary<formulas::Tan>("tan", tan_elementwise,
                         {.summary = "Tangent.",
                          .formula = "y = tan x",
                          .arguments = "x: float32 or float64, any shape, in radians; NaN at ±∞",
                          .gradient = "∂y/∂x = 1 + y²",
                          .source = "DLMF §4.14"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(sin) {
  OpTests tests = unary_tests(
      wengert::sin, [](double x) { return std::sin(x); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, 0.4533964905016491, {-0.8913089376870335}},
                    {{-1e+308}, -0.4533964905016491, {-0.8913089376870335}},
                    {{kInfinity}, kNan, {kNan}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1e+22}, -0.8522008497671888, {0.523214785395139}},
                    {{12345.678}, -0.7040813137533816, {0.7101193587160628}}};
  tests.rejected = float_rejections(wengert::sin);
  return tests;
}

WENGERT_OP_TESTS(cos) {
  OpTests tests = unary_tests(
      wengert::cos, [](double x) { return std::cos(x); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 1.0, {-0.0}},
                    {{-0.0}, 1.0, {0.0}},
                    {{1e-300}, 1.0, {-1e-300}},
                    {{-1e-300}, 1.0, {1e-300}},
                    {{1e+308}, -0.8913089376870335, {-0.4533964905016491}},
                    {{-1e+308}, -0.8913089376870335, {0.4533964905016491}},
                    {{kInfinity}, kNan, {kNan}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1e+22}, 0.523214785395139, {0.8522008497671888}},
                    {{12345.678}, 0.7101193587160628, {0.7040813137533816}}};
  tests.rejected = float_rejections(wengert::cos);
  return tests;
}

WENGERT_OP_TESTS(tan) {
  OpTests tests = unary_tests(
      wengert::tan, [](double x) { return std::sin(x) / std::cos(x); }, -1.2, 1.2);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, -0.5086861259107568, {1.2587615746940943}},
                    {{-1e+308}, 0.5086861259107568, {1.2587615746940943}},
                    {{kInfinity}, kNan, {kNan}},
                    {{-kInfinity}, kNan, {kNan}},
                    {{kNan}, kNan, {kNan}},
                    {{1e+22}, -1.6287782256068988, {3.6529185082111577}},
                    {{12345.678}, -0.9914971407432149, {1.9830665801019705}}};
  tests.rejected = float_rejections(wengert::tan);
  return tests;
}
#endif
