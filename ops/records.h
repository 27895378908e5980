#pragma once

#include "wengert/graph/op.h"

// The records of the table's ops, for op files and the registry. Private to the library.
namespace wengert::ops {
#define UNARY(name) extern const OpDef name##_op;
#define BINARY(name) extern const OpDef name##_op;
#define OP(name, result, parameters) extern const OpDef name##_op;
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
}  // namespace wengert::ops
