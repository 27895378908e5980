
#include "tools/wengert/bench.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// One row an op: its largest sample, forward and, where it has one, backward.
namespace wengert::tools {
namespace {

const testing::Sample* largest(const testing::OpTests& tests) {
  const testing::Sample* best = nullptr;
  std::int64_t most = -1;
  for (const testing::Sample& sample : tests.samples) {
    std::int64_t count = 0;
    for (const Tensor& input : sample.inputs) count += input.element_count();
    if (count > most) {
      most = count;
      best = &sample;
    }
  }
  return best;
}

/// A sum of floating outputs that need gradients, to differentiate.
Var scalar_of(const std::vector<Var>& outputs) {
  Var total;
  for (const Var& output : outputs) {
    if (!output.requires_grad()) continue;
    const Var part = sum(output);
    total = total.has_value() ? total + part : part;
  }
  return total;
}

}  // namespace

void bench_ops(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("op", false)) return;
  for (const testing::TestedOp& op : testing::tested_ops()) {
    const std::string name = std::string("op/") + op.name;
    if (!selection.wants(name)) continue;
    const testing::OpTests tests = op.tests();
    const testing::Sample* sample = largest(tests);
    if (sample == nullptr) continue;
    std::vector<double> forward_times, backward_times;
    for (int repeat = 0; repeat < 60; ++repeat) {
      Tape tape;
      std::vector<Var> inputs;
      for (const Tensor& input : sample->inputs) {
        inputs.push_back(is_floating(input.dtype()) ? variable(input) : Var(input));
      }
      std::vector<Var> outputs;
      forward_times.push_back(nanoseconds([&] { outputs = sample->call(inputs); }));
      const Var scalar = scalar_of(outputs);
      if (scalar.has_value())
        backward_times.push_back(nanoseconds([&] { return backward(scalar); }));
    }
    BenchRow row = summarize(name, "ns", forward_times);
    row.note = "sample " + sample->name;
    rows.push_back(std::move(row));
    if (!backward_times.empty()) {
      BenchRow reverse = summarize(name + "/backward", "ns", backward_times);
      rows.push_back(std::move(reverse));
    }
  }
}

}  // namespace wengert::tools
