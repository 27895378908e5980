#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

// Calls of the elementwise ops: all alike, so made from the table.
namespace wengert {
#define UNARY(name) \
  Var name(const Var& x, std::source_location where) { return apply(ops::name##_op, x, where); }
#define BINARY(name)                                                 \
  Var name(const Var& a, const Var& b, std::source_location where) { \
    return apply(ops::name##_op, a, b, where);                       \
  }
#define OP(name, result, parameters)
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
}  // namespace wengert
