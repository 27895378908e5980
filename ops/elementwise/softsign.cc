#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Softsign {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return where(is_inf(x), sign(x), x / (1.0 + abs(x)));
    }
    template <class T>
    static T partial(T x, T) {
      return square(1.0 / (1.0 + abs(x)));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(softsign, Softsign, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef softsign_op = unary<formulas::Softsign>(
    "softsign", softsign_elementwise,
    {.summary = "Goes from −1 to 1 as tanh does, but slowly: its tails are those of 1/x.",
     .formula = "y = x/(1 + |x|)",
     .arguments = "x: float32 or float64, any shape; ±1 at ±∞; NaN stays NaN",
     .gradient = "∂y/∂x = 1/(1 + |x|)²; the second one, −2·sign(x)/(1 + |x|)³, jumps at 0, where "
                 "it is 0",
     .source = "J. Turian, J. Bergstra, Y. Bengio, Quadratic features and deep architectures for "
               "chunking, NAACL 2009"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(softsign) {
  OpTests tests = unary_tests(
      wengert::softsign, [](double x) { return x > 0 ? 1 / (1 / x + 1) : 1 / (1 / x - 1); }, 0.1,
      4);
  alternate_signs(tests);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{-1.0}, -0.5, {0.25}},
                    {{1.0}, 0.5, {0.25}},
                    {{-40.0}, -0.975609756097561, {0.000594883997620464}},
                    {{40.0}, 0.975609756097561, {0.000594883997620464}},
                    {{-10000.0}, -0.9999000099990001, {9.998000299960006e-09}},
                    {{10000.0}, 0.9999000099990001, {9.998000299960006e-09}},
                    {{1e-10}, 9.999999999e-11, {0.9999999998}},
                    {{-1e-10}, -9.999999999e-11, {0.9999999998}},
                    {{1e+308}, 1.0, {0.0}},
                    {{-1e+308}, -1.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::softsign);
  return tests;
}
#endif
