#pragma once

// Private to the library.

#include "wengert/graph/op.h"
#include "wengert/ops/elementwise/levels.h"
#include "wengert/ops/loss/losses.h"

// Makes records of losses from formulas: the loss of one element, as the formula of an elementwise
// op of two operands states it, and the reduction that all losses share. A third operand, if given,
// weighs the losses.
namespace wengert::ops {

/// Documentation::arguments of a loss that has no more to say of them.
inline constexpr std::string_view kArgumentsOfLoss =
    "prediction, target: float32 or float64 of one dtype and shape; reduction: mean (NaN over "
    "none), sum, none, or mean_over_all, whose denominator does not look at weights; weights: of "
    "the same dtype and shape, constant for derivatives, or left out; 0 leaves its loss out";

/// What the reduction has to do with; see loss_of_elements.
void infer_loss_of_elements(InferContext& call, Reduction reduction);
void evaluate_loss_of_elements(EvalContext& call, const ElementwiseOp& op, Reduction reduction);
void backward_loss_of_elements(BackwardContext& call, const ElementwiseOp& op, Reduction reduction);

/// The formula's attributes, which have a member `reduction`; of a formula without any that alone.
template <class F>
struct AttributesOfLoss {
  using type = LossAttributes;
};
template <class F>
requires requires { typename F::Attributes; }
struct AttributesOfLoss<F> {
  using type = typename F::Attributes;
};

template <class F>
void vjp_of_loss(VjpContext& c) {
  constexpr auto kAll = std::make_integer_sequence<int, 2>{};
  const Reduction reduction = c.attributes<typename AttributesOfLoss<F>::type>().reduction;
  const Var g = spread_cotangent(c.cotangent(), reduction, element_count(c.shape(0)),
                                 c.has(2) ? c.input(2) : Var());
  if (c.needs(0)) c.set(0, cotangent_product(g, partial_in_ops<F, 0>(c, F::reads_a, kAll)));
  if (c.needs(1)) c.set(1, cotangent_product(g, partial_in_ops<F, 1>(c, F::reads_b, kAll)));
}

/// The record of the loss with formula F, whose kernels are those of `op`. The losses themselves
/// are not kept: partials read the operands alone.
template <class F, const ElementwiseOp& op>
constexpr OpDef loss_of_elements(std::string_view name, const Documentation& doc) {
  using A = typename AttributesOfLoss<F>::type;
  static_assert(((F::reads_a | F::reads_b) & kY) == 0, "a loss keeps its operands, not itself");
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = 2;
  def.max_inputs = 3;
  def.optional = 0b100;
  def.differentiable = 0b11;
  def.reads = {reads_mask(F::reads_a) | reads_input(2), reads_mask(F::reads_b) | reads_input(2)};
  def.infer = [](InferContext& c) { infer_loss_of_elements(c, c.attributes<A>().reduction); };
  def.evaluate = [](EvalContext& c) {
    evaluate_loss_of_elements(c, op, c.attributes<A>().reduction);
  };
  def.vjp = vjp_of_loss<F>;
  def.backward = [](BackwardContext& c) {
    backward_loss_of_elements(c, op, c.attributes<A>().reduction);
  };
  def.attributes = &attribute_type<A>;
  def.default_attributes = &default_attributes_of<A>;
  return def;
}

}  // namespace wengert::ops
