#pragma once

// Private to the library.

#include "wengert/ops/ops.h"

// Forms over Var whose derivatives, too, are right relative to their size, where the form that the
// kernels compute would cancel once it is differentiated. lanes.h has the kernels' ones.
namespace wengert {

/// The derivative of sigmoid as products alone, 1/(2·cosh(x/2))².
inline Var sigmoid_slope(const Var& x) { return 0.25 * square(1.0 / cosh(0.5 * x)); }

/// σ(x) − t. The kernels' form has |x|, whose derivative at 0 is not the one of x.
inline Var sigmoid_less(const Var& x, const Var& t) {
  return (1.0 - t) * sigmoid(x) - t * sigmoid(-x);
}

/// 1 − x². The product is right near ±1, but its derivative (1 − x) − (1 + x) is not near 0.
inline Var one_minus_square(const Var& x) {
  return where(abs(x) < 0.5, 1.0 - square(x), (1.0 - x) * (1.0 + x));
}

/// a/y for y = √(a² + b²). The derivative of the quotient, (1 − a²/y²)/y, cancels where a is nearly
/// all of y; there what b has is taken off.
inline Var share_of_length(const Var& a, const Var& b, const Var& y) {
  const Var longer = logical_and(abs(a) > abs(b), is_finite(y));
  return where(longer, sign(a) * sqrt(one_minus_square(b / y)), a / y);
}

}  // namespace wengert
