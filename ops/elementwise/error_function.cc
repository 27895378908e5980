#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Erf {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return erf(x);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.1283791670955126 * exp(-square(x));
    }
  };

  struct Erfc {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return erfc(x);
    }
    template <class T>
    static T partial(T x, T) {
      return -1.1283791670955126 * exp(-square(x));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(erf, Erf, Floats)
WENGERT_UNARY(erfc, Erfc, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef erf_op =
    unary<formulas::Erf>("erf", erf_elementwise,
                         {.summary = "Error function.",
                          .formula = "y = 2/√π ∫₀ˣ exp(−t²) dt",
                          .arguments = "x: float32 or float64, any shape; ±1 at ±∞",
                          .gradient = "∂y/∂x = 2/√π · exp(−x²)",
                          .source = "DLMF §7.2"});

constinit const OpDef erfc_op = unary<formulas::Erfc>(
    "erfc", erfc_elementwise,
    {.summary = "Complementary error function, without cancellation for large x.",
     .formula = "y = 1 − erf(x) = 2/√π ∫ₓ^∞ exp(−t²) dt",
     .arguments = "x: float32 or float64, any shape; 0 at ∞, 2 at −∞",
     .gradient = "∂y/∂x = −2/√π · exp(−x²)",
     .source = "DLMF §7.2"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(erf) {
  OpTests tests = unary_tests(
      wengert::erf, [](double x) { return std::erf(x); }, -2.0, 2.0);
  tests.specials = {{{0.0}, 0.0, {1.1283791670955126}},
                    {{-0.0}, -0.0, {1.1283791670955126}},
                    {{1e-300}, 1.1283791670955126e-300, {1.1283791670955126}},
                    {{-1e-300}, -1.1283791670955126e-300, {1.1283791670955126}},
                    {{1e+308}, 1.0, {0.0}},
                    {{-1e+308}, -1.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{40.0}, 1.0, {0.0}},
                    {{-40.0}, -1.0, {0.0}}};
  tests.rejected = float_rejections(wengert::erf);
  return tests;
}

WENGERT_OP_TESTS(erfc) {
  OpTests tests = unary_tests(
      wengert::erfc, [](double x) { return std::erfc(x); }, -2.0, 2.0);
  tests.specials = {{{0.0}, 1.0, {-1.1283791670955126}},
                    {{-0.0}, 1.0, {-1.1283791670955126}},
                    {{1e-300}, 1.0, {-1.1283791670955126}},
                    {{-1e-300}, 1.0, {-1.1283791670955126}},
                    {{1e+308}, 0.0, {-0.0}},
                    {{-1e+308}, 2.0, {-0.0}},
                    {{kInfinity}, 0.0, {-0.0}},
                    {{-kInfinity}, 2.0, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{5.0}, 1.5374597944280347e-12, {-1.5670866531017336e-11}},
                    {{40.0}, 0.0, {-0.0}},
                    {{-40.0}, 2.0, {-0.0}}};
  tests.rejected = float_rejections(wengert::erfc);
  return tests;
}
#endif
