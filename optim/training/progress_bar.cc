#include "wengert/optim/training/progress_bar.h"

#include <unistd.h>

#include <string>

#include "wengert/graph/not_cancelled.h"
#include "wengert/graph/text.h"
#include "wengert/optim/training/fit.h"

namespace wengert::optim {
namespace {

constexpr std::chrono::milliseconds kBetweenDrawings(100);

std::string duration(double seconds) {
  if (seconds < 60) return fixed_number(seconds, 0) + " s";
  if (seconds < 3600) return fixed_number(seconds / 60, 0) + " min";
  return fixed_number(seconds / 3600, 1) + " h";
}

}  // namespace

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (!shown_) return;
  const wengert::detail::NotCancelled whole;  // a destructor, too, comes here
  std::fprintf(bar_, "\r\x1b[K");
  std::fflush(bar_);
  shown_ = false;
}

void ProgressBar::after_step(Training& training, const StepRecord& record) {
  if (bar_ == nullptr || isatty(fileno(bar_)) == 0) return;
  const auto per_epoch = static_cast<double>(record.steps_per_epoch);
  const auto epochs = static_cast<double>(training.options().epochs);
  const double share =
      (static_cast<double>(record.epoch - 1) + static_cast<double>(record.step + 1) / per_epoch) /
      epochs;
  const Clock::time_point now = Clock::now();
  if (!begun_) {
    begun_ = true;
    start_ = last_ = now;
    share_at_start_ = share;
    return;
  }
  if (now - last_ < kBetweenDrawings) return;
  last_ = now;
  std::string text = "epoch " + std::to_string(record.epoch) + "/" +
                     std::to_string(training.options().epochs) + "  loss " +
                     format_number(record.so_far.loss());
  for (const Metric& metric : record.so_far.metrics()) {
    text += "  " + printable(metric.name) + " " + fixed_number(metric.value(), 4);
  }
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (share > share_at_start_) {
    text += "  " + duration(seconds * (1 - share) / (share - share_at_start_)) + " left";
  }
  std::fprintf(bar_, "\r\x1b[K%s  %s", progress_bar(share).c_str(), text.c_str());
  std::fflush(bar_);
  shown_ = true;
}

void ProgressBar::after_epoch(Training&, const EpochRecord& record) {
  clear();
  if (lines_ == nullptr) return;
  std::fprintf(lines_, "%s\n", line(record).c_str());
  std::fflush(lines_);
}

std::string ProgressBar::line(const EpochRecord& record) {
  std::string text = std::string(record.epoch < 10 ? "epoch  " : "epoch ") +
                     std::to_string(record.epoch) + "  loss " +
                     fixed_number(record.train.loss(), 4);
  for (const Metric& metric : record.train.metrics()) {
    text += "  " + printable(metric.name) + " " + fixed_number(metric.value(), 4);
  }
  if (record.validation) {
    text += "  validation " + fixed_number(record.validation->loss(), 4);
    for (const Metric& metric : record.validation->metrics()) {
      text += " / " + fixed_number(metric.value(), 4);
    }
  }
  return text + "  " + fixed_number(record.seconds, 2) + " s";
}

}  // namespace wengert::optim
