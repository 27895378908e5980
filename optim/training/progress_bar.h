#pragma once

#include <chrono>
#include <cstdio>

#include "wengert/graph/api.h"
#include "wengert/optim/training/hook.h"

namespace wengert::optim {

/// A line for each epoch, and between them a bar on one line of a terminal: what is done, loss and
/// metrics so far, the time that is left. What is no terminal gets the lines alone.
class WENGERT_API ProgressBar : public TrainingHook {
 public:
  /// Lines go to `lines` (null: none), the bar to `bar` (null: none).
  explicit ProgressBar(std::FILE* lines = stdout, std::FILE* bar = stderr)
      : lines_(lines), bar_(bar) {}
  ~ProgressBar() override;
  std::string_view name() const override { return "progress_bar"; }
  void after_step(Training& training, const StepRecord& record) override;
  void after_epoch(Training& training, const EpochRecord& record) override;
  /// Takes the bar away, before something else is printed.
  void clear();

  /// "epoch  3  loss 0.3124  accuracy 0.8913  validation 0.3301 / 0.8810  0.52 s"
  static std::string line(const EpochRecord& record);

 private:
  using Clock = std::chrono::steady_clock;
  std::FILE* lines_;
  std::FILE* bar_;
  bool shown_ = false;
  bool begun_ = false;
  Clock::time_point start_, last_;
  double share_at_start_ = 0;
};

}  // namespace wengert::optim
