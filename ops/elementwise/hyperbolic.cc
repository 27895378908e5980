#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {

struct Tanh {
  static constexpr int reads = kY;
  template <class T>
  static T value(T x) {
    return tanh(x);
  }
  template <class T>
  static T partial(T, T y) {
    return 1.0 - square(y);
  }
};

}  // WENGERT_FORMULAS

WENGERT_UNARY(tanh, Tanh, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef tanh_op =
    unary<formulas::Tanh>("tanh", tanh_elementwise,
                          {.summary = "Hyperbolic tangent.",
                           .formula = "y = tanh(x)",
                           .arguments = "x: float32 or float64, any shape; tanh(±∞) = ±1",
                           .gradient = "∂y/∂x = 1 − y²",
                           .source = "DLMF §4.28"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(tanh) {
  OpTests tests = unary_tests(
      wengert::tanh, [](double x) { return (std::exp(x) - std::exp(-x)) / (std::exp(x) + std::exp(-x)); },
      -2.5, 2.5);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{1e308}, 1.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = {
      {"int32", [] { tanh(Tensor::from({1, 2}, {2})); }, ErrorKind::kDType,
       "not defined for i32[2]"},
      {"bool", [] { tanh(Tensor::full(DType::kBool, {3}, 1)); }, ErrorKind::kDType,
       "not defined for bool[3]"},
      {"empty Var", [] { tanh(Var()); }, ErrorKind::kGraph, "input 0 is an empty Var"}};
  return tests;
}
#endif
