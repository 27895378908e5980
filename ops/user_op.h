#pragma once

#include <source_location>

// For ops of a program's own. Write the formula as a struct of static templates (see
// docs/adding_an_op.md), and
//
//     const OpDef& op = elementwise_op<Softsign>("softsign", {.summary = …, .formula = …});
//     Var y = apply(op, x, std::source_location::current());
//
// gives vectorized kernels for float32 and float64, a fused backward, a recorded derivative of any
// order, and a place in the table: the op is then listed, checked and drawn like every other.
// Ops that are not elementwise fill an OpDef (graph/op.h) by hand and call register_op.

#define WENGERT_USER_OP
#define WENGERT_LEVEL user_op
#define WENGERT_LANE_BYTES 16
#include "wengert/ops/elementwise/kernels.h"
#include "wengert/ops/elementwise/reads.h"
#include "wengert/ops/elementwise/record.h"
#undef WENGERT_LEVEL
#undef WENGERT_LANE_BYTES

namespace wengert {

/// Makes an op from formula F (unary, or of two or three operands that broadcast) and registers it.
/// `name` must be a literal or live as long as the program. Throws Error(kValue) when the name is
/// taken by another op or the documentation lacks summary or formula.
template <class F>
const OpDef& elementwise_op(std::string_view name, const Documentation& doc,
                            std::source_location where = std::source_location::current()) {
  namespace k = kernels::user_op;
  constexpr bool kTernary = requires { F::reads_c; };
  constexpr bool kBinary = !kTernary && requires { F::reads_a; };
  static const ElementwiseKernels table = [] {
    if constexpr (kTernary) {
      return k::ternary_kernels<F>(k::Floats{});
    } else if constexpr (kBinary) {
      return k::binary_kernels<F>(k::Floats{});
    } else {
      return k::unary_kernels<F>(k::Floats{});
    }
  }();
  static const ElementwiseOp op = {&table, false, ops::passes<F>()};
  static const OpDef def = [&] {
    if constexpr (kTernary) {
      return ops::ternary<F>(name, op, doc);
    } else if constexpr (kBinary) {
      return ops::binary<F>(name, op, doc);
    } else {
      return ops::unary<F>(name, op, doc);
    }
  }();
  register_op(def, where);
  return def;
}

}  // namespace wengert
