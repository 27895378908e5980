#pragma once

// Private to the library.

#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"

// What operands of normalization have in common.
namespace wengert::ops {

/// Beside the numbers of a channel or row: fails unless `i` is left out or has the dtype of input 0
/// and this shape.
inline void check_part(const OpCall& call, int i, const char* name, const Shape& shape) {
  if (!call.has(i)) return;
  call.require_same_dtype(0, i);
  if (call.shape(i) == shape) return;
  call.fail(
      ErrorKind::kShape,
      std::string("the ") + name + " is " + call.describe(i) + " where x is " + call.describe(0),
      "it must be " + to_string(call.dtype(0), shape));
}

/// Gain and bias: the bias alone would be no linear operand of its own.
inline void check_gain_and_bias(const OpCall& call, int gain, int bias, const Shape& shape) {
  check_part(call, gain, "gain", shape);
  check_part(call, bias, "bias", shape);
  if (call.has(bias) && !call.has(gain)) {
    call.fail(ErrorKind::kShape, "a bias without a gain", "give a gain of ones, or add the bias");
  }
}

/// From 1e-30, whose root float32 can divide by.
inline void check_epsilon(const OpCall& call, double epsilon) {
  if (epsilon >= 1e-30 && epsilon <= 1e30) return;
  call.fail(ErrorKind::kValue, "epsilon must lie in [1e-30, 1e30], got " + format_number(epsilon),
            "1e-5 is usual");
}

/// Whether input i was given and needs a gradient.
template <class Context>
bool wants(const Context& c, int i) {
  return c.has(i) && c.needs(i);
}

/// Axes of x but one.
inline Axes axes_beside(int rank, int axis) {
  std::vector<std::int64_t> others;
  for (int d = 0; d < rank; ++d) {
    if (d != axis) others.push_back(d);
  }
  return Axes(others);
}

/// One number a channel, [C], in the place where it broadcasts along `axis`.
inline Var along_axis(const Var& numbers, int rank, int axis) {
  Shape shape;
  for (int d = 0; d < rank; ++d) shape.push_back(d == axis ? numbers.size(0) : 1);
  return reshape(numbers, shape);
}

/// to (+)= the numbers, in the destination's dtype.
inline void put_numbers(const BackwardContext::Destination& to, const double* numbers) {
  dispatch_floating(to.view.dtype, [&]<class T>(T) {
    T* out = to.view.as<T>();
    for (std::int64_t i = 0; i < to.view.count(); ++i) {
      const T value = static_cast<T>(numbers[i]);
      out[i] = to.accumulate ? out[i] + value : value;
    }
  });
}

}  // namespace wengert::ops
