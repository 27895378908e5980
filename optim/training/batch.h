#pragma once

#include <cstdint>
#include <optional>

#include "wengert/graph/tensor.h"

namespace wengert::optim {

/// What one evaluation of a model takes: tensors of any dtype and rank whose axis 0 counts
/// examples.
struct Batch {
  Tensor inputs;
  Tensor targets;
  /// Of padded sequences [B, T, …] how long each is: int64 [B].
  std::optional<Tensor> lengths = {};
  /// How much each example counts: [B].
  std::optional<Tensor> weights = {};

  std::int64_t count() const { return inputs.size(0); }
};

}  // namespace wengert::optim
