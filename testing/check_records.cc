#include "wengert/graph/captured_graph.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/checker.h"

// The record is the whole op: what a call put on the tape can be called again by record, with
// attributes that went through their names.
namespace wengert::testing {
namespace {

/// Writes what it reads.
class Copy final : public AttributeVisitor {
 public:
  explicit Copy(Attributes& to) : to_(to) {}
  void operator()(const char* name, std::int64_t value) override { to_.set(name, value); }
  void operator()(const char* name, double value) override { to_.set(name, value); }
  void operator()(const char* name, bool value) override { to_.set(name, value); }
  void operator()(const char* name, std::string_view value) override { to_.set(name, value); }
  void operator()(const char* name, std::span<const std::int64_t> value) override {
    to_.set(name, value);
  }

 private:
  Attributes& to_;
};

std::string compare(const std::vector<Var>& again, const std::vector<Tensor>& first) {
  for (std::size_t k = 0; k < first.size(); ++k) {
    const std::string problem = bit_difference(again[k].value(), first[k]);
    if (!problem.empty()) return "output " + std::to_string(k) + ": " + problem;
  }
  return {};
}

/// Calls each recorded node by its record on the values of the tape; the first that differs.
std::string call_by_name(const Tape& tape) {
  const std::uint32_t recorded = tape.size();
  for (std::uint32_t id = 0; id < recorded; ++id) {
    const OpDef& op = *tape.node(id).op;
    if (op.structural || tape.node(id).output > 0) continue;
    std::vector<Var> values;
    std::vector<const Var*> inputs;
    for (std::uint32_t input : tape.inputs(id)) {
      if (!tape.has_value(input)) return {};  // given back: nothing to call it on
      values.push_back(tape.var(input));
    }
    for (const Var& value : values) inputs.push_back(&value);
    Attributes attributes(op);
    if (op.attributes != nullptr) {
      Copy copy(attributes);
      op.attributes->visit(tape.node(id).attributes, copy);
    }
    std::vector<Tensor> first;
    for (std::uint32_t k = id; k < recorded && (k == id || tape.node(k).output > 0); ++k) {
      if (!tape.has_value(k)) return {};
      first.push_back(tape.var(k).value());
    }
    const NoGrad off;
    const std::string problem =
        compare(apply_all(op, inputs, attributes.get(), tape.node(id).where), first);
    if (!problem.empty()) return std::string(op.name) + ", " + problem;
  }
  return {};
}

}  // namespace

void OpChecker::check_records(const Sample& sample) {
  Tape tape;
  std::vector<Var> inputs;
  for (const Tensor& input : sample.inputs) {
    inputs.push_back(is_floating(input.dtype()) ? variable(input) : Var(input));
  }
  const std::vector<Var> outputs = sample.call(inputs);
  std::vector<Tensor> first;
  std::vector<Var> roots;
  for (const Var& y : outputs) {
    if (!tape.owns(y)) continue;  // a call that gives an input back, or records nothing
    roots.push_back(y);
    first.push_back(y.value());
  }
  expect(sample, "called by record, attributes by name", call_by_name(tape));
  bool whole = true;  // a constant inside the call may have given its memory back
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    whole &= !tape.node(id).op->structural || tape.has_value(id);
  }
  if (!whole) return;
  const CapturedGraph graph = CapturedGraph::capture(tape, roots);
  const NoGrad off;
  expect(sample, "captured and run again", compare(graph.run(), first));
}

}  // namespace wengert::testing
