#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <tuple>
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

/// Calls a sample's op on `inputs`, writes input `place`, or the result, if that is one beyond, and
/// then asks for the derivative for input `argument`, or for all: whether that keeps what is
/// written, and whether it is refused. Nothing where there is no such derivative.
std::optional<Outcome> write_between(const Sample& sample, std::span<const Tensor> inputs,
                                     std::optional<std::size_t> argument, std::size_t place,
                                     const BackwardOptions& options) {
  Tape tape;
  std::vector<Tensor> memory;
  std::vector<Var> xs, wanted;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    memory.push_back(inputs[i].clone());
    const bool differentiated = argument.value_or(i) == i;
    xs.push_back(differentiated ? variable(memory.back()) : Var(memory.back()));
    if (differentiated) wanted.push_back(xs.back());
  }
  const Var y = sample.call(xs)[0];
  if (!y.requires_grad() || !is_floating(y.dtype())) return std::nullopt;
  Tensor written = place < memory.size() ? memory[place] : y.value();
  Outcome outcome;
  outcome.saved = keeps(tape, written);
  try {
    { const WriteGuard guard(written, "test"); }
    const Var ys[] = {y}, cotangents[] = {Tensor::full(y.shape(), 0.75, y.dtype())};
    (void)grad(ys, wanted, cotangents, options);
  } catch (const Error& error) {
    if (error.message().find("overwritten by test") == std::string::npos) return std::nullopt;
    EXPECT_EQ(error.kind(), ErrorKind::kGraph) << error.what();
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
      std::vector<Tensor> inputs;
      for (const Tensor& input : sample->inputs) inputs.push_back(filled_from(input, shape));
      for (std::size_t place = 0; place <= sample->inputs.size(); ++place) {
        // A result of one element lies in its header, out of reach: its value() is a copy.
        if (place == sample->inputs.size() && element_count(shape) == 1) continue;
        for (const bool create_graph : {false, true}) {
          const auto outcome =
              write_between(*sample, inputs, std::nullopt, place, {.create_graph = create_graph});
          ASSERT_TRUE(outcome.has_value()) << tests.op;
          EXPECT_EQ(outcome->error, outcome->saved)
              << tests.op << " on " << shape.str() << ", place " << place << " written"
              << (create_graph ? ", recorded" : "");
          ++(outcome->saved ? found : free);
        }
      }
    }
  }
  EXPECT_GT(found, 300);
  EXPECT_GT(free, 300);
}

// Every op, by the fused rule and the recorded one: only what a derivative keeps is refused, and
// what it keeps it reads, in some sample at least (a power of 0 does without its input).
TEST(Overwritten, WhatEveryOpKeepsItReads) {
  int found = 0, free = 0;
  for (const TestedOp& entry : tested_ops()) {
    const OpTests tests = entry.tests();
    std::map<std::tuple<std::size_t, std::size_t, bool>, Outcome> together;
    for (const Sample& sample : tests.samples) {
      if (!sample.smooth) continue;
      for (std::size_t argument = 0; argument < sample.inputs.size(); ++argument) {
        if (!is_floating(sample.inputs[argument].dtype())) continue;
        for (std::size_t place = 0; place <= sample.inputs.size(); ++place) {
          for (const bool create_graph : {false, true}) {
            const auto outcome = write_between(sample, sample.inputs, argument, place,
                                               {.create_graph = create_graph});
            if (!outcome) continue;
            EXPECT_TRUE(outcome->saved || !outcome->error)
                << tests.op << ", " << sample.name << ", derivative for input " << argument
                << ", place " << place << (create_graph ? ", recorded" : "");
            // Without a kept value there is nothing that could go unread.
            Outcome& all = together[{argument, place, create_graph}];
            all.saved |= outcome->saved;
            all.error |= outcome->error;
            ++(outcome->error ? found : free);
          }
        }
      }
    }
    for (const auto& [where, outcome] : together) {
      const auto [argument, place, create_graph] = where;
      if (argument > 2) continue;  // inputs of a list from the fourth on have one declaration
      EXPECT_EQ(outcome.error, outcome.saved)
          << tests.op << ": the derivative for input " << argument << " never reads place " << place
          << (create_graph ? ", recorded" : "");
    }
  }
  EXPECT_GT(found, 1000);
  EXPECT_GT(free, 1000);
}

