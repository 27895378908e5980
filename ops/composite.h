#pragma once

// Private to the library.

#include "wengert/graph/op.h"

namespace wengert::ops {

/// The record of a call that is made of other ops: documentation, arity, attributes and what it is
/// made of; bit i of `optional`: input i may be left out. What is recorded and differentiated are
/// its parts.
constexpr OpDef composite(std::string_view name, int min_inputs, int max_inputs,
                          std::uint32_t differentiable, Var (*expand)(const ExpandContext&),
                          const AttributeType* attributes, const void* default_attributes,
                          const Documentation& doc, std::uint32_t optional = 0) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = min_inputs;
  def.max_inputs = max_inputs;
  def.optional = optional;
  def.differentiable = differentiable;
  def.expand = expand;
  def.attributes = attributes;
  def.default_attributes = default_attributes;
  return def;
}

}  // namespace wengert::ops
