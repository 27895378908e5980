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
