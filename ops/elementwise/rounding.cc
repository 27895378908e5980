#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Floor {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return floor(x);
    }
    template <class T>
    static double partial(T, T) {
      return 0.0;
    }
  };

  struct Ceil {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return ceil(x);
    }
    template <class T>
    static double partial(T, T) {
      return 0.0;
    }
  };

  struct Round {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return round(x);
    }
    template <class T>
    static double partial(T, T) {
      return 0.0;
    }
  };

  struct Trunc {
    static constexpr int reads = kNone;
    template <class T>
    static T value(T x) {
      return trunc(x);
    }
    template <class T>
    static double partial(T, T) {
      return 0.0;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(floor, Floor, Floats)
WENGERT_UNARY(ceil, Ceil, Floats)
WENGERT_UNARY(round, Round, Floats)
WENGERT_UNARY(trunc, Trunc, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef floor_op = unary<formulas::Floor>(
    "floor", floor_elementwise,
    {.summary = "Largest integer not above x.",
     .formula = "y = ⌊x⌋",
     .arguments = "x: float32 or float64, any shape; ±0, ±∞ and NaN stay what they are",
     .gradient = "∂y/∂x = 0 everywhere, at the jumps too",
     .source = "IEEE 754-2019 §5.9"});

constinit const OpDef ceil_op = unary<formulas::Ceil>(
    "ceil", ceil_elementwise,
    {.summary = "Smallest integer not below x.",
     .formula = "y = ⌈x⌉",
     .arguments = "x: float32 or float64, any shape; ±0, ±∞ and NaN stay what they are",
     .gradient = "∂y/∂x = 0 everywhere, at the jumps too",
     .source = "IEEE 754-2019 §5.9"});

constinit const OpDef round_op = unary<formulas::Round>(
    "round", round_elementwise,
    {.summary = "Nearest integer, halves to even.",
     .formula = "y = the integer nearest to x; the even one of two as near",
     .arguments = "x: float32 or float64, any shape; ±0, ±∞ and NaN stay what they are",
     .gradient = "∂y/∂x = 0 everywhere, at the jumps too",
     .source = "IEEE 754-2019 §5.9"});

constinit const OpDef trunc_op = unary<formulas::Trunc>(
    "trunc", trunc_elementwise,
    {.summary = "Integer part: rounds towards 0.",
     .formula = "y = sign(x)·⌊|x|⌋",
     .arguments = "x: float32 or float64, any shape; ±0, ±∞ and NaN stay what they are",
     .gradient = "∂y/∂x = 0 everywhere, at the jumps too",
     .source = "IEEE 754-2019 §5.9"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(floor) {
  const auto reference = [](double x) { return x - std::fmod(x, 1.0) - (x < 0 ? 1.0 : 0.0); };
  OpTests tests = unary_tests(wengert::floor, reference, 2.05, 2.45);  // between the jumps
  for (Sample& wide : unary_tests(wengert::floor, reference, -7.3, 7.3).samples) {
    wide.name += ", over jumps";
    wide.smooth = false;
    tests.samples.push_back(std::move(wide));
  }
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, -0.0, {0.0}},
                    {{1e-300}, 0.0, {0.0}},
                    {{-1e-300}, -1.0, {0.0}},
                    {{1e+308}, 1e+308, {0.0}},
                    {{-1e+308}, -1e+308, {0.0}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {0.0}},
                    {{0.5}, 0.0, {0.0}},
                    {{1.5}, 1.0, {0.0}},
                    {{2.5}, 2.0, {0.0}},
                    {{-0.5}, -1.0, {0.0}},
                    {{-1.5}, -2.0, {0.0}},
                    {{2.0}, 2.0, {0.0}},
                    {{0.49999999999999994}, 0.0, {0.0}},
                    {{4503599627370498.0}, 4503599627370498.0, {0.0}}};
  tests.rejected = float_rejections(wengert::floor);
  return tests;
}

WENGERT_OP_TESTS(ceil) {
  const auto reference = [](double x) { return x - std::fmod(x, 1.0) + (x > 0 ? 1.0 : 0.0); };
  OpTests tests = unary_tests(wengert::ceil, reference, 2.05, 2.45);  // between the jumps
  for (Sample& wide : unary_tests(wengert::ceil, reference, -7.3, 7.3).samples) {
    wide.name += ", over jumps";
    wide.smooth = false;
    tests.samples.push_back(std::move(wide));
  }
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, -0.0, {0.0}},
                    {{1e-300}, 1.0, {0.0}},
                    {{-1e-300}, -0.0, {0.0}},
                    {{1e+308}, 1e+308, {0.0}},
                    {{-1e+308}, -1e+308, {0.0}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {0.0}},
                    {{0.5}, 1.0, {0.0}},
                    {{1.5}, 2.0, {0.0}},
                    {{2.5}, 3.0, {0.0}},
                    {{-0.5}, -0.0, {0.0}},
                    {{-1.5}, -1.0, {0.0}},
                    {{2.0}, 2.0, {0.0}},
                    {{0.49999999999999994}, 1.0, {0.0}},
                    {{4503599627370498.0}, 4503599627370498.0, {0.0}}};
  tests.rejected = float_rejections(wengert::ceil);
  return tests;
}

WENGERT_OP_TESTS(round) {
  const auto reference = [](double x) { return std::nearbyint(x); };
  OpTests tests = unary_tests(wengert::round, reference, 2.05, 2.45);  // between the jumps
  for (Sample& wide : unary_tests(wengert::round, reference, -7.3, 7.3).samples) {
    wide.name += ", over jumps";
    wide.smooth = false;
    tests.samples.push_back(std::move(wide));
  }
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, -0.0, {0.0}},
                    {{1e-300}, 0.0, {0.0}},
                    {{-1e-300}, -0.0, {0.0}},
                    {{1e+308}, 1e+308, {0.0}},
                    {{-1e+308}, -1e+308, {0.0}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {0.0}},
                    {{0.5}, 0.0, {0.0}},
                    {{1.5}, 2.0, {0.0}},
                    {{2.5}, 2.0, {0.0}},
                    {{-0.5}, -0.0, {0.0}},
                    {{-1.5}, -2.0, {0.0}},
                    {{2.0}, 2.0, {0.0}},
                    {{0.49999999999999994}, 0.0, {0.0}},
                    {{4503599627370498.0}, 4503599627370498.0, {0.0}}};
  tests.rejected = float_rejections(wengert::round);
  return tests;
}

