#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Sinh {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return sinh(x);
    }
    template <class T>
    static T partial(T x, T) {
      return cosh(x);
    }
  };

  struct Cosh {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return cosh(x);
    }
    template <class T>
    static T partial(T x, T) {
      return sinh(x);
    }
  };

  struct Tanh {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return tanh(x);
    }
    template <class T>
    static T partial(T, T y) {
      return 1.0 - square(y);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(sinh, Sinh, Floats)
WENGERT_UNARY(cosh, Cosh, Floats)
WENGERT_UNARY(tanh, Tanh, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef sinh_op =
    unary<formulas::Sinh>("sinh", sinh_elementwise,
                          {.summary = "Hyperbolic sine.",
                           .formula = "y = (eˣ − e⁻ˣ)/2",
                           .arguments = "x: float32 or float64, any shape",
                           .gradient = "∂y/∂x = cosh x",
                           .source = "DLMF §4.28"});

constinit const OpDef cosh_op =
    unary<formulas::Cosh>("cosh", cosh_elementwise,
                          {.summary = "Hyperbolic cosine.",
                           .formula = "y = (eˣ + e⁻ˣ)/2",
                           .arguments = "x: float32 or float64, any shape",
                           .gradient = "∂y/∂x = sinh x",
                           .source = "DLMF §4.28"});

constinit const OpDef tanh_op =
    unary<formulas::Tanh>("tanh", tanh_elementwise,
                          {.summary = "Hyperbolic tangent.",
                           .formula = "y = tanh(x)",
                           .arguments = "x: float32 or float64, any shape; tanh(±∞) = ±1",
                           .gradient = "∂y/∂x = 1 − y²",
                           .source = "DLMF §4.28"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(sinh) {
  OpTests tests = unary_tests(
      wengert::sinh, [](double x) { return (std::expm1(x) - std::expm1(-x)) / 2; }, -2.5, 2.5);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, -kInfinity, {kInfinity}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, -kInfinity, {kInfinity}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 1e-10, {1.0}},
                    {{800.0}, kInfinity, {kInfinity}},
                    {{-800.0}, -kInfinity, {kInfinity}}};
  tests.rejected = float_rejections(wengert::sinh);
  return tests;
}

WENGERT_OP_TESTS(cosh) {
  OpTests tests = unary_tests(
      wengert::cosh, [](double x) { return (std::exp(x) + std::exp(-x)) / 2; }, -2.5, 2.5);
  tests.specials = {{{0.0}, 1.0, {0.0}},
                    {{-0.0}, 1.0, {-0.0}},
                    {{1e-300}, 1.0, {1e-300}},
                    {{-1e-300}, 1.0, {-1e-300}},
                    {{1e+308}, kInfinity, {kInfinity}},
                    {{-1e+308}, kInfinity, {-kInfinity}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{-kInfinity}, kInfinity, {-kInfinity}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 1.0, {1e-10}},
                    {{800.0}, kInfinity, {kInfinity}},
                    {{-800.0}, kInfinity, {-kInfinity}}};
  tests.rejected = float_rejections(wengert::cosh);
  return tests;
}

WENGERT_OP_TESTS(tanh) {
  OpTests tests = unary_tests(
      wengert::tanh, [](double x) { return std::expm1(2 * x) / (std::expm1(2 * x) + 2); }, -2.5,
      2.5);
  tests.specials = {
      {{0.0}, 0.0, {1.0}},         {{-0.0}, -0.0, {1.0}},       {{1e-300}, 1e-300, {1.0}},
      {{-1e-300}, -1e-300, {1.0}}, {{1e+308}, 1.0, {0.0}},      {{-1e+308}, -1.0, {0.0}},
      {{kInfinity}, 1.0, {0.0}},   {{-kInfinity}, -1.0, {0.0}}, {{kNan}, kNan, {kNan}},
      {{40.0}, 1.0, {0.0}},        {{-40.0}, -1.0, {0.0}}};
  tests.rejected = float_rejections(wengert::tanh);
  return tests;
}
#endif
