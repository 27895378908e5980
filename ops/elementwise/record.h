#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "wengert/graph/op.h"
#include "wengert/ops/elementwise/driver.h"
#include "wengert/ops/elementwise/reads.h"
#include "wengert/ops/ops.h"

// Makes op records from elementwise formulas: the recorded derivative is the formula over Var.
// Public, for ops of a program's own (ops/user_op.h).

namespace wengert {

/// A constant of x's dtype, for formulas.
inline Var like(const Var& x, double value) { return Tensor::full({}, value, x.dtype()); }

namespace ops {

/// Runs a partial over Var. Values that its `reads` does not name are empty, and what an op says of
/// an empty Var helps nobody here.
template <class Partial>
Var checked_partial(Partial&& partial) {
  try {
    return partial();
  } catch (const Error& error) {
    if (error.cause() != Error::Cause::kEmptyVar) throw;
    throw Error(ErrorKind::kInternal, error.op(),
                "a partial looks at a value that its `reads` does not name",
                "add kX, kA, kB or kY to reads: only what it names is kept for backward");
  }
}

template <class F>
void unary_vjp(VjpContext& c) {
  const Var x = (F::reads & kX) ? c.input(0) : Var();
  const Var y = (F::reads & kY) ? c.output() : Var();
  const Var partial = checked_partial([&]() -> Var {
    if constexpr (requires { typename F::Attributes; }) {
      return F::partial(x, y, c.attributes<typename F::Attributes>());
    } else {
      return F::partial(x, y);
    }
  });
  c.set(0, cotangent_product(c.cotangent(), partial));
}

/// ∂y/∂(input kI) of a formula of two or three operands, over Var.
template <class F, int kI, int... kAll>
Var partial_in_ops(VjpContext& c, int reads, std::integer_sequence<int, kAll...>) {
  constexpr int kBits[] = {kA, kB, kC};
  const auto operand = [&](int i) { return (reads & kBits[i]) ? c.input(i) : Var(); };
  const auto run = [&](const auto&... attributes) -> Var {
    const Var y = (reads & kY) ? c.output() : Var();
    if constexpr (kI == 0) return F::partial_a(operand(kAll)..., y, attributes...);
    if constexpr (kI == 1) return F::partial_b(operand(kAll)..., y, attributes...);
    if constexpr (kI == 2) return F::partial_c(operand(kAll)..., y, attributes...);
  };
  return checked_partial([&] {
    if constexpr (requires { typename F::Attributes; }) {
      return run(c.attributes<typename F::Attributes>());
    } else {
      return run();
    }
  });
}

template <class F>
void binary_vjp(VjpContext& c) {
  constexpr auto kAll = std::make_integer_sequence<int, 2>{};
  const Var g = c.cotangent();
  if (c.needs(0)) c.set(0, cotangent_product(g, partial_in_ops<F, 0>(c, F::reads_a, kAll)));
  if (c.needs(1)) c.set(1, cotangent_product(g, partial_in_ops<F, 1>(c, F::reads_b, kAll)));
}

template <class F>
void ternary_vjp(VjpContext& c) {
  constexpr auto kAll = std::make_integer_sequence<int, 3>{};
  const Var g = c.cotangent();
  if (c.needs(0)) c.set(0, cotangent_product(g, partial_in_ops<F, 0>(c, F::reads_a, kAll)));
  if (c.needs(1)) c.set(1, cotangent_product(g, partial_in_ops<F, 1>(c, F::reads_b, kAll)));
  if (c.needs(2)) c.set(2, cotangent_product(g, partial_in_ops<F, 2>(c, F::reads_c, kAll)));
}

constexpr std::uint32_t reads_mask(int reads) {
  return ((reads & (kX | kA)) ? reads_input(0) : 0) | ((reads & kB) ? reads_input(1) : 0) |
         ((reads & kC) ? reads_input(2) : 0) | ((reads & kY) ? kReadsOutputs : 0);
}

constexpr OpDef elementwise(std::string_view name, const ElementwiseOp& op, int inputs,
                            const Documentation& doc) {
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = def.max_inputs = inputs;
  def.infer = infer_elementwise;
  def.evaluate = evaluate_elementwise;
  def.keeps_order = 1;
  def.gradients_keep_order = true;
  def.elementwise = def.single_element = &op;
  return def;
}

/// The record of a unary op with formula F.
template <class F>
constexpr OpDef unary(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = elementwise(name, op, 1, doc);
  if constexpr (requires { F::reads; }) {
    def.differentiable = 1;
    def.reads = {reads_mask(F::reads)};
    def.vjp = unary_vjp<F>;
    def.backward = backward_elementwise;
  }
  if constexpr (requires { typename F::Attributes; }) {
    def.attributes = &attribute_type<typename F::Attributes>;
  }
  return def;
}

/// The record of a binary, broadcasting op with formula F.
template <class F>
constexpr OpDef binary(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = elementwise(name, op, 2, doc);
  if constexpr (requires { F::reads_a; }) {
    def.differentiable = 3;
    def.reads = {reads_mask(F::reads_a), reads_mask(F::reads_b)};
    def.vjp = binary_vjp<F>;
    def.backward = backward_elementwise;
  }
  if constexpr (requires { typename F::Attributes; }) {
    def.attributes = &attribute_type<typename F::Attributes>;
  }
  return def;
}

/// The record of a broadcasting op of three operands with formula F.
template <class F>
constexpr OpDef ternary(std::string_view name, const ElementwiseOp& op, const Documentation& doc) {
  OpDef def = elementwise(name, op, 3, doc);
  def.single_element = nullptr;  // the sweep of single elements takes two operands at most
  if constexpr (requires { F::reads_a; }) {
    def.differentiable = 7;
    def.reads = {reads_mask(F::reads_a), reads_mask(F::reads_b), reads_mask(F::reads_c)};
    def.vjp = ternary_vjp<F>;
    def.backward = backward_elementwise;
  }
  if constexpr (requires { typename F::Attributes; }) {
    def.attributes = &attribute_type<typename F::Attributes>;
  }
  return def;
}

/// ElementwiseOp::passes of formula F.
template <class F>
constexpr std::uint8_t passes() {
  std::uint8_t bits = 0;
  if constexpr (requires { F::passes_a; }) bits |= F::passes_a ? 1 : 0;
  if constexpr (requires { F::passes_b; }) bits |= F::passes_b ? 2 : 0;
  if constexpr (requires { F::passes_c; }) bits |= F::passes_c ? 4 : 0;
  return bits;
}

}  // namespace ops
}  // namespace wengert
