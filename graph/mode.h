#pragma once

#include <cstdint>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert {

/// What a computation is for. Ops that depend on it (dropout, batch norm) keep it in their node.
enum class Mode : std::uint8_t { kTraining, kInference };

constexpr std::string_view name_of(Mode mode) {
  return mode == Mode::kTraining ? "training" : "inference";
}

/// The mode of this thread: that of the live tapes, which the outermost one fixes (training, unless
/// it was opened as Tape(Mode::kInference)). Without a tape, within NoGrad or not, inference.
WENGERT_API Mode current_mode();

}  // namespace wengert
