#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {

struct Neg {
  static constexpr int reads = kNone;
  template <class T>
  static T value(T x) {
    return -x;
  }
  template <class T>
  static double partial(T, T) {
    return -1.0;
  }
};

struct Square {
  static constexpr int reads = kX;
  template <class T>
  static T value(T x) {
    return x * x;
  }
  template <class T>
  static T partial(T x, T) {
    return 2.0 * x;
  }
};

}  // WENGERT_FORMULAS

WENGERT_UNARY(neg, Neg, Numbers)
WENGERT_UNARY(square, Square, Numbers)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef neg_op =
    unary<formulas::Neg>("neg", neg_elementwise,
                         {.summary = "Negation.",
                          .formula = "y = −x",
                          .arguments = "x: any floating or integer tensor; uint8 wraps around",
                          .gradient = "∂y/∂x = −1",
                          .source = "elementary"});

constinit const OpDef square_op =
    unary<formulas::Square>("square", square_elementwise,
                            {.summary = "Square.",
                             .formula = "y = x²",
                             .arguments = "x: any floating or integer tensor",
                             .gradient = "∂y/∂x = 2x",
                             .source = "elementary"});

}  // namespace wengert::ops
#endif
