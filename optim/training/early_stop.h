#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/snapshot.h"

namespace wengert::optim {

/// Keeps the weights and buffers of the best epoch, ends training when `patience` epochs in a row
/// were no better, and puts the best ones back at the end, to the bit. A training that another hook
/// stopped keeps its present weights, so that it can go on: see best_weights().
class WENGERT_API EarlyStop : public TrainingHook {
 public:
  struct Options {
    std::string watched = "loss";  ///< or a metric; of the validation where there is one
    bool larger_is_better = false;
    /// 0: training is never ended, the best weights are kept all the same.
    std::int64_t patience = 0;
    double least_change = 0;  ///< what counts as better
  };
  /// Throws Error(kValue) on a negative patience or change.
  explicit EarlyStop(Options options, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "early_stop"; }
  void after_epoch(Training& training, const EpochRecord& record) override;
  void after_training(Training& training) override;
  bool wants_stop() const override;
  std::vector<io::NamedTensor> state() const override;
  void restore(const std::vector<io::NamedTensor>& state) override;

  /// From 1; 0 before the first. NaN is never the best.
  std::int64_t best_epoch() const { return best_epoch_; }
  double best() const { return best_; }
  const Snapshot& best_weights() const { return best_weights_; }

 private:
  Options options_;
  std::int64_t best_epoch_ = 0;
  std::int64_t waited_ = 0;
  double best_ = std::numeric_limits<double>::quiet_NaN();
  Snapshot best_weights_;
};

}  // namespace wengert::optim
