#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/split.h"

namespace wengert::optim {

/// What the folds of a cross-validation came to.
struct CrossValidation {
  std::vector<double> values;  ///< of each fold
  double mean = 0;
  /// Their standard deviation over n − 1, since folds are a sample of what could be:
  /// √(Σ(v−mean)²/(n−1)).
  double spread = 0;
  /// "0.523 ± 0.031 (5 folds: 0.5, …)"
  WENGERT_API std::string str() const;
};

/// Trains anew on the training part of each fold and measures on its validation part: `value` does
/// both, and gives a loss, say. Folds are those of k_folds or stratified_k_folds. In a search the
/// mean is the objective.
///
/// Throws Error(kValue) on fewer than two folds, a fold without examples for training or
/// validation, with one for both, or where an example is held out in two folds; Error(kNonFinite)
/// where a value is not finite, naming the fold. What `value` throws passes.
WENGERT_API CrossValidation
cross_validate(const std::vector<Split>& folds,
               const std::function<double(const Split& fold, std::int64_t index)>& value,
               std::source_location where = std::source_location::current());

}  // namespace wengert::optim
