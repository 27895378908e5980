#include <algorithm>
#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ReduceOnPlateau) {
  option("factor", o.factor, kBelowOne, "what the rate is multiplied with on a plateau");
  option("patience", o.patience, kNotNegative, "how many epochs without progress are waited for");
  option("threshold", o.threshold, kBelowOne, "the relative progress that counts as one");
  option("smallest", o.smallest, kShare, "the share of the first rate that is left at least");
}

namespace {

constexpr std::string_view kState[] = {"epochs_seen", "best", "epochs_without_progress",
                                       "reductions"};

double plateau_factor(const OptionValues& options, const Progress&, std::span<const double> state) {
  const auto o = options_as<ReduceOnPlateau>(options);
  return std::max(o.smallest, std::pow(o.factor, state[3]));
}

void watch_plateau(const OptionValues& options, double watched, std::span<double> state) {
  const auto o = options_as<ReduceOnPlateau>(options);
  double &seen = state[0], &best = state[1], &waited = state[2], &reductions = state[3];
  // NaN is no progress; anything finite is, beside a best that is not.
  const bool better =
      std::isfinite(best) ? watched < best - o.threshold * std::fabs(best) : std::isfinite(watched);
  if (seen++ == 0 || better) {
    best = watched;
    waited = 0;
    return;
  }
  if (++waited <= o.patience) return;
  ++reductions;
  waited = 0;
}

}  // namespace

WENGERT_SCHEDULE(reduce_on_plateau, ReduceOnPlateau) = {
    .name = "reduce_on_plateau",
    .doc = {.summary = "The rate falls when what is watched has not become better for a while.",
            .formula = "η ← η·factor after more than `patience` epochs in a row without "
                       "v < best − threshold·|best|",
            .notes =
                "v is the validation loss where there is one, else the training loss. "
                "PyTorch's threshold is relative to best·(1 − threshold), the same for "
                "positive losses; it floors the rate where this floors its share of the first.",
            .source = "PyTorch, torch.optim.lr_scheduler.ReduceLROnPlateau"},
    .options = list_options<ReduceOnPlateau>,
    .factor = plateau_factor,
    .state = kState,
    .observe = watch_plateau,
};

}  // namespace wengert::optim
