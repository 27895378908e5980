#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/var.h"

namespace wengert::nn {

/// A network that the program knows by name.
struct ModelDef {
  std::string_view name;
  std::string_view summary;
  std::int64_t features;  ///< of one example
  std::int64_t classes;
  /// Logits [B, classes] of inputs [B, features].
  Var (*logits)(ParameterSet& parameters, const Var& inputs);
};

/// What stands between the layers of `mlp`.
struct MlpOptions {
  bool batch_norm = false;  ///< before each ReLU; the layers in front of it have no bias then
  double dropout = 0;       ///< after each ReLU, with this probability
};

/// Logits [B, 10] of inputs [B, 784] by 784-256-128-100-10 with ReLU: layers fc1, fc2, fc3, out,
/// norms norm1 … and streams drop1 … of these names. Throws what linear, batch_norm and dropout
/// throw: Error(kValue) on a probability outside [0, 1].
WENGERT_API Var mlp(ParameterSet& parameters, const Var& inputs, const MlpOptions& options);

/// All of them.
WENGERT_API const std::vector<ModelDef>& models();
/// By name. Throws Error(kValue) naming the closest.
WENGERT_API const ModelDef& find_model(
    std::string_view name, std::source_location where = std::source_location::current());

}  // namespace wengert::nn
