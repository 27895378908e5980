#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/io/safetensors.h"
#include "wengert/optim/training/hook.h"
#include "wengert/optim/training/snapshot.h"

namespace wengert::optim {

/// A running average of all weights and buffers, taken after each step: ā ← dā + (1 − d)θ. It
/// begins with the weights after the first step, not with zeros, and so needs no correction.
class WENGERT_API WeightAverage : public TrainingHook {
 public:
  struct Options {
    double decay = 0.999;  ///< d, what remains of the average: [0, 1)
    /// d is at most (1 + t)/(10 + t) in step t, so that the first weights are soon forgotten.
    bool warm_up = true;
  };
  /// Throws Error(kValue) on a decay outside [0, 1).
  explicit WeightAverage(Options options,
                         std::source_location where = std::source_location::current());

  std::string_view name() const override { return "weight_average"; }
  void after_step(Training& training, const StepRecord& record) override;
  std::vector<io::NamedTensor> state() const override;
  void restore(const std::vector<io::NamedTensor>& state) override;

  /// Empty before the first step.
  const Snapshot& average() const { return average_; }
  std::int64_t steps() const { return steps_; }

 private:
  Options options_;
  std::int64_t steps_ = 0;
  Snapshot average_;
};

/// Puts the average in the place of a set's parameters and buffers while it lives: to validate, or
/// to save a model. Throws Error(kParameter) where it is not of this set; with an average of
/// nothing the set stays as it is.
class WENGERT_API AverageSwap {
 public:
  AverageSwap(const WeightAverage& average, ParameterSet& parameters,
              std::source_location where = std::source_location::current());
  ~AverageSwap();
  AverageSwap(const AverageSwap&) = delete;
  AverageSwap& operator=(const AverageSwap&) = delete;

 private:
  ParameterSet& parameters_;
  Snapshot own_;
};

}  // namespace wengert::optim
