#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  /// ½ where a = b, and NaN where one of them is.
  template <class T>
  inline T tie(T a, T b) {
    return where(equal(a, b), like(a, 0.5), a + b);
  }

  struct Maximum {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T a, T b) {
      return where(is_nan(a), a, where(a > b, a, b));  // a NaN in b fails a > b
    }
    template <class T>
    static T partial_a(T a, T b, T) {
      return where(a > b, like(a, 1.0), where(a < b, like(a, 0.0), tie(a, b)));
    }
    template <class T>
    static T partial_b(T a, T b, T) {
      return where(b > a, like(a, 1.0), where(b < a, like(a, 0.0), tie(a, b)));
    }
  };

  struct Minimum {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T a, T b) {
      return where(is_nan(a), a, where(a < b, a, b));
    }
    template <class T>
    static T partial_a(T a, T b, T) {
      return where(a < b, like(a, 1.0), where(a > b, like(a, 0.0), tie(a, b)));
    }
    template <class T>
    static T partial_b(T a, T b, T) {
      return where(b < a, like(a, 1.0), where(b > a, like(a, 0.0), tie(a, b)));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_BINARY(maximum, Maximum, Numbers)
WENGERT_BINARY(minimum, Minimum, Numbers)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef maximum_op = binary<formulas::Maximum>(
    "maximum", maximum_elementwise,
    {.summary = "The larger of two tensors, element by element.",
     .formula = "y = max(a, b)",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together; a "
                  "NaN on either side gives NaN; of zeros of both signs b's is taken",
     .gradient = "the larger side gets 1; at a tie each side gets ½ (maximum(a, a) has the total "
                 "gradient 1); NaN on both sides where one is NaN",
     .source = "IEEE 754-2019 §9.6 for NaN"});

constinit const OpDef minimum_op = binary<formulas::Minimum>(
    "minimum", minimum_elementwise,
    {.summary = "The smaller of two tensors, element by element.",
     .formula = "y = min(a, b)",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together; a "
                  "NaN on either side gives NaN; of zeros of both signs b's is taken",
     .gradient = "the smaller side gets 1; at a tie each side gets ½ (minimum(a, a) has the total "
                 "gradient 1); NaN on both sides where one is NaN",
     .source = "IEEE 754-2019 §9.6 for NaN"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(maximum) {
  OpTests tests = binary_tests(
      wengert::maximum, [](double a, double b) { return a < b ? b : a; }, -3.0, -0.1, 0.1, 3.0);
  for (Sample& sample :
       binary_tests(
           wengert::maximum, [](double a, double b) { return a < b ? b : a; }, 0.1, 3.0, -3.0, -0.1)
           .samples) {
    sample.name += ", the first larger";
    tests.samples.push_back(std::move(sample));
  }
  tests.specials = {
      {{2.0, 1.0}, 2.0, {1.0, 0.0}},        {{1.0, 2.0}, 2.0, {0.0, 1.0}},
      {{1.5, 1.5}, 1.5, {0.5, 0.5}},        {{0.0, -0.0}, -0.0, {0.5, 0.5}},
      {{-0.0, 0.0}, 0.0, {0.5, 0.5}},       {{1e-300, -1e-300}, 1e-300, {1.0, 0.0}},
      {{-1e308, 1e308}, 1e308, {0.0, 1.0}}, {{kInfinity, kInfinity}, kInfinity, {0.5, 0.5}},
      {{-kInfinity, 3.0}, 3.0, {0.0, 1.0}}, {{kInfinity, 3.0}, kInfinity, {1.0, 0.0}},
      {{kNan, 3.0}, kNan, {kNan, kNan}},    {{3.0, kNan}, kNan, {kNan, kNan}},
      {{kNan, kNan}, kNan, {kNan, kNan}}};
  add_integer_samples(tests, wengert::maximum, [](double a, double b) { return std::fmax(a, b); });
  tests.rejected = number_rejections(wengert::maximum);
  return tests;
}

WENGERT_OP_TESTS(minimum) {
  OpTests tests = binary_tests(
      wengert::minimum, [](double a, double b) { return b < a ? b : a; }, -3.0, -0.1, 0.1, 3.0);
  for (Sample& sample :
       binary_tests(
           wengert::minimum, [](double a, double b) { return b < a ? b : a; }, 0.1, 3.0, -3.0, -0.1)
           .samples) {
    sample.name += ", the first larger";
    tests.samples.push_back(std::move(sample));
  }
  tests.specials = {{{2.0, 1.0}, 1.0, {0.0, 1.0}},
                    {{1.0, 2.0}, 1.0, {1.0, 0.0}},
                    {{1.5, 1.5}, 1.5, {0.5, 0.5}},
                    {{0.0, -0.0}, -0.0, {0.5, 0.5}},
                    {{-0.0, 0.0}, 0.0, {0.5, 0.5}},
                    {{1e-300, -1e-300}, -1e-300, {0.0, 1.0}},
                    {{-1e308, 1e308}, -1e308, {1.0, 0.0}},
                    {{-kInfinity, -kInfinity}, -kInfinity, {0.5, 0.5}},
                    {{-kInfinity, 3.0}, -kInfinity, {1.0, 0.0}},
                    {{kInfinity, 3.0}, 3.0, {0.0, 1.0}},
                    {{kNan, 3.0}, kNan, {kNan, kNan}},
                    {{3.0, kNan}, kNan, {kNan, kNan}},
                    {{kNan, kNan}, kNan, {kNan, kNan}}};
  add_integer_samples(tests, wengert::minimum, [](double a, double b) { return std::fmin(a, b); });
  tests.rejected = number_rejections(wengert::minimum);
  return tests;
}
#endif
