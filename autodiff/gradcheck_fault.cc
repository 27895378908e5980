#include <algorithm>
#include <cmath>

#include "wengert/autodiff/gradcheck_subject.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

// Where a failed gradcheck goes wrong.
namespace wengert::detail {
namespace {

/// Keeps what a tape records: else values that nobody needs are given back.
class Snapshots final : public TapeObserver {
 public:
  void on_record(const Tape& tape, std::uint32_t id) override {
    keep(tape, id);
    for (const std::uint32_t input : tape.inputs(id)) keep(tape, input);  // leaves come unannounced
  }
  bool has(std::uint32_t id) const { return id < kept_.size() && kept_[id]; }
  const Tensor& operator[](std::uint32_t id) const { return values_[id]; }

 private:
  void keep(const Tape& tape, std::uint32_t id) {
    if (has(id) || !tape.has_value(id)) return;
    kept_.resize(tape.size());
    values_.resize(tape.size());
    kept_[id] = true;
    values_[id] = tape.var(id).value().clone();  // what is moved about may share its memory
  }
  std::vector<bool> kept_;
  std::vector<Tensor> values_;
};

bool requires_grad(const Tape& tape, std::uint32_t id) {
  return tape.node(id).value->has(Value::kRequiresGrad);
}

/// "mul f64[3] in scope fc at model.cc:42"
std::string call_text(const Tape& tape, std::uint32_t id) {
  const std::string text = tape.describe(id);
  return text.substr(0, text.find("; inputs"));
}

// ---------------------------------------------------------------------------- wrong rules

/// One recorded call, to be made again on other operands.
struct Call {
  const OpDef* op;
  const void* attributes;
  std::source_location where;
  std::vector<bool> absent;  ///< by input: whether the call leaves it out

  static void make(void* context, std::span<const Var> inputs, std::vector<Var>& outputs) {
    const Call& call = *static_cast<const Call*>(context);
    std::vector<const Var*> operands;
    const Var none;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      operands.push_back(call.absent[i] ? &none : &inputs[i]);
    }
    for (Var& y : apply_all(*call.op, operands, call.attributes, call.where)) {
      if (is_floating(y.dtype()) && y.requires_grad()) outputs.push_back(std::move(y));
    }
  }
};

struct Suspect {
  bool found = false;
  double error = 0;  ///< relative
  bool kink = false;
  std::string text;
};

/// The inputs of node `id` that its rule gives gradients to.
std::uint32_t differentiated(const Tape& tape, std::uint32_t id) {
  std::uint32_t set = 0;
  const auto inputs = tape.inputs(id);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const int place = static_cast<int>(std::min<std::size_t>(i, 31));
    if (requires_grad(tape, inputs[i]) && tape.node(id).op->is_differentiable(place)) {
      set |= 1u << place;
    }
  }
  return set;
}

/// Checks one call by itself, in both forms of its derivative, up to an order.
Suspect suspect(const Tape& tape, const Snapshots& kept, std::uint32_t id, int order) {
  const Node& node = tape.node(id);
  Call call{node.op, node.attributes, node.where, {}};
  std::vector<Tensor> inputs;
  bool small = true;
  for (const std::uint32_t input : tape.inputs(id)) {
    call.absent.push_back(tape.node(input).op == &absent_op);
    if (!call.absent.back() && !kept.has(input)) return {};
    inputs.push_back(call.absent.back() ? Tensor() : kept[input]);
    small &= inputs.back().element_count() <= 8;
  }
  // Wider than the whole check: one op's share of an error may be small, and noise blames nobody.
  GradcheckOptions options{.absolute = 1e-8, .relative = 1e-6, .fast = !small};
  for (options.order = 1; options.order <= order; ++options.order) {
    GradcheckResult forms[2];
    std::string kink;
    for (const bool graph : {false, true}) {
      Subject subject({Call::make, &call}, inputs, differentiated(tape, id));
      if (subject.chosen().empty()) return {};
      Checker checker(subject, options, graph);
      forms[graph] = checker.run();
      if (!forms[graph].passed) kink = checker.kink_hint();
    }
    if (forms[0].passed && forms[1].passed) continue;
    const GradcheckResult& worst = forms[0].passed ? forms[1] : forms[0];
    std::string text = "the derivative of " + call_text(tape, id) + " by its input " +
                       std::to_string(worst.input) + " is wrong";
    if (options.order > 1) text += " at order " + std::to_string(options.order);
    if (forms[0].passed != forms[1].passed) {
      text += forms[0].passed ? " in its recorded form (vjp)" : " in its fused form (backward)";
    }
    text += ": analytic " + format_number(worst.analytic, 9) + ", numeric " +
            format_number(worst.numeric, 9) + kink;
    const double size = std::fmax(std::fabs(worst.analytic), std::fabs(worst.numeric));
    const double error = std::fabs(worst.analytic - worst.numeric) / size;
    return {true, std::isfinite(error) ? error : 1, !kink.empty(), std::move(text)};
  }
  return {};
}

