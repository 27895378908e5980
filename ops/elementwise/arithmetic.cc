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

constinit const OpDef cotangent_product_op = binary<formulas::CotangentProduct>(
    "cotangent_product", cotangent_product_elementwise,
    {.summary = "A cotangent times a partial derivative, where a zero cotangent wins.",
     .formula = "y = 0 where g = 0, else g·p",
     .arguments = "g, p: float32 or float64 tensors of one dtype, broadcast together",
     .gradient = "∂y/∂g = p, ∂y/∂p = g",
     .source = "the engine's own; every recorded elementwise derivative uses it"});

}  // namespace wengert::ops
#endif
