#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/check_op.h"

// A value that an op saved for backward and that was written since must not go into a gradient,
// whichever of backward's sweeps meets it: over single elements, over small tensors, fused on large
// ones, or recorded.
namespace wengert::testing {
namespace {

/// `shape` filled with the sample's own numbers, which lie in the op's domain.
Tensor filled_from(const Tensor& sample, const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = sample.at(static_cast<std::int64_t>(i) % sample.element_count());
  }
  return Tensor::from(values, shape);
}

const Sample* usable(const OpTests& tests) {
  for (const Sample& sample : tests.samples) {
    bool usable = sample.smooth;
    for (const Tensor& input : sample.inputs) {
      usable &= input.dtype() == DType::kFloat64 && input.element_count() > 0;
    }
    if (usable) return &sample;
  }
  return nullptr;
}

struct Outcome {
  bool saved = false;  ///< the derivative reads that value
  bool error = false;  ///< backward refused
};

/// Calls the op, writes input `place` (or the result, if that is one beyond), differentiates.
Outcome write_between(const Sample& sample, const Shape& shape, std::size_t place,
                      const BackwardOptions& options) {
  Tape tape;
  std::vector<Tensor> memory;
  std::vector<Var> xs;
  for (const Tensor& input : sample.inputs) {
    memory.push_back(filled_from(input, shape));
    xs.push_back(variable(memory.back()));
  }
  const Var y = sample.call(xs)[0];
  const detail::Node& node = tape.node(tape.id_of(y, "test"));
  const bool is_input = place < xs.size();
  Outcome outcome;
  outcome.saved = is_input ? detail::in_set(node.saved_inputs(), static_cast<int>(place))
                           : (node.saved & detail::kSavedOutput) != 0;
  Tensor written = is_input ? memory[place] : y.value();
  { const WriteGuard guard(written, "test"); }
  try {
    const Var ys[] = {y}, cotangents[] = {filled_from(Tensor::from({0.5, 2.0, -1.5}, {3}), shape)};
    (void)grad(ys, xs, cotangents, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kGraph) << error.what();
    EXPECT_NE(error.message().find("overwritten by test"), std::string::npos) << error.what();
    outcome.error = true;
  }
  return outcome;
}

TEST(Overwritten, SavedValuesOfElementwiseOpsAreFoundInEverySweep) {
  int found = 0, free = 0;
  for (const TestedOp& entry : tested_ops()) {
    const OpTests tests = entry.tests();
    const OpDef* op = find_op(tests.op);
    const Sample* sample = usable(tests);
    if (op->elementwise == nullptr || op->differentiable == 0 || sample == nullptr) continue;
    for (const Shape& shape : {Shape{5000}, Shape{5}, Shape{1}, Shape{}}) {
      for (std::size_t place = 0; place <= sample->inputs.size(); ++place) {
        // A result of one element lies in its header, out of reach: its value() is a copy.
        if (place == sample->inputs.size() && element_count(shape) == 1) continue;
        for (const bool create_graph : {false, true}) {
          const Outcome outcome =
              write_between(*sample, shape, place, {.create_graph = create_graph});
          EXPECT_EQ(outcome.error, outcome.saved)
              << tests.op << " on " << shape.str() << ", place " << place << " written"
              << (create_graph ? ", recorded" : "");
          ++(outcome.saved ? found : free);
        }
      }
    }
  }
  EXPECT_GT(found, 300);
  EXPECT_GT(free, 300);
}

/// Whether some node keeps a value for backward that lies in that memory.
bool keeps(const Tape& tape, const Tensor& memory) {
  const auto lies_there = [&](std::uint32_t id) {
    const detail::Value* value = tape.node(id).value;
    return !value->has(detail::Value::kInline) && value->storage == memory.storage();
  };
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const detail::Node& node = tape.node(id);
    for (int i = 0; i < node.input_count; ++i) {
      if (detail::in_set(node.saved_inputs(), i) && lies_there(node.inputs()[i])) return true;
    }
    if ((node.saved & detail::kSavedOutput) != 0 && lies_there(id)) return true;
  }
  return false;
}

/// Writes input `place` between the call of a sample and its derivative: whether it was kept, and
/// whether backward refused.
std::optional<Outcome> write_input(const Sample& sample, std::size_t place,
                                   const BackwardOptions& options) {
  Tape tape;
  std::vector<Tensor> memory;
  std::vector<Var> xs, wanted;
  for (const Tensor& input : sample.inputs) {
    memory.push_back(input.clone());
    xs.push_back(is_floating(input.dtype()) ? variable(memory.back()) : Var(memory.back()));
    if (is_floating(input.dtype())) wanted.push_back(xs.back());
  }
  const Var y = sample.call(xs)[0];
  if (!y.requires_grad() || !is_floating(y.dtype())) return std::nullopt;
  Outcome outcome;
  outcome.saved = keeps(tape, memory[place]);
  { const WriteGuard guard(memory[place], "test"); }
  try {
    const Var ys[] = {y}, cotangents[] = {Tensor::full(y.shape(), 0.75, y.dtype())};
    (void)grad(ys, wanted, cotangents, options);
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("overwritten by test"), std::string::npos) << error.what();
    outcome.error = true;
  }
  return outcome;
}

// Every op, every input, by the fused rule and the recorded one: only what was kept is refused, and
// what was kept is refused in every sample but those whose attributes make the derivative do
// without it (a power of 0).
TEST(Overwritten, SavedInputsOfEveryOpAreFound) {
  int found = 0, free = 0;
  for (const TestedOp& entry : tested_ops()) {
    const OpTests tests = entry.tests();
    std::map<std::pair<std::size_t, bool>, Outcome> together;  // by input and way
    for (const Sample& sample : tests.samples) {
      if (sample.inputs.empty() || !sample.smooth) continue;
      for (std::size_t place = 0; place < sample.inputs.size(); ++place) {
        if (sample.inputs[place].element_count() < 2) continue;
        for (const bool create_graph : {false, true}) {
          const auto outcome = write_input(sample, place, {.create_graph = create_graph});
          if (!outcome) continue;
          EXPECT_TRUE(outcome->saved || !outcome->error)
              << tests.op << ", " << sample.name << ", input " << place
              << (create_graph ? ", recorded" : "");
          Outcome& all = together[{place, create_graph}];
          all.saved |= outcome->saved;
          all.error |= outcome->error;
          ++(outcome->error ? found : free);
        }
      }
    }
    for (const auto& [where, outcome] : together) {
      EXPECT_EQ(outcome.error, outcome.saved)
          << tests.op << ", input " << where.first << (where.second ? ", recorded" : "");
    }
  }
  EXPECT_GT(found, 300);
  EXPECT_GT(free, 300);
}

}  // namespace
}  // namespace wengert::testing
