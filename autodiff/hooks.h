#pragma once

#include <cstdint>

#include "wengert/autodiff/gradient.h"
#include "wengert/graph/tape.h"

// Observers of single gradients by name. Private to the library; the public call is on_gradient.
namespace wengert {

bool has_hooks(const Tape& tape);
void run_hooks(const Tape& tape, std::uint32_t id, const Gradient& cotangent);

}  // namespace wengert
