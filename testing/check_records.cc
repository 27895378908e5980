#include "wengert/graph/captured_graph.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
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

/// Axes counted from the back; "a=1 b=2 " of the attributes.
class Spelling final : public AttributeVisitor {
 public:
  std::string text, from_back;
  void operator()(const char* name, std::int64_t value) override {
    if (value < 0 && names_axes(name)) from_back = name;
    add(name, std::to_string(value));
  }
  void operator()(const char* name, double value) override { add(name, format_number(value, 17)); }
  void operator()(const char* name, bool value) override { add(name, value ? "true" : "false"); }
  void operator()(const char* name, std::string_view value) override {
    add(name, std::string(value));
  }
  void operator()(const char* name, std::span<const std::int64_t> value) override {
    for (const std::int64_t each : value) {
      if (each < 0 && names_axes(name)) from_back = name;
    }
    add(name, to_string(value));
  }

 private:
  static bool names_axes(std::string_view name) {
    return name.ends_with("axis") || name == "axes" || name == "order";
  }
  void add(const char* name, const std::string& value) { text += name + ("=" + value + " "); }
};

/// What is recorded has one spelling: axes count from the front, and a call by the recorded
/// attributes is recorded with these very attributes.
std::string spelled_twice(Tape& tape) {
  const std::uint32_t recorded = tape.size();
  for (std::uint32_t id = 0; id < recorded; ++id) {
    const OpDef& op = *tape.node(id).op;
    if (op.structural || op.bound_to_tape || op.attributes == nullptr || tape.node(id).output > 0) {
      continue;
    }
    Spelling first, second;
    op.attributes->visit(tape.node(id).attributes, first);
    if (!first.from_back.empty()) {
      return std::string(op.name) + " records " + first.text + ": " + first.from_back +
             " counts from the back (InferContext::canonical)";
    }
    std::vector<Var> values;
    std::vector<const Var*> inputs;
    bool whole = true;  // else there is nothing to call it on
    for (std::uint32_t input : tape.inputs(id)) {
      whole &= tape.has_value(input);
      if (whole) values.push_back(tape.var(input));
    }
    if (!whole) continue;
    for (const Var& value : values) inputs.push_back(&value);
    const std::uint32_t next = tape.size();
    (void)apply_all(op, inputs, tape.node(id).attributes, tape.node(id).where);
    if (tape.size() == next) continue;
    if (tape.node(next).op != &op) continue;  // a copy of what lies otherwise came first
    op.attributes->visit(tape.node(next).attributes, second);
    if (first.text != second.text) {
      return std::string(op.name) + " records " + first.text + "as " + second.text;
    }
  }
  return {};
}

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
  expect(sample, "recorded in one spelling", spelled_twice(tape));
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
