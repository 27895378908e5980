#pragma once

#include <cstdint>
#include <optional>

#include "wengert/graph/var.h"

namespace wengert {

/// What losses over classes may be told beside their targets. Weights are constants: no gradient
/// flows to them.
struct ClassOptions {
  /// [classes], of the scores' dtype: how much each class counts. In the mean a row counts as much
  /// as its target; a row of probabilities counts 1.
  Var class_weights = {};
  /// One for each row, as Reduction has it.
  Var weights = {};
  /// Rows with this target, any integer, cost nothing and do not count in the mean.
  std::optional<std::int64_t> ignore_index = {};
  /// ε in [0, 1]: targets become (1 − ε)·target + ε/classes (C. Szegedy et al., Rethinking the
  /// Inception architecture, 2016, §7).
  double label_smoothing = 0;
};

}  // namespace wengert
