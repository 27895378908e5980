#pragma once

#include <cstdint>
#include <source_location>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/var.h"
#include "wengert/nn/initializers.h"

namespace wengert {

namespace nn {
using wengert::shared;
}

struct LinearOptions {
  bool bias = true;
  Initializer weight = nn::he_normal();
  Initializer bias_initializer = nn::constant(0);
};

/// A fully connected layer: y = x·W + b over x's last axis, inside Scope(name), with parameters
/// `name/weight` [in, outputs] and `name/bias` [outputs] created on first use in x's dtype.
/// linear(parameters, shared("fc1"), x, 300) where another line on the tape uses `fc1` too.
/// Throws Error(kShape) for a scalar x or outputs < 1, Error(kDType) for one that is not floating,
/// Error(kParameter) when the name stands for other sizes or initializers, or is used by another
/// line on the tape.
WENGERT_API Var linear(ParameterSet& parameters, const ScopeName& name, const Var& x,
                       std::int64_t outputs, const LinearOptions& options = {},
                       std::source_location where = std::source_location::current());

}  // namespace wengert
