#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wengert/ops/testing.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/step.h"
#include "wengert/wengert.h"

// What every pass of the table does to several parameters of several sizes: it leaves out no
// element, and neither the order of parameters nor how they are cut into tensors matters.
namespace wengert::optim {
namespace {

/// All elements of the model, by name: tasks of many and of a few, one element, none.
using Values = std::map<std::string, std::vector<double>>;

Values model_values() {
  Values values;
  int seed = 0;
  for (const std::int64_t count : {70001, 15, 1, 0, 130 * 257}) {
    const std::string name = "layer" + std::to_string(seed) + "/weight";
    values[name] = testing::spread({count}, -1, 1, ++seed).to_vector<double>();
  }
  return values;
}

/// What a step of gradient descent by the gradients w + 2 makes of each parameter, the pass at
/// work. Every gradient and every new weight is beyond the limits that passes get here.
Values stepped_under(const PassDef* pass, const std::vector<std::pair<std::string, Tensor>>& all,
                     std::uint64_t seed = 5) {
  ParameterSet parameters(seed);
  parameters.add_all(all, {});
  PassPipeline passes;
  if (pass != nullptr) {
    std::vector<OptionSetting> options;
    for (const OptionDef& option : pass->options()) {
      if (option.words.empty()) options.push_back({std::string(option.name), "0.1"});
    }
    passes.add(make_pass(pass->name, options));
  }
  const Model model = [](ParameterSet& set, const Batch&) -> Outcome {
    Var loss = Tensor::scalar(0.0);
    for (Parameter* parameter : set.all()) {
      const Var w = use(*parameter);
      loss = loss + sum(square(w)) * 0.5 + sum(w) * 2;
    }
    return {loss, 1};
  };
  TrainingStep step(parameters, model, &passes);
  PassContext context;
  Sgd sgd({.rate = 0.5});
  const Batch batch{.inputs = Tensor::zeros({1, 1}), .targets = Tensor::zeros({1})};
  step.run(sgd, std::span(&batch, 1), context);
  Values values;
  for (const Parameter* parameter : parameters.all()) {
    values[parameter->name()] = parameter->value().to_vector<double>();
  }
  return values;
}

std::vector<std::pair<std::string, Tensor>> whole(const Values& values) {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const auto& [name, elements] : values) {
    const auto count = static_cast<std::int64_t>(elements.size());
    result.emplace_back(name, Tensor::from(elements, {1, count}));  // a matrix, one weight a unit
  }
  return result;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 1e-12 * (1 + std::fabs(expected[i]))) << what << " " << i;
  }
}

class PassOfTheTable : public ::testing::TestWithParam<const PassDef*> {};

TEST_P(PassOfTheTable, SeesEveryElementOfEverySize) {
  const Values values = model_values();
  const Values plain = stepped_under(nullptr, whole(values));
  const Values changed = stepped_under(GetParam(), whole(values));
  for (const auto& [name, before] : plain) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      ASSERT_NE(changed.at(name)[i], before[i]) << name << " " << i << " was left out";
    }
  }
  auto reversed = whole(values);
  std::reverse(reversed.begin(), reversed.end());
  for (const auto& [name, given] : stepped_under(GetParam(), reversed)) {
    expect_near(given, changed.at(name), name + " in another order");
  }
  // What is drawn by name, or measured of one parameter, is another matter when names are others.
  if (stepped_under(GetParam(), whole(values), 6) != changed) return;
  if (GetParam()->name == "clip_by_norm") return;
  Values cut;
  for (const auto& [name, elements] : values) {
    const auto at = elements.begin() + static_cast<std::ptrdiff_t>(elements.size() / 3);
    cut["a/" + name].assign(elements.begin(), at);
    cut["b/" + name].assign(at, elements.end());
  }
  const Values parts = stepped_under(GetParam(), whole(cut));
  for (const auto& [name, expected] : changed) {
    std::vector<double> joined = parts.at("a/" + name);
    const std::vector<double>& rest = parts.at("b/" + name);
    joined.insert(joined.end(), rest.begin(), rest.end());
    expect_near(joined, expected, name + " cut in two");
  }
}

/// Those of the table that are about parameters, not about a captured copy.
std::vector<const PassDef*> passes_over_parameters() {
  std::vector<const PassDef*> passes;
  for (const PassDef* pass : registered_passes()) {
    if (pass->stage != PassStage::kCapture) passes.push_back(pass);
  }
  return passes;
}

INSTANTIATE_TEST_SUITE_P(Each, PassOfTheTable, ::testing::ValuesIn(passes_over_parameters()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace wengert::optim
