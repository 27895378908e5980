#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Relu {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return where(x <= 0.0, like(x, 0.0), x);  // in this order NaN stays NaN
    }
    template <class T>
    static T partial(T, T y) {
      return where(y > 0.0, like(y, 1.0), where(equal(y, 0.0), like(y, 0.0), y));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(relu, Relu, Numbers)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef relu_op = unary<formulas::Relu>(
    "relu", relu_elementwise,
    {.summary = "Rectified linear unit.",
     .formula = "y = max(0, x)",
     .arguments = "x: any floating or integer tensor; NaN stays NaN",
     .gradient = "∂y/∂x = 1 where x > 0, else 0: the subgradient at 0 is 0; NaN at NaN",
     .source = "V. Nair, G. Hinton, Rectified linear units improve restricted "
               "Boltzmann machines, ICML 2010"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(relu) {
  OpTests tests = unary_tests(
      wengert::relu, [](double x) { return std::max(x, 0.0); }, 0.1, 3.0);
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, 0.0, {0.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, 0.0, {0.0}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{-2.5}, 0.0, {0.0}},
                    {{2.5}, 2.5, {1.0}}};
  add_integer_samples(tests, wengert::relu, [](double x) { return x > 0 ? x : 0.0; });
  tests.rejected = number_rejections(wengert::relu);
  return tests;
}
#endif