WENGERT_OP_TESTS(trunc) {
  const auto reference = [](double x) { return static_cast<double>(static_cast<long>(x)); };
  OpTests tests = unary_tests(wengert::trunc, reference, 2.05, 2.45);  // between the jumps
  for (Sample& wide : unary_tests(wengert::trunc, reference, -7.3, 7.3).samples) {
    wide.name += ", over jumps";
    wide.smooth = false;
    tests.samples.push_back(std::move(wide));
  }
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, -0.0, {0.0}},
                    {{1e-300}, 0.0, {0.0}},
                    {{-1e-300}, -0.0, {0.0}},
                    {{1e+308}, 1e+308, {0.0}},
                    {{-1e+308}, -1e+308, {0.0}},
                    {{kInfinity}, kInfinity, {0.0}},
                    {{-kInfinity}, -kInfinity, {0.0}},
                    {{kNan}, kNan, {0.0}},
                    {{0.5}, 0.0, {0.0}},
                    {{1.5}, 1.0, {0.0}},
                    {{2.5}, 2.0, {0.0}},
                    {{-0.5}, -0.0, {0.0}},
                    {{-1.5}, -1.0, {0.0}},
                    {{2.0}, 2.0, {0.0}},
                    {{0.49999999999999994}, 0.0, {0.0}},
                    {{4503599627370498.0}, 4503599627370498.0, {0.0}}};
  tests.rejected = float_rejections(wengert::trunc);
  return tests;
}
#endif
