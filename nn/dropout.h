#pragma once

#include <cstdint>
#include <source_location>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/var.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/ops.h"

namespace wengert {

/// Dropout inside Scope(name), with a mask from the set's random stream of that name: training sets
/// each element to 0 with probability p and divides the others by 1 − p; inference gives x. A
/// failed step draws the same mask again. Throws Error(kValue) unless p lies in [0, 1],
/// Error(kDType) for an x that is not floating.
WENGERT_API Var dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                        std::source_location where = std::source_location::current());

// The same with the ops of these names, whose pages say what is drawn and scaled. `calls`: the
// mini-batches of an epoch, for which the mask is held.
WENGERT_API Var classic_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x,
                                double p,
                                std::source_location where = std::source_location::current());
WENGERT_API Var held_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x,
                             double p, std::int64_t calls,
                             std::source_location where = std::source_location::current());
WENGERT_API Var spatial_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x,
                                double p, int axis = 1,
                                std::source_location where = std::source_location::current());
WENGERT_API Var stochastic_depth(ParameterSet& parameters, const ScopeName& name, const Var& x,
                                 double p,
                                 std::source_location where = std::source_location::current());
WENGERT_API Var alpha_dropout(ParameterSet& parameters, const ScopeName& name, const Var& x,
                              double p,
                              std::source_location where = std::source_location::current());

/// DropConnect: linear() whose weights, not its units, are dropped in training, each with
/// probability p under one mask for the batch, the others divided by 1 − p; inference takes all
/// weights. Throws what linear() and dropout() throw.
/// Source: L. Wan et al., Regularization of neural networks using DropConnect, ICML 2013; scaled in
/// training instead of sampled in inference.
WENGERT_API Var drop_connect(ParameterSet& parameters, const ScopeName& name, const Var& x,
                             std::int64_t outputs, double p, const LinearOptions& options = {},
                             std::source_location where = std::source_location::current());

}  // namespace wengert
