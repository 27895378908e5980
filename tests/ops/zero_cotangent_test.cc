#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/testing.h"
#include "wengert/testing/checker.h"

// Where a cotangent is zero the gradient is zero, whatever the operands hold. A masked example may
// be infinite or NaN: what it would send back is not wanted, and must not become NaN.
namespace wengert::testing {
namespace {

/// Ops for which it does not hold, and what it would cost.
const std::map<std::string, std::string> kExceptions = {
    {"matmul", "a product of matrices: each of its n³ terms would have to be looked at"},
    {"linear", "a product of matrices"},
    {"dot", "recorded as matmul"},
    {"einsum", "recorded as matmul"},
};

/// Whether gradients of the sample at these inputs are 0, by the fused rule or the recorded one; or
/// the op refuses them.
bool stays_zero(const Sample& sample, const std::vector<Tensor>& inputs, bool recorded) {
  const Tape tape;
  std::vector<Var> values, arguments, outputs, zeros;
  for (const Tensor& input : inputs) {
    values.push_back(is_floating(input.dtype()) ? variable(input) : Var(input));
    if (is_floating(input.dtype())) arguments.push_back(values.back());
  }
  std::vector<Var> results;
  try {
    results = sample.call(values);
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::kInternal) << error.what();
    return true;
  }
  for (const Var& y : results) {
    if (!y.requires_grad()) continue;
    outputs.push_back(y);
    zeros.emplace_back(Tensor::zeros(y.shape(), y.dtype()));
  }
  if (outputs.empty()) return true;
  for (const Var& g : grad(outputs, arguments, zeros, {.create_graph = recorded})) {
    if (!not_zero(g.value()).empty()) return false;
  }
  return true;
}

TEST(ZeroCotangent, StaysZeroWhateverTheOperandsHold) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const TestedOp& tested : tested_ops()) {
    std::string why;
    for (const Sample& sample : tested.tests().samples) {
      if (sample.large() || !why.empty()) continue;
      for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
        const Tensor& input = sample.inputs[i];
        if (!is_floating(input.dtype()) || input.element_count() == 0) continue;
        for (const double hostile : {inf, -inf, std::nan(""), 0.0}) {
          std::vector<Tensor> inputs = sample.inputs;
          std::vector<double> elements = input.to_vector<double>();
          elements[elements.size() / 2] = hostile;
          inputs[i] = Tensor::from(elements, input.shape());
          for (const bool recorded : {false, true}) {
            if (stays_zero(sample, inputs, recorded)) continue;
            why = sample.name + ", input " + std::to_string(i) + " with " +
                  std::to_string(hostile) + (recorded ? ", recorded" : "");
          }
        }
      }
    }
    EXPECT_EQ(why.empty(), !kExceptions.contains(tested.name)) << tested.name << ": " << why;
  }
}

}  // namespace
}  // namespace wengert::testing
