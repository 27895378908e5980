#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Abs {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return abs(x);
    }
    template <class T>
    static T partial(T x, T) {
      return sign(x);
    }
  };

  struct Sign {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return sign(x);
    }
    template <class T>
    static double partial(T, T) {
      return 0.0;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(abs, Abs, Numbers)
WENGERT_UNARY(sign, Sign, Numbers)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef abs_op = unary<formulas::Abs>(
    "abs", abs_elementwise,
    {.summary = "Absolute value.",
     .formula = "y = |x|",
     .arguments = "x: any floating or integer tensor; the smallest integer wraps to "
                  "itself",
     .gradient = "∂y/∂x = sign(x): the subgradient at 0 is 0",
     .source = "elementary"});

constinit const OpDef sign_op = unary<formulas::Sign>(
    "sign", sign_elementwise,
    {.summary = "Sign: −1, 0 or 1.",
     .formula = "y = −1 where x < 0, 1 where x > 0, else x",
     .arguments = "x: any floating or integer tensor; ±0 stay ±0, NaN stays NaN",
     .gradient = "∂y/∂x = 0 everywhere, at 0 too",
     .source = "elementary"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(abs) {
  OpTests tests = unary_tests(
      wengert::abs, [](double x) { return x < 0 ? -x : x; }, 0.1, 3.0);
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, 0.0, {-0.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, 1e-300, {-1.0}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, 1e+308, {-1.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, kInfinity, {-1.0}},
                    {{kNan}, kNan, {kNan}},
                    {{-2.5}, 2.5, {-1.0}}};
  add_integer_samples(tests, wengert::abs, [](double x) { return std::fabs(x); });
  tests.rejected = number_rejections(wengert::abs);
  return tests;
}

WENGERT_OP_TESTS(sign) {
  OpTests tests = unary_tests(
      wengert::sign, [](double x) { return static_cast<double>((x > 0) - (x < 0)); }, 0.1, 3.0);
  tests.specials = {{{0.0}, 0.0, {0.0}},       {{-0.0}, -0.0, {0.0}},
                    {{1e-300}, 1.0, {0.0}},    {{-1e-300}, -1.0, {0.0}},
                    {{1e+308}, 1.0, {0.0}},    {{-1e+308}, -1.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}}, {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {0.0}},     {{-2.5}, -1.0, {0.0}}};
  add_integer_samples(tests, wengert::sign,
                      [](double x) { return static_cast<double>((x > 0) - (x < 0)); });
  tests.rejected = number_rejections(wengert::sign);
  return tests;
}
#endif
