#include <gtest/gtest.h>

#include <string>
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

}  // namespace
}  // namespace wengert::testing
