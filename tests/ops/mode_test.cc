#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/testing.h"

// What records say of inference, held by what their ops compute.
namespace wengert::testing {
namespace {

/// The sample's first result on a tape of this mode, or nothing where the call is refused.
std::vector<double> result_of(const Sample& sample, Mode mode) {
  const Tape tape(mode);
  const std::vector<Var> inputs(sample.inputs.begin(), sample.inputs.end());
  const std::vector<Var> results = sample.call(inputs);
  return results.empty() ? std::vector<double>() : results[0].value().to_vector<double>();
}

TEST(Mode, OpsThatGiveTheirInputInInferenceSaySo) {
  int found = 0;
  for (const TestedOp& tested : tested_ops()) {
    const OpDef& op = *find_op(tested.name);
    bool depends = false, gives_input = true;
    for (const Sample& sample : tested.tests().samples) {
      if (sample.large() || sample.inputs.empty() || !is_floating(sample.inputs[0].dtype()))
        continue;
      const std::vector<double> training = result_of(sample, Mode::kTraining);
      const std::vector<double> inference = result_of(sample, Mode::kInference);
      depends = depends || training != inference;
      gives_input = gives_input && inference == sample.inputs[0].to_vector<double>();
    }
    if (!depends) continue;
    ++found;
    EXPECT_EQ(op.identity_for_inference, gives_input) << tested.name;
  }
  EXPECT_GE(found, 7);  // dropout and its kin, rrelu
}

}  // namespace
}  // namespace wengert::testing
