#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Pow {
    static constexpr int reads_a = kA | kB, reads_b = kA | kY;
    template <class T>
    static T value(T a, T b) {
      return pow(a, b);
    }
    /// As a product in which b = 0 wins, so that 0⁰ has the derivative 0 and not 0·∞, while the
    /// derivative by b at b = 0 still is 1/a.
    template <class T>
    static T partial_a(T a, T b, T) {
      return cotangent_product(b, pow(a, b - 1.0));
    }
    /// 0ᵇ is constant for b > 0: ln 0 must not meet the 0 it is multiplied by, in no order. For
    /// b < 0, where y is infinite, it falls without end.
    template <class T>
    static T partial_b(T a, T, T y) {
      constexpr double kInfinity = __builtin_huge_val();
      const T at_zero = where(abs(y) > 1.0, like(a, -kInfinity), like(a, 0.0));
      const auto zero = equal(a, 0.0);
      return y * where(zero, at_zero, log(where(zero, like(a, 1.0), a)));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_BINARY(pow, Pow, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef pow_op = binary<formulas::Pow>(
    "pow", pow_elementwise,
    {.summary = "a to the power of b.",
     .formula = "y = aᵇ",
     .arguments = "a, b: float32 or float64 tensors of one dtype, broadcast together; NaN for "
                  "a < 0 with fractional b; a⁰ = 1 and 1ᵇ = 1 even for NaN",
     .gradient = "∂y/∂a = b·aᵇ⁻¹, 0 where b = 0; ∂y/∂b = y·ln a: NaN where a < 0, 0 where a = 0 "
                 "and b ≥ 0, −∞ where a = 0 and b < 0; at infinite b as the products give it",
     .source = "C17 §F.10.4.4"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(pow) {
  OpTests tests = binary_tests(
      wengert::pow, [](double a, double b) { return std::exp2(b * std::log2(a)); }, 0.3, 3.0, -2.5,
      2.5);
  tests.specials = {{{2.0, 3.0}, 8.0, {12.0, 5.545177444479562}},
                    {{-2.0, 3.0}, -8.0, {12.0, kNan}},
                    {{-2.0, 2.0}, 4.0, {-4.0, kNan}},
                    {{-2.0, 0.5}, kNan, {kNan, kNan}},
                    {{0.0, 0.0}, 1.0, {0.0, 0.0}},
                    {{-0.0, 0.0}, 1.0, {0.0, 0.0}},
                    {{0.0, 1.0}, 0.0, {1.0, 0.0}},
                    {{0.0, 2.0}, 0.0, {0.0, 0.0}},
                    {{-0.0, 3.0}, -0.0, {0.0, -0.0}},
                    {{0.0, 0.5}, 0.0, {kInfinity, 0.0}},
                    {{0.0, -1.0}, kInfinity, {-kInfinity, -kInfinity}},
                    {{-0.0, -1.0}, -kInfinity, {-kInfinity, kInfinity}},
                    {{3.0, 0.0}, 1.0, {0.0, 1.0986122886681098}},
                    {{1.0, kInfinity}, 1.0, {kInfinity, 0.0}},
                    {{1e-300, 1.0}, 1e-300, {1.0, -6.907755278982137e-298}},
                    {{1e308, 1.0}, 1e308, {1.0, kInfinity}},
                    {{1e308, 2.0}, kInfinity, {kInfinity, kInfinity}},
                    {{2.0, -kInfinity}, 0.0, {kNan, 0.0}},
                    {{kInfinity, 0.0}, 1.0, {0.0, kInfinity}},
                    {{kInfinity, 2.0}, kInfinity, {kInfinity, kInfinity}},
                    {{kInfinity, -2.0}, 0.0, {-0.0, kNan}},
                    {{kNan, 0.0}, 1.0, {0.0, kNan}},
                    {{kNan, 2.0}, kNan, {kNan, kNan}},
                    {{2.0, kNan}, kNan, {kNan, kNan}}};
  tests.rejected = float_rejections(wengert::pow);
  return tests;
}
#endif
