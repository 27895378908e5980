#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/pass.h"
#include "wengert/io/safetensors.h"
#include "wengert/optim/training/batch.h"
#include "wengert/optim/training/metrics.h"

namespace wengert::optim {

class Training;

/// What one step came to.
struct StepRecord {
  std::int64_t epoch = 1;            ///< from 1
  std::int64_t step = 0;             ///< in the epoch, from 0
  std::int64_t steps_per_epoch = 1;  ///< of which training does `epochs` times
  double rate = 0;
  Totals totals;               ///< of the step
  Totals so_far;               ///< of the epoch up to here
  const PassContext& context;  ///< what passes said and reported
};

/// What one epoch came to.
struct EpochRecord {
  std::int64_t epoch = 0;  ///< from 1
  double rate = 0;         ///< of its first step
  Totals train;            ///< penalties included
  std::optional<Totals> validation = {};
  double seconds = 0;  ///< of training in this run, without validation; no part of saved states
  /// "loss" or a metric, of the validation where there is one, else of training.
  double watched(std::string_view name,
                 std::source_location where = std::source_location::current()) const {
    return (validation ? *validation : train).value(name, where);
  }
};

/// Looks on at training, and acts: reports, early stops, averages of weights, initialization from
/// data, pre-training. What it keeps is saved and resumed with the rest.
class WENGERT_API TrainingHook {
 public:
  virtual ~TrainingHook() = default;
  /// What its state is filed under, unlike that of every other hook of one training.
  virtual std::string_view name() const = 0;
  /// Before the first step, not when training goes on: parameters, model and loader are at hand.
  virtual void before_training(Training& training) { (void)training; }
  virtual void after_step(Training& training, const StepRecord& record) {
    (void)training, (void)record;
  }
  virtual void after_epoch(Training& training, const EpochRecord& record) {
    (void)training, (void)record;
  }
  /// After the last epoch, or when training was told to stop.
  virtual void after_training(Training& training) { (void)training; }
  /// A step's loss was not finite and training is about to throw: to draw the step, say.
  virtual void non_finite(Training& training, const Batch& batch) { (void)training, (void)batch; }
  /// Asked after each step and epoch; true ends training there.
  virtual bool wants_stop() const { return false; }

  virtual std::vector<io::NamedTensor> state() const { return {}; }
  /// Throws Error(kParameter) on what state() would not give; it is as before then.
  virtual void restore(const std::vector<io::NamedTensor>& state) { (void)state; }
};

}  // namespace wengert::optim
