#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {

struct LsuvOptions {
  double tolerance = 0.1;    ///< how far from 1 a variance may stay
  std::int64_t trials = 10;  ///< how often one layer is scaled at most
  bool orthogonal = true;    ///< weights begin orthonormal; else they stay what they are
};

/// What became of one layer.
struct LsuvLayer {
  std::string weight;   ///< the parameter's name
  double variance = 0;  ///< of the layer's outputs on the batch, at the end
  double scale = 1;     ///< by which the weight was multiplied
  std::int64_t trials = 0;
  bool reached = false;  ///< whether the variance is within the tolerance of 1
};

/// Layer-sequential unit-variance initialization: in the order of the model's layers, each weight
/// is divided by the deviation of that layer's outputs on the batch until their variance is 1.
/// Layers are ops whose record tells fans (linear, matmul), their weights trained parameters; a
/// weight of several layers is set by the first. The model computes for training; its draws and
/// updates of buffers are dropped. D. Mishkin, J. Matas, All you need is a good init, 2015. Throws
/// Error(kValue) on options outside their ranges, Error(kNonFinite) where a layer's variance is 0
/// or not finite, naming the layer; all weights are as before then. Error(kGraph) under a tape for
/// inference; Error(kFile) where orthogonal weights find no LAPACK.
WENGERT_API std::vector<LsuvLayer> lsuv(
    ParameterSet& parameters, const Model& model, const Batch& batch,
    const LsuvOptions& options = {}, std::source_location where = std::source_location::current());

}  // namespace wengert::optim
