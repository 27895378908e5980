#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wengert/ops/testing.h"
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

/// Gradients of Σ w²/2 + w/4, the pass at work, by name.
Values gradients_under(const PassDef* pass,
                       const std::vector<std::pair<std::string, Tensor>>& all) {
  ParameterSet parameters(5);
  parameters.add_all(all, {});
  PassPipeline passes;
  if (pass != nullptr) {
    std::vector<OptionSetting> options;
    for (const OptionDef& option : pass->options()) {
      options.push_back({std::string(option.name), "0.1"});
    }
    passes.add(make_pass(pass->name, options));
  }
  const Model model = [](ParameterSet& set, const Batch&) -> Outcome {
    Var loss = Tensor::scalar(0.0);
    for (Parameter* parameter : set.all()) {
      const Var w = use(*parameter);
      loss = loss + sum(square(w)) * 0.5 + sum(w) * 0.25;
    }
    return {loss, 1};
  };
  TrainingStep step(parameters, model, &passes);
  PassContext context;
  const Batch batch{.inputs = Tensor::zeros({1, 1}), .targets = Tensor::zeros({1})};
  const auto evaluated = step.evaluate(std::span(&batch, 1), context);
  Values gradients;
  for (Parameter* parameter : parameters.all()) {
    gradients[parameter->name()] =
        evaluated.gradients.at(parameter->name()).value().to_vector<double>();
  }
  return gradients;
}

std::vector<std::pair<std::string, Tensor>> whole(const Values& values) {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const auto& [name, elements] : values) {
    const auto count = static_cast<std::int64_t>(elements.size());
    result.emplace_back(name, Tensor::from(elements, {count, 1}));  // a matrix: weights are
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
  const Values plain = gradients_under(nullptr, whole(values));
  const Values changed = gradients_under(GetParam(), whole(values));
  for (const auto& [name, before] : plain) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      ASSERT_NE(changed.at(name)[i], before[i]) << name << " " << i << " was left out";
    }
  }
  auto reversed = whole(values);
  std::reverse(reversed.begin(), reversed.end());
  for (const auto& [name, given] : gradients_under(GetParam(), reversed)) {
    expect_near(given, changed.at(name), name + " in another order");
  }
  if (GetParam()->stage == PassStage::kParameters) return;  // it may draw by name
  Values cut;
  for (const auto& [name, elements] : values) {
    const auto at = elements.begin() + static_cast<std::ptrdiff_t>(elements.size() / 3);
    cut["a/" + name].assign(elements.begin(), at);
    cut["b/" + name].assign(at, elements.end());
  }
  const Values parts = gradients_under(GetParam(), whole(cut));
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
