#pragma once

#include <source_location>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/var.h"
#include "wengert/ops/ops.h"

namespace wengert {

/// Dropout inside Scope(name), with a mask from the set's random stream of that name: training sets
/// each element to 0 with probability p and divides the others by 1 − p; inference gives x. A
/// failed step draws the same mask again. Throws Error(kValue) unless p lies in [0, 1],
/// Error(kDType) for an x that is not floating.
WENGERT_API Var dropout(ParameterSet& parameters, const ScopeName& name, const Var& x, double p,
                        std::source_location where = std::source_location::current());

}  // namespace wengert