/// The ancestors of the results that gradients flow through.
std::vector<bool> on_the_way(const Tape& tape, const std::vector<Var>& ys) {
  std::vector<bool> wanted(tape.size());
  for (const Var& y : ys) {
    if (tape.knows(y)) wanted[tape.id_of(y, "gradcheck")] = true;
  }
  for (std::uint32_t id = tape.size(); id-- > 0;) {
    if (!wanted[id]) continue;
    wanted[id - tape.node(id).output] = true;
    for (const std::uint32_t input : tape.inputs(id)) wanted[input] = requires_grad(tape, input);
  }
  return wanted;
}

std::string find_wrong_rule(const Tape& tape, const Snapshots& kept, const std::vector<Var>& ys,
                            int order) {
  const std::vector<bool> wanted = on_the_way(tape, ys);
  const std::uint32_t end = static_cast<std::uint32_t>(wanted.size());
  Suspect worst;
  for (std::uint32_t id = 0; id < end; ++id) {
    const Node& node = tape.node(id);
    if (!wanted[id] || node.op->structural || node.output > 0) continue;
    Suspect found;
    try {
      found = suspect(tape, kept, id, order);
    } catch (const Error&) {
      continue;  // its operands cannot be moved about: it is no proof of anything
    }
    if (!found.found) continue;
    // What is wrong where the function is smooth counts before any kink.
    const bool worse = found.kink != worst.kink ? worst.kink : found.error > worst.error;
    if (!worst.found || worse) worst = std::move(found);
  }
  return worst.text;
}

// ---------------------------------------------------------------------------- cuts

bool same(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  for (std::int64_t i = 0; i < a.element_count(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (x != y && !(std::isnan(x) && std::isnan(y))) return false;
  }
  return true;
}

/// What one evaluation recorded and gave, to be compared with another.
struct Recorded {
  std::vector<const OpDef*> ops;
  Snapshots kept;
  std::vector<Tensor> results;

  void remember(const Tape& tape, const std::vector<Var>& ys) {
    for (std::uint32_t id = 0; id < tape.size(); ++id) ops.push_back(tape.node(id).op);
    for (const Var& y : ys) results.push_back(y.value().clone());
  }
};

constexpr const char* kCuts = "value(), NoGrad and stop_gradient cut gradients";

/// What changed between two evaluations although no gradient flows there from `moved`. `tape` has
/// the second.
std::string find_cut(const Tape& tape, const Snapshots& kept, const std::vector<Var>& ys,
                     const Var& moved, const Recorded& before, const std::string& name) {
  std::vector<bool> reached(tape.size());
  if (tape.knows(moved)) reached[tape.id_of(moved, "gradcheck")] = true;
  std::uint32_t first = Tape::kNoNode;
  int further = 0;
  for (std::uint32_t id = 0; id < tape.size() && id < before.ops.size(); ++id) {
    const Node& node = tape.node(id - tape.node(id).output);
    if (before.ops[id] != tape.node(id).op) break;  // another way through the program
    bool fed = false, flows = reached[id];
    for (int i = 0; i < node.input_count; ++i) {
      fed |= reached[node.inputs()[i]];
      flows |= reached[node.inputs()[i]] && node.op->is_differentiable(i);
    }
    reached[id] = flows && requires_grad(tape, id);
    if (reached[id] || (node.input_count > 0 && !fed)) continue;
    if (!before.kept.has(id) || !kept.has(id) || same(before.kept[id], kept[id])) continue;
    if (first == Tape::kNoNode) {
      first = id;
    } else {
      ++further;
    }
  }
  if (first != Tape::kNoNode) {
    const bool leaf = tape.inputs(first).empty() && tape.node(first).output == 0;
    std::string text = "the graph is cut: " + call_text(tape, first) + " changes with " + name +
                       (leaf ? ", but is a constant" : ", but sends no gradient back");
    if (further > 0) text += ", and " + std::to_string(further) + " further";
    return text + "; " + kCuts;
  }
  for (std::size_t k = 0; k < ys.size() && k < before.results.size(); ++k) {
    const bool flows = tape.knows(ys[k]) && reached[tape.id_of(ys[k], "gradcheck")];
    if (flows || same(ys[k].value(), before.results[k])) continue;
    return "the graph is cut: result " + std::to_string(k) + " changes with " + name +
           ", but was not recorded; " + kCuts;
  }
  return {};
}

}  // namespace

std::string find_fault(Subject& subject, const GradcheckOptions& options, const Line& line,
                       double step) {
  Recorded before;
  {
    Tape tape;
    tape.observe(&before.kept);
    const std::vector<Var> ys = subject.record(0, false);
    tape.observe(nullptr);
    before.remember(tape, ys);
    std::string rule = find_wrong_rule(tape, before.kept, ys, options.order);
    if (!rule.empty()) return rule;
  }
  const Moved moved(subject, line, step);
  Tape tape;
  Snapshots kept;
  tape.observe(&kept);
  const std::vector<Var> ys = subject.record(0, false);
  tape.observe(nullptr);
  const auto place = std::find(subject.chosen().begin(), subject.chosen().end(), line.input);
  const Var& leaf = subject.leaves()[static_cast<std::size_t>(place - subject.chosen().begin())];
  return find_cut(tape, kept, ys, leaf, before, subject.name_of_input(line.input));
}

}  // namespace wengert::detail
