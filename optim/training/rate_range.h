#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/pass.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/loader.h"
#include "wengert/optim/training/step.h"

namespace wengert::optim {

struct RateRangeOptions {
  double low = 1e-6;         ///< the rate of the first step
  double high = 1;           ///< of the last, if it comes that far
  std::int64_t steps = 100;  ///< at least 2
  /// s: the smoothed loss is the running mean that keeps s, corrected for its start at 0.
  double smoothing = 0.9;
  /// k: it ends once the smoothed loss is more than k times the best one. Of a best loss below 0:
  /// more than (k − 1)·|best| above it.
  double limit = 4;
  const PassPipeline* passes = nullptr;
};

/// What a rate-range test saw, step by step.
struct RateRange {
  std::vector<double> rates;
  std::vector<double> losses;    ///< as they were
  std::vector<double> smoothed;  ///< no entry of these is NaN or infinite
  bool left = false;             ///< the loss left before the last step
  /// The rate at which the smoothed loss falls most steeply by the logarithm of the rate; 0 where
  /// it never falls.
  WENGERT_API double steepest() const;
};

/// Trains with a rate that grows exponentially from low to high and stops where the loss leaves: is
/// not finite, or beyond the limit (L. Smith, Cyclical learning rates for training neural networks,
/// 2017, section 3.3). Then parameters, buffers and the optimizer's state are what they were, to
/// the bit, also when it throws. Throws Error(kValue) unless 0 < low < high are finite, and on
/// other options that are none.
WENGERT_API RateRange rate_range_test(ParameterSet& parameters, Optimizer& optimizer,
                                      const Loader& loader, Model model,
                                      RateRangeOptions options = {},
                                      std::source_location where = std::source_location::current());

/// The curve as a self-contained SVG picture: losses over log₁₀ of the rate.
WENGERT_API std::string rate_range_curve(const std::string& title, const RateRange& range);

}  // namespace wengert::optim
