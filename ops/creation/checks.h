#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "wengert/graph/op.h"
#include "wengert/graph/text.h"

// What ops that make tensors from sizes and numbers share. Private to the library.
namespace wengert::ops {

/// Adds an output of that shape. Fails with kShape on negative sizes and on more bytes than an
/// address can name.
inline void output_of_sizes(InferContext& call, DType dtype, const Shape& shape) {
  byte_count(dtype, shape);
  call.output(dtype, shape);
}

/// Whether a value is one of the dtype: any for floating ones, else whole and in range.
inline bool holds(DType dtype, double value) {
  return dispatch(dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      return true;
    } else if constexpr (std::is_same_v<T, bool>) {
      return value == 0 || value == 1;
    } else {
      constexpr int kBits = std::numeric_limits<T>::digits;
      const double low = std::is_signed_v<T> ? -std::ldexp(1.0, kBits) : 0;
      return std::trunc(value) == value && value >= low && value < std::ldexp(1.0, kBits);
    }
  });
}

/// Fails with kValue unless `holds`; `what` names the number.
inline void require_held(const OpCall& call, DType dtype, const char* what, double value) {
  if (!holds(dtype, value)) {
    call.fail(
        ErrorKind::kValue,
        std::string(what) + " " + format_number(value) + " is no " + std::string(name_of(dtype)),
        "choose a floating dtype");
  }
}

}  // namespace wengert::ops
