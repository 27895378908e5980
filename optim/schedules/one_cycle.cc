#include <algorithm>
#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(OneCycle) {
  option("rise", o.rise, kShare, "the share of training in which the rate rises");
  option("first_share", o.first_share, kShare, "what the first rate is of the highest one");
  option("final_share", o.final_share, kShare, "what the last rate is of the highest one");
  option("anneal", o.anneal, kAnneals, "on what the rate goes up and down");
}

namespace {

double between(double from, double to, double share, Anneal anneal) {
  return anneal == Anneal::kCosine ? to + (from - to) * half_cosine(share)
                                   : from + (to - from) * share;
}

double one_cycle_factor(const OptionValues& options, const Progress& progress,
                        std::span<const double>) {
  const auto o = options_as<OneCycle>(options);
  const auto steps = static_cast<double>(progress.steps);
  const double t = std::min(static_cast<double>(progress.step), steps - 1);
  const double top = std::clamp(o.rise * steps - 1, 0.0, steps - 1);
  if (t < top) return between(o.first_share, 1, t / top, o.anneal);
  if (t == top) return 1;
  return between(1, o.final_share, (t - top) / (steps - 1 - top), o.anneal);
}

}  // namespace

WENGERT_SCHEDULE(one_cycle, OneCycle) = {
    .name = "one_cycle",
    .doc = {.summary = "The rate rises to the one that the optimizer was made with and falls far "
                       "below the first.",
            .formula = "from first_share·η at step 0 to η at rise·T − 1, from there to "
                       "final_share·η at T − 1",
            .notes =
                "The same as PyTorch's OneCycleLR with max_lr = η, pct_start = rise, div_factor = "
                "1/first_share and final_div_factor = first_share/final_share, without its cycle "
                "of the momentum. The paper rises and falls on lines and for 45 % each.",
            .source = "L. Smith, N. Topin, Super-convergence, 2018"},
    .options = list_options<OneCycle>,
    .factor = one_cycle_factor,
};

}  // namespace wengert::optim
