#pragma once

#include <limits>

#include "wengert/graph/op.h"

// What ops that make tensors from sizes share. Private to the library.
namespace wengert::ops {

/// Adds an output of that shape. Fails with kShape on negative sizes and on more bytes than an
/// address can name.
inline void output_of_sizes(InferContext& call, DType dtype, const Shape& shape) {
  std::int64_t most =
      std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(size_of(dtype));
  bool empty = false;
  for (std::int64_t size : shape) {
    if (size < 0) call.fail(ErrorKind::kShape, "negative size in " + shape.str());
    empty |= size == 0;
  }
  for (std::int64_t size : shape) {
    if (size > 0) most /= size;
    if (most == 0 && !empty) {
      call.fail(ErrorKind::kShape, to_string(dtype, shape) + " needs more than 2⁶³ − 1 bytes");
    }
  }
  call.output(dtype, shape);
}

}  // namespace wengert::ops
