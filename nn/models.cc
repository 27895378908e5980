#include "wengert/nn/models.h"

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/nn/norm.h"
#include "wengert/ops/ops.h"

namespace wengert::nn {

Var mlp(ParameterSet& parameters, const Var& inputs, const MlpOptions& options) {
  const LinearOptions hidden{.bias = !options.batch_norm};
  Var h = inputs;
  const auto layer = [&](const char* name, std::int64_t units, const char* norm, const char* drop) {
    h = linear(parameters, name, h, units, hidden);
    if (options.batch_norm) h = batch_norm(parameters, norm, h);
    h = relu(h);
    if (options.dropout != 0) h = dropout(parameters, drop, h, options.dropout);
  };
  layer("fc1", 256, "norm1", "drop1");
  layer("fc2", 128, "norm2", "drop2");
  layer("fc3", 100, "norm3", "drop3");
  return linear(parameters, "out", h, 10);
}

namespace {

/// The MLP of the data set's published list.
Var plain_mlp(ParameterSet& parameters, const Var& inputs) { return mlp(parameters, inputs, {}); }
/// The same with what `wengert ablate mlp` measures.
Var trained_mlp(ParameterSet& parameters, const Var& inputs) {
  return mlp(parameters, inputs, {.batch_norm = true, .dropout = 0.2});
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
      {"mlp", "784-256-128-100-10 with ReLU, the published Fashion-MNIST MLP", 784, 10, plain_mlp},
      {"mlp_norm", "the same with batch norm before each ReLU and dropout of 0.2 after it", 784, 10,
       trained_mlp},
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
