#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Hypot {
    static constexpr int reads_a = kA | kB | kY, reads_b = kA | kB | kY;
    template <class T>
    static T value(T a, T b) {
      return hypot(a, b);
    }
    template <class T>
    static T partial_a(T a, T b, T y) {
      return where(equal(y, 0.0), like(y, 0.0), share_of_length(a, b, y));
    }
    template <class T>
    static T partial_b(T a, T b, T y) {
      return where(equal(y, 0.0), like(y, 0.0), share_of_length(b, a, y));
    }
  };

  struct Atan2 {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T a, T b) {
      return atan2(a, b);
    }
    /// Divided twice by the radius instead of once by its square, which overflows.
    template <class T>
    static T partial_a(T a, T b, T) {
      const T radius = hypot(a, b);
      return where(equal(radius, 0.0), like(a, 0.0), b / radius / radius);
    }
    template <class T>
    static T partial_b(T a, T b, T) {
      const T radius = hypot(a, b);
      return where(equal(radius, 0.0), like(a, 0.0), -a / radius / radius);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_BINARY(hypot, Hypot, Floats)
WENGERT_BINARY(atan2, Atan2, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef hypot_op = binary<formulas::Hypot>(
    "hypot", hypot_elementwise,
    {.summary = "Length of a two-dimensional vector, without overflow of the squares.",
     .formula = "y = √(a² + b²)",
     .arguments = "a, b: float32 or float64 tensors of one dtype, broadcast together; ∞ where "
                  "either is ±∞, even beside NaN",
     .gradient = "∂y/∂a = a/y, ∂y/∂b = b/y; both 0 at (0, 0); NaN for an infinite side",
     .source = "C17 §F.10.4.3"});

constinit const OpDef atan2_op = binary<formulas::Atan2>(
    "atan2", atan2_elementwise,
    {.summary = "Angle of the point (b, a), in all four quadrants.",
     .formula = "y = arg(b + i·a), in [−π, π]",
     .arguments = "a (the ordinate), b (the abscissa): float32 or float64 tensors of one dtype, "
                  "broadcast together; zeros and infinities as in C",
     .gradient = "∂y/∂a = b/(a² + b²), ∂y/∂b = −a/(a² + b²); both 0 at (0, 0); NaN for an "
                 "infinite side",
     .source = "C17 §F.10.1.4"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(hypot) {
  OpTests tests = binary_tests(
      wengert::hypot, [](double a, double b) { return std::sqrt(a * a + b * b); }, -3.0, 3.0, 0.3,
      3.0);
  tests.specials = {{{3.0, -4.0}, 5.0, {0.6, -0.8}},
                    {{0.0, 0.0}, 0.0, {0.0, 0.0}},
                    {{-0.0, 0.0}, 0.0, {0.0, 0.0}},
                    {{0.0, 2.0}, 2.0, {0.0, 1.0}},
                    {{-2.0, 0.0}, 2.0, {-1.0, 0.0}},
                    {{1e-300, 0.0}, 1e-300, {1.0, 0.0}},
                    {{3e-300, 4e-300}, 5e-300, {0.6, 0.8}},
                    {{3e307, 4e307}, 5e307, {0.6, 0.8}},
                    {{1e300, 1.0}, 1e300, {1.0, 1e-300}},
                    {{kInfinity, 1.0}, kInfinity, {kNan, 0.0}},
                    {{1.0, -kInfinity}, kInfinity, {0.0, kNan}},
                    {{kNan, kInfinity}, kInfinity, {kNan, kNan}},
                    {{kNan, 1.0}, kNan, {kNan, kNan}}};
  tests.rejected = float_rejections(wengert::hypot);
  return tests;
}

WENGERT_OP_TESTS(atan2) {
  OpTests tests = binary_tests(
      wengert::atan2,
      [](double a, double b) {  // half-angle form
        return 2 * std::atan(a / (std::sqrt(a * a + b * b) + b));
      },
      -3.0, 3.0, 0.3, 3.0);
  constexpr double kPi = 3.141592653589793;
  tests.specials = {{{1.0, 1.0}, kPi / 4, {0.5, -0.5}},
                    {{1.0, -1.0}, 3 * kPi / 4, {-0.5, -0.5}},
                    {{-1.0, -1.0}, -3 * kPi / 4, {-0.5, 0.5}},
                    {{2.0, 0.0}, kPi / 2, {0.0, -0.5}},
                    {{0.0, 2.0}, 0.0, {0.5, -0.0}},
                    {{-0.0, 2.0}, -0.0, {0.5, 0.0}},
                    {{0.0, -2.0}, kPi, {-0.5, -0.0}},
                    {{-0.0, -2.0}, -kPi, {-0.5, 0.0}},
                    {{0.0, 0.0}, 0.0, {0.0, 0.0}},
                    {{-0.0, 0.0}, -0.0, {0.0, 0.0}},
                    {{0.0, -0.0}, kPi, {0.0, 0.0}},
                    {{-0.0, -0.0}, -kPi, {0.0, 0.0}},
                    {{1e-300, 1.0}, 1e-300, {1.0, -1e-300}},
                    {{1e300, 1e300}, kPi / 4, {5e-301, -5e-301}},
                    {{1e-300, 1e-300}, kPi / 4, {5e299, -5e299}},
                    {{kInfinity, 1.0}, kPi / 2, {0.0, kNan}},
                    {{1.0, kInfinity}, 0.0, {kNan, -0.0}},
                    {{1.0, -kInfinity}, kPi, {kNan, -0.0}},
                    {{kInfinity, -kInfinity}, 3 * kPi / 4, {kNan, kNan}},
                    {{kNan, 1.0}, kNan, {kNan, kNan}},
                    {{1.0, kNan}, kNan, {kNan, kNan}}};
  tests.rejected = float_rejections(wengert::atan2);
  return tests;
}
#endif
