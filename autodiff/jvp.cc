#include "wengert/autodiff/jvp.h"

#include <algorithm>
#include <optional>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/engine.h"
#include "wengert/autodiff/rules.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/parameter.h"
#include "wengert/ops/ops.h"

namespace wengert {

using detail::Node;
using detail::Value;

namespace {

/// An op's vjp under cotangents of our choice, for inputs of our choice. Where `apart`, it sees
/// values without their history, so that an inner tape can record it.
class ChosenRule final : public RecordedRule {
 public:
  ChosenRule(Engine& engine, const Tape& tape, std::uint32_t id, std::vector<Var> cotangents,
             std::vector<std::uint8_t> needs, bool apart)
      : RecordedRule(engine, id),
        tape_(tape),
        cotangents_(std::move(cotangents)),
        needs_(std::move(needs)),
        apart_(apart) {}
  /// Apart, a variable where the rule may differentiate by it; a parameter stays the one that a
  /// function called by the rule finds by itself.
  Var input(int i) const override {
    Var value = RecordedRule::input(i);
    if (!apart_) return value;
    if (!needs(i)) return value.value();
    if (const Parameter* parameter = tape_.parameter(input_id(i))) {
      return use(const_cast<Parameter&>(*parameter));
    }
    return variable(value.value());
  }
  Var output(int k) const override {
    Var value = RecordedRule::output(k);
    return apart_ ? Var(value.value()) : value;
  }
  Var cotangent(int k) const override {
    output_id(k);
    return cotangents_[static_cast<std::size_t>(k)];
  }
  bool needs(int i) const override {
    input_id(i);
    return needs_[static_cast<std::size_t>(i)] != 0;
  }
  Var take_pending(int) override { return {}; }
  bool takes_rows(int) const override { return false; }
  /// What the vjp gave input i, an empty Var where nothing.
  Var given(int i) const {
    if (gradient(i).has_value()) check_fit(i, gradient(i));
    return gradient(i);
  }

 private:
  const Tape& tape_;
  std::vector<Var> cotangents_;
  std::vector<std::uint8_t> needs_;
  bool apart_;
};

}  // namespace

/// The forward sweep: what stands in the engine's table are tangents.
class ForwardSweep {
 public:
  ForwardSweep(Tape& tape, const JvpOptions& options, std::source_location where)
      : tape_(tape),
        recorded_(options.create_graph),
        engine_(tape, {.create_graph = options.create_graph, .retain = true}, where) {}

  void begin(const Var& x, std::uint32_t id, const Var& tangent) {
    first_ = std::min(first_, id);
    engine_.place(
        id, engine_.recorded(engine_.fitting(tangent, x, "tangent", "jvp", "give its tangent")));
  }
  /// Checks a value whose tangent is wanted.
  void ask(const Var& y) { roots_.push_back(engine_.root(y, "jvp", true)); }
  /// The tangents of what was asked for.
  std::vector<Var> run(std::span<const Var> ys);

 private:
  void mark();
  bool moves(std::uint32_t set) const;
  void step(std::uint32_t id);
  void by_formula(std::uint32_t id);
  void by_linearity(std::uint32_t id, std::uint32_t set);
  void by_rule(std::uint32_t id);
  Var tangent_of(std::uint32_t id) const { return Var::share(engine_.table_[id]); }
  int outputs_of(std::uint32_t id) const;

