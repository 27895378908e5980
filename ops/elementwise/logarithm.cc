#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Log {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return log(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / x;
    }
  };

  struct Log1p {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return log1p(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / (1.0 + x);
    }
  };

  struct Log2 {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return log2(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.4426950408889634 / x;
    }
  };

  struct Log10 {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return log10(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 0.4342944819032518 / x;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(log, Log, Floats)
WENGERT_UNARY(log1p, Log1p, Floats)
WENGERT_UNARY(log2, Log2, Floats)
WENGERT_UNARY(log10, Log10, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef log_op =
    unary<formulas::Log>("log", log_elementwise,
                         {.summary = "Natural logarithm.",
                          .formula = "y = ln x",
                          .arguments = "x: float32 or float64, any shape; −∞ at ±0, NaN below",
                          .gradient = "∂y/∂x = 1/x, also below 0 where y is NaN",
                          .source = "DLMF §4.2"});

constinit const OpDef log1p_op =
    unary<formulas::Log1p>("log1p", log1p_elementwise,
                           {.summary = "ln(1 + x) without cancellation near 0.",
                            .formula = "y = ln(1 + x)",
                            .arguments = "x: float32 or float64, any shape; −∞ at −1, NaN below",
                            .gradient = "∂y/∂x = 1/(1 + x), also below −1 where y is NaN",
                            .source = "C17 §7.12.6.9"});

constinit const OpDef log2_op =
    unary<formulas::Log2>("log2", log2_elementwise,
                          {.summary = "Logarithm to base 2.",
                           .formula = "y = log₂ x",
                           .arguments = "x: float32 or float64, any shape; −∞ at ±0, NaN below",
                           .gradient = "∂y/∂x = 1/(x·ln 2), also below 0 where y is NaN",
                           .source = "C17 §7.12.6.10"});

constinit const OpDef log10_op =
    unary<formulas::Log10>("log10", log10_elementwise,
                           {.summary = "Logarithm to base 10.",
                            .formula = "y = log₁₀ x",
                            .arguments = "x: float32 or float64, any shape; −∞ at ±0, NaN below",
                            .gradient = "∂y/∂x = 1/(x·ln 10), also below 0 where y is NaN",
                            .source = "C17 §7.12.6.8"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(log) {
  OpTests tests = unary_tests(
      wengert::log, [](double x) { return std::log(x); }, 0.2, 6.0);
  tests.specials = {{{0.0}, -kInfinity, {kInfinity}},
                    {{-0.0}, -kInfinity, {-kInfinity}},
                    {{1e-300}, -690.7755278982137, {9.999999999999999e+299}},
                    {{-1e-300}, kNan, {-9.999999999999999e+299}},
                    {{1e+308}, 709.1962086421661, {1e-308}},
                    {{-1e+308}, kNan, {-1e-308}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.0, {1.0}},
                    {{-1.0}, kNan, {-1.0}}};
  tests.rejected = float_rejections(wengert::log);
  return tests;
}

WENGERT_OP_TESTS(log1p) {
  OpTests tests = unary_tests(
      wengert::log1p, [](double x) { return std::log1p(x); }, -0.7, 5.0);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{1e+308}, 709.1962086421661, {1e-308}},
                    {{-1e+308}, kNan, {-1e-308}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 9.999999999500001e-11, {0.9999999999}},
                    {{-1e-10}, -1.00000000005e-10, {1.0000000001}},
                    {{-1.0}, -kInfinity, {kInfinity}},
                    {{-2.0}, kNan, {-1.0}}};
  tests.rejected = float_rejections(wengert::log1p);
  return tests;
}

WENGERT_OP_TESTS(log2) {
  OpTests tests = unary_tests(
      wengert::log2, [](double x) { return std::log2(x); }, 0.2, 6.0);
  tests.specials = {{{0.0}, -kInfinity, {kInfinity}},
                    {{-0.0}, -kInfinity, {-kInfinity}},
                    {{1e-300}, -996.5784284662087, {1.4426950408889632e+300}},
                    {{-1e-300}, kNan, {-1.4426950408889632e+300}},
                    {{1e+308}, 1023.1538532253076, {1.4426950408889634e-308}},
                    {{-1e+308}, kNan, {-1.4426950408889634e-308}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.0, {1.4426950408889634}},
                    {{1024.0}, 10.0, {0.0014088818758681283}},
                    {{-1.0}, kNan, {-1.4426950408889634}}};
  tests.rejected = float_rejections(wengert::log2);
  return tests;
}

WENGERT_OP_TESTS(log10) {
  OpTests tests = unary_tests(
      wengert::log10, [](double x) { return std::log10(x); }, 0.2, 6.0);
  tests.specials = {{{0.0}, -kInfinity, {kInfinity}},
                    {{-0.0}, -kInfinity, {-kInfinity}},
                    {{1e-300}, -300.0, {4.342944819032517e+299}},
                    {{-1e-300}, kNan, {-4.342944819032517e+299}},
                    {{1e+308}, 308.0, {4.342944819032518e-309}},
                    {{-1e+308}, kNan, {-4.342944819032518e-309}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1.0}, 0.0, {0.43429448190325176}},
                    {{1000.0}, 3.0, {0.0004342944819032518}},
                    {{-1.0}, kNan, {-0.43429448190325176}}};
  tests.rejected = float_rejections(wengert::log10);
  return tests;
}
#endif
