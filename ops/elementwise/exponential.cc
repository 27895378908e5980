#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {

struct Exp {
  static constexpr int reads = kY;
  template <class T>
  static T value(T x) {
    return exp(x);
  }
  template <class T>
  static T partial(T, T y) {
    return y;
  }
};

}  // WENGERT_FORMULAS

WENGERT_UNARY(exp, Exp, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef exp_op = unary<formulas::Exp>(
    "exp", exp_elementwise,
    {.summary = "Exponential function.",
     .formula = "y = eˣ",
     .arguments = "x: float32 or float64, any shape",
     .gradient = "∂y/∂x = y",
     .source = "DLMF §4.2"});

}  // namespace wengert::ops
#endif
