#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Add {
    static constexpr int reads_a = kNone, reads_b = kNone;
    static constexpr bool passes_a = true, passes_b = true;
    template <class T>
    static T value(T a, T b) {
      return a + b;
    }
    template <class T>
    static double partial_a(T, T, T) {
      return 1.0;
    }
    template <class T>
    static double partial_b(T, T, T) {
      return 1.0;
    }
  };

  struct Sub {
    static constexpr int reads_a = kNone, reads_b = kNone;
    static constexpr bool passes_a = true;
    template <class T>
    static T value(T a, T b) {
      return a - b;
    }
    template <class T>
    static double partial_a(T, T, T) {
      return 1.0;
    }
    template <class T>
    static double partial_b(T, T, T) {
      return -1.0;
    }
  };

  struct Mul {
    static constexpr int reads_a = kB, reads_b = kA;
    template <class T>
    static T value(T a, T b) {
      return a * b;
    }
    template <class T>
    static T partial_a(T, T b, T) {
      return b;
    }
    template <class T>
    static T partial_b(T a, T, T) {
      return a;
    }
  };

  struct Div {
    static constexpr int reads_a = kB, reads_b = kB | kY;
    template <class T>
    static T value(T a, T b) {
      return a / b;
    }
    template <class T>
    static T partial_a(T, T b, T) {
      return 1.0 / b;
    }
    template <class T>
    static T partial_b(T, T b, T y) {
      return -y / b;
    }
  };

  /// g·p with the rule of the chain: where g is 0 the product is 0 even if p is infinite or NaN.
  struct CotangentProduct {
    static constexpr int reads_a = kB, reads_b = kA;
    static constexpr bool partial_b_is_cotangent = true;
    template <class T>
    static T value(T g, T p) {
      return where(equal(g, 0.0), like(g, 0.0), g * p);
    }
    template <class T>
    static T partial_a(T, T p, T) {
      return p;
    }
    template <class T>
    static T partial_b(T g, T, T) {
      return g;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_BINARY(add, Add, Numbers)
WENGERT_BINARY(sub, Sub, Numbers)
WENGERT_BINARY(mul, Mul, Numbers)
WENGERT_BINARY(div, Div, Floats)
WENGERT_BINARY(cotangent_product, CotangentProduct, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef add_op = binary<formulas::Add>(
    "add", add_elementwise,
    {.summary = "Sum of two tensors.",
     .formula = "y = a + b",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together",
     .gradient = "∂y/∂a = ∂y/∂b = 1",
     .source = "elementary"});

constinit const OpDef sub_op = binary<formulas::Sub>(
    "sub", sub_elementwise,
    {.summary = "Difference of two tensors.",
     .formula = "y = a − b",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together",
     .gradient = "∂y/∂a = 1, ∂y/∂b = −1",
     .source = "elementary"});

constinit const OpDef mul_op = binary<formulas::Mul>(
    "mul", mul_elementwise,
    {.summary = "Product of two tensors, element by element.",
     .formula = "y = a·b",
     .arguments = "a, b: float32, float64 or integer tensors of one dtype, broadcast together",
     .gradient = "∂y/∂a = b, ∂y/∂b = a",
     .source = "elementary"});

constinit const OpDef div_op = binary<formulas::Div>(
    "div", div_elementwise,
    {.summary = "True division.",
     .formula = "y = a/b",
     .arguments = "a, b: float32 or float64 tensors of one dtype, broadcast together; for integers "
                  "use floor_divide, or cast first",
     .gradient = "∂y/∂a = 1/b, ∂y/∂b = −y/b; at b = 0 as IEEE division gives it",
     .source = "elementary; IEEE 754-2019 for division by zero"});

namespace {

/// Where g is 0, p's gradient is 0 even if the cotangent that arrives is infinite: otherwise a
/// third derivative through an infinite partial would turn a zero cotangent into 0·∞. A finite one
/// goes through untouched: g may be 0 by value, and ∂²y/∂g∂p = 1 there too.
void cotangent_product_vjp(VjpContext& c) {
  const Var arriving = c.cotangent();
  if (c.needs(0)) c.set(0, cotangent_product(arriving, c.input(1)));
  if (c.needs(1)) {
    const Var g = c.input(0);
    const Var infinite_at_zero = logical_and(equal(g, 0.0), logical_not(is_finite(arriving)));
    c.set(1, cotangent_product(where(infinite_at_zero, like(g, 0.0), arriving), g));
  }
}

constexpr OpDef cotangent_product_record(const Documentation& doc) {
  OpDef def =
      binary<formulas::CotangentProduct>("cotangent_product", cotangent_product_elementwise, doc);
  def.vjp = cotangent_product_vjp;
  return def;
}

}  // namespace

constinit const OpDef cotangent_product_op = cotangent_product_record(
    {.summary = "A cotangent times a partial derivative, where a zero cotangent wins.",
     .formula = "y = 0 where g = 0, else g·p",
     .arguments = "g, p: float32 or float64 tensors of one dtype, broadcast together",
     .gradient = "∂y/∂g = p, ∂y/∂p = g, where g = 0 wins over an infinite cotangent too",
     .source = "the engine's own; every recorded elementwise derivative uses it"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(add) {
  const auto reference = [](double a, double b) { return a + b; };
  OpTests tests = binary_tests(wengert::add, reference, -3.0, 3.0, -2.0, 4.0);
  tests.linear = true;
  tests.specials = {{{1.0, 2.0}, 3.0, {1.0, 1.0}},
                    {{0.0, -0.0}, 0.0, {1.0, 1.0}},
                    {{-0.0, -0.0}, -0.0, {1.0, 1.0}},
                    {{1e-300, 1.0}, 1.0, {1.0, 1.0}},
                    {{1e308, 1e308}, kInfinity, {1.0, 1.0}},
                    {{kInfinity, -kInfinity}, kNan, {1.0, 1.0}},
                    {{kInfinity, 1.0}, kInfinity, {1.0, 1.0}},
                    {{kNan, 1.0}, kNan, {1.0, 1.0}}};
  add_integer_samples(tests, wengert::add, reference);
  tests.rejected = number_rejections(wengert::add);
  return tests;
}

WENGERT_OP_TESTS(sub) {
  const auto reference = [](double a, double b) { return a - b; };
  OpTests tests = binary_tests(wengert::sub, reference, -3.0, 3.0, -2.0, 4.0);
  tests.linear = true;
  tests.specials = {{{1.0, 2.0}, -1.0, {1.0, -1.0}},
                    {{0.0, 0.0}, 0.0, {1.0, -1.0}},
                    {{-0.0, 0.0}, -0.0, {1.0, -1.0}},
                    {{1e-300, 1.0}, -1.0, {1.0, -1.0}},
                    {{-1e308, 1e308}, -kInfinity, {1.0, -1.0}},
                    {{kInfinity, kInfinity}, kNan, {1.0, -1.0}},
                    {{1.0, kInfinity}, -kInfinity, {1.0, -1.0}},
                    {{1.0, kNan}, kNan, {1.0, -1.0}}};
  add_integer_samples(tests, wengert::sub, reference);
  tests.rejected = number_rejections(wengert::sub);
  return tests;
}

WENGERT_OP_TESTS(mul) {
  const auto reference = [](double a, double b) { return a * b; };
  OpTests tests = binary_tests(wengert::mul, reference, -3.0, 3.0, -2.0, 4.0);
  tests.linear = true;
  tests.specials = {{{2.0, 3.0}, 6.0, {3.0, 2.0}},
                    {{0.0, 3.0}, 0.0, {3.0, 0.0}},
                    {{-0.0, 3.0}, -0.0, {3.0, -0.0}},
                    {{1e-300, 1e-300}, 0.0, {1e-300, 1e-300}},
                    {{1e308, 1e308}, kInfinity, {1e308, 1e308}},
                    {{0.0, kInfinity}, kNan, {kInfinity, 0.0}},
                    {{-kInfinity, 2.0}, -kInfinity, {2.0, -kInfinity}},
                    {{kNan, 2.0}, kNan, {2.0, kNan}}};
  add_integer_samples(tests, wengert::mul, reference);
  tests.rejected = number_rejections(wengert::mul);
  return tests;
}

WENGERT_OP_TESTS(div) {
  OpTests tests = binary_tests(
      wengert::div, [](double a, double b) { return a / b; }, -3.0, 3.0, 0.4, 4.0);
  tests.specials = {{{3.0, 2.0}, 1.5, {0.5, -0.75}},
                    {{0.0, 2.0}, 0.0, {0.5, -0.0}},
                    {{-0.0, 2.0}, -0.0, {0.5, 0.0}},
                    {{1.0, 0.0}, kInfinity, {kInfinity, -kInfinity}},
                    {{1.0, -0.0}, -kInfinity, {-kInfinity, -kInfinity}},
                    {{0.0, 0.0}, kNan, {kInfinity, kNan}},
                    {{1.0, 1e-300}, 1e300, {1e300, -kInfinity}},
                    {{1e300, 1e300}, 1.0, {1e-300, -1e-300}},
                    {{1.0, kInfinity}, 0.0, {0.0, -0.0}},
                    {{kInfinity, kInfinity}, kNan, {0.0, kNan}},
                    {{kInfinity, 2.0}, kInfinity, {0.5, -kInfinity}},
                    {{kNan, 2.0}, kNan, {0.5, kNan}},
                    {{2.0, kNan}, kNan, {kNan, kNan}}};
  tests.rejected = float_rejections(wengert::div);
  return tests;
}

WENGERT_OP_TESTS(cotangent_product) {
  OpTests tests = binary_tests(
      wengert::cotangent_product, [](double g, double p) { return g * p; }, 0.2, 3.0, -2.0, 4.0);
  tests.linear = true;
  tests.specials = {{{2.0, 3.0}, 6.0, {3.0, 2.0}},
                    {{0.0, 3.0}, 0.0, {3.0, 0.0}},
                    {{-0.0, 3.0}, 0.0, {3.0, 0.0}},
                    {{0.0, kInfinity}, 0.0, {kInfinity, 0.0}},
                    {{-0.0, -kInfinity}, 0.0, {-kInfinity, 0.0}},
                    {{0.0, kNan}, 0.0, {kNan, 0.0}},
                    {{2.0, kInfinity}, kInfinity, {kInfinity, 2.0}},
                    {{1e308, 1e308}, kInfinity, {1e308, 1e308}},
                    {{1e-300, 1.0}, 1e-300, {1.0, 1e-300}},
                    {{kNan, 0.0}, kNan, {0.0, kNan}}};
  tests.rejected = float_rejections(wengert::cotangent_product);
  return tests;
}
#endif
