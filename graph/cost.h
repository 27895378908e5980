#pragma once

#include <cstdint>

#include "wengert/graph/api.h"
#include "wengert/graph/tape.h"

namespace wengert {

/// Estimated work of one recorded call: what an op's formula asks for, whatever its kernel does.
struct Cost {
  double flops = 0;  ///< floating-point operations: see OpDef::flops
  /// Operands read once, a table of lookups as a whole too, and outputs written once; 0 of what
  /// only makes views.
  double bytes = 0;
};

/// The cost of the call that node `id` belongs to. Throws Error(kGraph) on an id beyond the tape.
WENGERT_API Cost cost_of(const Tape& tape, std::uint32_t id);

}  // namespace wengert
