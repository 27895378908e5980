#pragma once

#include <string>

#include "wengert/graph/op.h"

// What ops that make tensors from sizes and numbers share. Private to the library.
namespace wengert::ops {

/// Adds an output of that shape. Fails with kShape on negative sizes and on more bytes than an
/// address can name.
inline void output_of_sizes(InferContext& call, DType dtype, const Shape& shape) {
  byte_count(dtype, shape);
  call.output(dtype, shape);
}

/// Fails with kValue unless tensors of the dtype hold the number; `what` names it.
inline void require_held(const OpCall& call, DType dtype, const char* what,
                         const ExactNumber& value) {
  if (!value.is_held_by(dtype)) {
    call.fail(ErrorKind::kValue,
              std::string(what) + " " + value.str() + " is no " + std::string(name_of(dtype)),
              value.is_integer() && dtype != DType::kInt64 ? "choose int64 or a floating dtype"
                                                           : "choose a floating dtype");
  }
}

}  // namespace wengert::ops
