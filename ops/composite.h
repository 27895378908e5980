#pragma once

#include <source_location>

// Private to the library.

#include "wengert/graph/op.h"

namespace wengert::ops {

/// The record of a call that is made of other ops: documentation and arity; what is recorded and
/// differentiated are its parts.
constexpr OpDef composite(std::string_view name, int min_inputs, int max_inputs,
                          std::uint32_t differentiable, const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = min_inputs;
  def.max_inputs = max_inputs;
  def.differentiable = differentiable;
  def.composite = true;
  return def;
}

/// Throws an Error of a composite call with scope and line.
[[noreturn]] void fail_composite(const OpDef& op, ErrorKind kind, std::string message,
                                 std::string fix, std::source_location where);

/// Fails where an operand of a composite call is an empty Var.
void require_operands(const OpDef& op, std::span<const Var> operands, std::source_location where);
inline void require_operand(const OpDef& op, const Var& x, std::source_location where) {
  require_operands(op, {&x, 1}, where);
}

}  // namespace wengert::ops