  Tape& tape_;
  const bool recorded_;
  Engine engine_;
  std::vector<std::uint32_t> roots_;  ///< kNoNode: a constant
  std::uint32_t first_ = detail::kNoNode;
  std::vector<std::uint8_t> asked_;   ///< by node: whether a root depends on it
  std::vector<std::uint8_t> moving_;  ///< of the node at hand: inputs whose tangents are to be used
};

std::vector<Var> ForwardSweep::run(std::span<const Var> ys) {
  mark();
  for (std::uint32_t id = first_; id < asked_.size(); ++id) {
    const Node& node = tape_.node(id);
    if (asked_[id] == 0 || node.output > 0) continue;
    moving_.assign(node.input_count, 0);
    for (int i = 0; i < node.input_count; ++i) {
      moving_[static_cast<std::size_t>(i)] =
          engine_.table_[node.inputs()[i]] != nullptr && node.op->is_differentiable(i);
    }
    if (node.op->vjp != nullptr && moves(kAllInputs)) step(id);
  }
  std::vector<Var> tangents;
  for (std::size_t k = 0; k < ys.size(); ++k) {
    Var tangent = roots_[k] == detail::kNoNode ? Var() : engine_.take(roots_[k]);
    if (!tangent.has_value()) tangent = Tensor::zeros(ys[k].shape(), ys[k].dtype());
    tangents.push_back(engine_.recorded(std::move(tangent)));
  }
  return tangents;
}

/// Marks the nodes that a root depends on, and of their ops the first outputs, which stand for all.
void ForwardSweep::mark() {
  std::uint32_t end = 0;
  for (const std::uint32_t y : roots_) {
    if (y != detail::kNoNode) end = std::max(end, y + 1);
  }
  asked_.assign(end, 0);
  for (const std::uint32_t y : roots_) {
    if (y != detail::kNoNode) asked_[y] = 1;
  }
  for (std::uint32_t id = end; id > first_;) {
    if (asked_[--id] == 0) continue;
    const Node& node = tape_.node(id);
    asked_[id - node.output] = 1;
    for (int i = 0; i < node.input_count; ++i) asked_[node.inputs()[i]] = 1;
  }
}

/// Whether an input of the set has a tangent that is still to be used.
bool ForwardSweep::moves(std::uint32_t set) const {
  for (std::size_t i = 0; i < moving_.size(); ++i) {
    if (moving_[i] != 0 && detail::in_set(set, static_cast<int>(i))) return true;
  }
  return false;
}

void ForwardSweep::step(std::uint32_t id) {
  const OpDef& op = *tape_.node(id).op;
  const DerivativeSite site(tape_, id, recorded_);
  if (op.elementwise != nullptr) return by_formula(id);
  for (const std::uint32_t set : op.linear) {
    if (moves(set)) by_linearity(id, set);
  }
  if (moves(kAllInputs)) by_rule(id);
}

int ForwardSweep::outputs_of(std::uint32_t id) const {
  int count = 1;
  while (id + static_cast<std::uint32_t>(count) < tape_.size() &&
         tape_.node(id + static_cast<std::uint32_t>(count)).output == count) {
    ++count;
  }
  return count;
}

/// Element by element the Jacobian is a number, so what the formula makes of a cotangent it makes
/// of a tangent.
void ForwardSweep::by_formula(std::uint32_t id) {
  const Node node = tape_.node(id);  // a copy: recording may move the tape's chunk table
  const Shape shape = tape_.shape(id);
  for (int i = 0; i < node.input_count; ++i) {
    if (moving_[static_cast<std::size_t>(i)] == 0) continue;
    Var tangent = tangent_of(node.inputs()[i]);
    if (tangent.shape() != shape) tangent = broadcast_to(tangent, shape);
    std::vector<std::uint8_t> alone(node.input_count, 0);
    alone[static_cast<std::size_t>(i)] = 1;
    ChosenRule rule(engine_, tape_, id, {std::move(tangent)}, std::move(alone), false);
    node.op->vjp(rule);
    Var given = rule.given(i);
    if (!given.has_value()) continue;
    engine_.place(id, engine_.fit(id, std::move(given)));
  }
}

/// The op of the tangents; what has none, or had its say in a set before, is zero there. Held
/// operands that the derivative does not read have no part in it: their shape is enough.
void ForwardSweep::by_linearity(std::uint32_t id, std::uint32_t set) {
  const Node node = tape_.node(id);
  std::vector<Var> operands;
  std::vector<const Var*> pointers;
  for (int i = 0; i < node.input_count; ++i) {
    const std::uint32_t input = node.inputs()[i];
    std::uint8_t& moves = moving_[static_cast<std::size_t>(i)];
    const bool member = detail::in_set(set, i);
    if (member && moves != 0) {
      operands.push_back(tangent_of(input));
      moves = 0;
    } else if (!member && detail::in_set(node.saved_inputs(), i)) {
      operands.push_back(Var::share(engine_.saved_value(id, input, i)));
    } else if (tape_.node(input).op == &detail::absent_op) {
      operands.emplace_back();
    } else {
      operands.emplace_back(Tensor::zeros(tape_.shape(input), tape_.dtype(input)));
    }
  }
  for (const Var& operand : operands) pointers.push_back(&operand);
  std::vector<Var> results = apply_all(*node.op, pointers, node.attributes, node.where);
  for (std::size_t k = 0; k < results.size(); ++k) {
    engine_.place(id + static_cast<std::uint32_t>(k), std::move(results[k]));
  }
}

/// The vjp Jᵀu is linear in u, so its own vjp along a tangent t is Jt, whatever u is.
void ForwardSweep::by_rule(std::uint32_t id) {
  const Node node = tape_.node(id);
  std::optional<Tape> inner;
  if (!recorded_) inner.emplace();
  std::vector<Var> us;
  std::vector<std::uint32_t> places;
  std::vector<Var> cotangents(static_cast<std::size_t>(outputs_of(id)));
  for (std::uint32_t k = 0; k < cotangents.size(); ++k) {
    const std::uint32_t output = id + k;
    if (!tape_.node(output).value->has(Value::kRequiresGrad)) continue;
    us.push_back(variable(Tensor::full(tape_.shape(output), 1, tape_.dtype(output))));
    places.push_back(output);
    cotangents[k] = us.back();
  }
  ChosenRule rule(engine_, tape_, id, std::move(cotangents), moving_, inner.has_value());
  node.op->vjp(rule);
  std::vector<Var> gradients, tangents;
  for (int i = 0; i < node.input_count; ++i) {
    if (moving_[static_cast<std::size_t>(i)] == 0) continue;
    Var given = rule.given(i);
    if (!given.has_value() || !given.requires_grad()) continue;  // zero along this input
    const std::uint32_t input = node.inputs()[i];
    gradients.push_back(engine_.fit(input, std::move(given)));
    const Var tangent = tangent_of(input);
    tangents.push_back(inner ? Var(tangent.value()) : tangent);
  }
  if (gradients.empty()) return;
  std::vector<Var> results = grad(gradients, us, tangents, {.create_graph = recorded_}, node.where);
  for (std::size_t k = 0; k < results.size(); ++k) {
    engine_.place(places[k], inner ? Var(results[k].value()) : std::move(results[k]));
  }
}

std::vector<Var> jvp(const VarList& ys, const VarList& xs, const VarList& tangents,
                     const JvpOptions& options, std::source_location where) {
  const detail::CallSite site(where);
  Tape& tape = live_tape("jvp", ys, where);
  if (tangents.size() != xs.size()) {
    throw Error(
        ErrorKind::kValue, "jvp",
        std::to_string(tangents.size()) + " tangents for " + std::to_string(xs.size()) + " values",
        "give one for each, an empty Var means 1", where);
  }
  for (const Var& y : ys) meet(tape, y, where);
  const std::vector<std::uint32_t> sources = targets_of(tape, xs, "jvp", where);
  ForwardSweep sweep(tape, options, where);
  for (const Var& y : ys) sweep.ask(y);
  for (std::size_t i = 0; i < xs.size(); ++i) sweep.begin(xs[i], sources[i], tangents[i]);
  return sweep.run(ys);
}

}  // namespace wengert
