#pragma once

#include <cstdint>
#include <source_location>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/var.h"
#include "wengert/ops/ops.h"

// Layers of normalization: the ops of the same names with their parameters and buffers. `name/gain`
// starts at 1 and `name/bias` at 0, of x's dtype, made on first use.
namespace wengert {

/// Which variance of a batch of n elements a channel becomes part of the running one.
enum class RunningVariance {
  kUnbiased,  ///< divided by n − 1: what PyTorch and MLX keep
  kBiased,    ///< divided by n: what Keras and Flax keep
};

struct BatchNormOptions {
  int axis = 1;  ///< that of the channels
  double epsilon = 1e-5;
  /// The share of the old value in a running average, in [0, 1): running ← keep·running +
  /// (1 − keep)·batch. What PyTorch calls momentum is 1 − keep.
  double keep = 0.9;
  RunningVariance running_variance = RunningVariance::kUnbiased;
  bool affine = true;  ///< with gain and bias
};

/// Batch normalization inside Scope(name). In training the batch's own mean and variance, which
/// also go into the buffers `name/running_mean` and `name/running_variance` (from 0 and 1 on) when
/// the step succeeds; in inference the buffers'. Parameters and buffers: [channels].
/// Throws Error(kValue) unless 0 ≤ keep < 1, and what the ops batch_norm and batch_norm_inference
/// throw: Error(kShape) for a training batch of one element a channel.
WENGERT_API Var batch_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                           const BatchNormOptions& options = {},
                           std::source_location where = std::source_location::current());

struct NormOptions {
  int first_axis = -1;  ///< of layer_norm and rms_norm: rows are the axes from here on
  double epsilon = 1e-5;
  bool affine = true;  ///< with gain and, but for rms_norm, bias
};

/// layer_norm inside Scope(name), with `name/gain` and `name/bias` of the shape of a row.
WENGERT_API Var layer_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                           const NormOptions& options = {},
                           std::source_location where = std::source_location::current());
/// rms_norm inside Scope(name), with `name/gain` of the shape of a row.
WENGERT_API Var rms_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                         const NormOptions& options = {},
                         std::source_location where = std::source_location::current());
/// group_norm and instance_norm of [batch, channels, …] inside Scope(name), with `name/gain` and
/// `name/bias` [channels].
WENGERT_API Var group_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                           std::int64_t groups, const NormOptions& options = {},
                           std::source_location where = std::source_location::current());
WENGERT_API Var instance_norm(ParameterSet& parameters, const ScopeName& name, const Var& x,
                              const NormOptions& options = {},
                              std::source_location where = std::source_location::current());

}  // namespace wengert
