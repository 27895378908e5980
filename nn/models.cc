#include "wengert/nn/models.h"

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"

namespace wengert::nn {
namespace {

/// 784-256-128-100-10 with ReLU: the MLP of the data set's published list.
Var mlp(ParameterSet& parameters, const Var& inputs) {
  Var h = relu(linear(parameters, "fc1", inputs, 256));
  h = relu(linear(parameters, "fc2", h, 128));
  h = relu(linear(parameters, "fc3", h, 100));
  return linear(parameters, "out", h, 10);
}

/// Five narrow sigmoid layers with small weights: gradients vanish towards the input.
Var sigmoid_mlp(ParameterSet& parameters, const Var& inputs) {
  const LinearOptions small{.weight = normal(0, 0.03)};
  Var h = inputs;
  for (const char* name : {"fc1", "fc2", "fc3", "fc4", "fc5"}) {
    h = sigmoid(linear(parameters, name, h, 64, small));
  }
  return linear(parameters, "out", h, 10);
}

}  // namespace

const std::vector<ModelDef>& models() {
  static const auto* const all = new std::vector<ModelDef>{
      {"mlp", "784-256-128-100-10 with ReLU, the published Fashion-MNIST MLP", 784, 10, mlp},
      {"sigmoid_mlp", "784-64-64-64-64-64-10 with sigmoids, whose gradients vanish", 784, 10,
       sigmoid_mlp},
  };  // lives on: who runs at exit may look
  return *all;
}

const ModelDef& find_model(std::string_view name, std::source_location where) {
  const detail::CallSite site(where);
  std::vector<std::string> names;
  for (const ModelDef& model : models()) {
    if (model.name == name) return model;
    names.emplace_back(model.name);
  }
  std::string known;
  for (const std::string& each : names) known += (known.empty() ? "" : ", ") + each;
  throw Error(ErrorKind::kValue, "model", "no model named '" + std::string(name) + "'",
              "choose one of: " + known);
}

}  // namespace wengert::nn
