#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {

/// What one op of a layer gave on a batch: an activation, or an op that takes a weight (linear,
/// matmul). Activations made of other ops (maxout) are told by these alone.
/// Numbers are over all its elements, in float64; mean and variance of elements that are not finite
/// are NaN.
struct OutputHealth {
  std::string scope;  ///< "encoder/fc1", empty at the top
  std::string op;     ///< "linear", "relu"
  double mean = 0;
  double variance = 0;  ///< population variance
  /// Of a rectifier the share of units (positions along the last axis) that are 0 for every example
  /// of the batch: no gradient reaches what is before them. NaN of other ops.
  double dead = 0;
  /// Of a sigmoid, a tanh and their like the share of elements within 1 % of the op's range of one
  /// of its ends. NaN of other ops.
  double saturated = 0;
};

/// What a step would do to one trained parameter.
struct ParameterHealth {
  std::string name;
  double weight_norm = 0;    ///< ‖w‖₂
  double gradient_norm = 0;  ///< ‖g‖₂; 0 where no gradient reached it
  /// ‖g‖/‖w‖: 1e-3 over the rate is a usual size. Infinite for weights of zeros with a gradient.
  double ratio = 0;
};

/// The signs of vanishing and exploding gradients, dying rectifiers and saturation, by layer.
struct HealthReport {
  std::vector<OutputHealth> outputs;        ///< in the order of their ops
  std::vector<ParameterHealth> parameters;  ///< trained ones, in order of creation
  /// A table, one line each.
  WENGERT_API std::string str() const;
};

/// Records the model on one batch, loss passes included, and differentiates it. It draws what the
/// next step will draw, and changes nothing, but that a model which has not run makes its
/// parameters. Throws what the model throws, Error(kGraph) under a tape for inference.
WENGERT_API HealthReport health_of(ParameterSet& parameters, const Model& model, const Batch& batch,
                                   const PassPipeline* passes = nullptr,
                                   std::source_location where = std::source_location::current());

/// How the outputs of one op have moved: internal covariate shift.
struct OutputDrift {
  std::string scope, op;
  double mean_shift = 0;      ///< |mean now − mean before| in deviations of before
  double variance_ratio = 0;  ///< variance now over before
};

/// Between two reports of one model. Throws Error(kValue) when their outputs are not the same ops.
WENGERT_API std::vector<OutputDrift> drift(
    const HealthReport& before, const HealthReport& now,
    std::source_location where = std::source_location::current());

}  // namespace wengert::optim