/// One partial of an elementwise op over a run of elements.
struct Partial {
  const ElementwiseKernels::Backward kernel;
  const void* attributes;
  Tensor cotangent;
  std::vector<double> at(std::span<const Tensor> inputs, const Tensor& y) const {
    std::vector<const void*> data;
    for (const Tensor& input : inputs) data.push_back(input.data());
    std::vector<double> result(static_cast<std::size_t>(y.element_count()));
    kernel(cotangent.data(), data.data(), y.data(), result.data(), y.element_count(), attributes,
           false);
    return result;
  }
};

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// Elementwise kernels are asked for what they read by what their formula says: what it says is
// right. A NaN in the place of what is not read changes nothing, and of what is read something,
// somewhere.
TEST(Reads, OfElementwiseFormulasAreWhatTheyDeclare) {
  const Shape shape = {64};
  const Tensor nan = Tensor::full(shape, std::nan(""), DType::kFloat64);
  int checked = 0;
  for (const TestedOp& entry : tested_ops()) {
    const OpTests tests = entry.tests();
    const OpDef* op = find_op(tests.op);
    if (op->elementwise == nullptr || op->differentiable == 0) continue;
    std::map<std::pair<std::size_t, std::size_t>, bool> read;  // by argument and place
    for (const Sample& sample : tests.samples) {
      bool usable = !sample.inputs.empty();
      for (const Tensor& input : sample.inputs) {
        usable &= input.dtype() == DType::kFloat64 && input.element_count() > 0;
      }
      if (!usable) continue;
      Tape tape;
      std::vector<Tensor> inputs;
      std::vector<Var> xs;
      for (const Tensor& input : sample.inputs) {
        inputs.push_back(filled_from(input, shape));
        xs.push_back(variable(inputs.back()));
      }
      const Var y = sample.call(xs)[0];
      const detail::Node& node = tape.node(tape.id_of(y, "test"));
      if (node.op != op || node.input_count != static_cast<int>(inputs.size())) continue;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!op->is_differentiable(static_cast<int>(i))) continue;
        const Partial partial{op->elementwise->kernels->backward[i][1], node.attributes,
                              Tensor::full(shape, 1.5, DType::kFloat64)};
        const std::vector<double> plain = partial.at(inputs, y.value());
        for (std::size_t place = 0; place <= inputs.size(); ++place) {
          std::vector<Tensor> poisoned = inputs;
          if (place < inputs.size()) poisoned[place] = nan;
          const bool differs =
              !same(plain, partial.at(poisoned, place < inputs.size() ? y.value() : nan));
          read[{i, place}] |= differs;
        }
      }
    }
    for (const auto& [where, differs] : read) {
      const auto [argument, place] = where;
      const std::uint32_t reads = op->reads_for(static_cast<int>(argument));
      const std::size_t arity = static_cast<std::size_t>(op->max_inputs);
      const bool declared =
          place < arity ? (reads & (reads_input(static_cast<int>(place)) | kReadsAllInputs)) != 0
                        : (reads & (reads_output(0) | kReadsOutputs)) != 0;
      // hypot's recorded form looks at the other side too (stable_forms.h), its kernel need not.
      if (op->name == "hypot" && place != argument && place < arity) continue;
      EXPECT_EQ(differs, declared)
          << op->name << ": the derivative for input " << argument
          << (declared ? " declares to read" : " reads") << " place " << place;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100);
}

// Once backward is through, what it kept is given back: of a call only what somebody holds is left.
TEST(Kept, NothingIsAfterBackward) {
  int calls = 0, held = 0;
  for (const TestedOp& entry : tested_ops()) {
    const OpTests tests = entry.tests();
    for (const Sample& sample : tests.samples) {
      if (sample.inputs.empty() || !sample.smooth) continue;
      Tape tape;
      std::vector<Var> xs, wanted;
      for (const Tensor& input : sample.inputs) {
        const bool argument = is_floating(input.dtype());
        xs.push_back(argument ? variable(input) : Var(input));
        if (argument) wanted.push_back(xs.back());
      }
      const Var y = sample.call(xs)[0];
      if (!y.requires_grad() || !is_floating(y.dtype()) || !tape.owns(y)) continue;
      const Var ys[] = {y}, cotangents[] = {Tensor::full(y.shape(), 0.75, y.dtype())};
      const std::uint32_t result = tape.id_of(y, "test");
      (void)grad(ys, wanted, cotangents);
      ++calls;
      for (std::uint32_t id = 0; id < tape.size(); ++id) {
        const detail::Node& node = tape.node(id);
        if (node.op->structural || id == result) continue;
        // Values of up to 8 bytes lie in their headers, which stay for the graph.
        const bool small = tape.dtype(id) == DType::kBool ? element_count(tape.shape(id)) <= 8
                                                          : element_count(tape.shape(id)) <= 2;
        EXPECT_EQ(node.saved, 0) << tests.op << ", " << sample.name << ": " << tape.describe(id);
        EXPECT_TRUE(small || !tape.has_value(id))
            << tests.op << ", " << sample.name << " keeps " << tape.describe(id);
        ++held;
      }
    }
  }
  EXPECT_GT(calls, 300);
  EXPECT_GT(held, 100);
}

}  // namespace
}  // namespace wengert::testing
