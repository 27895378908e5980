#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(LinearWarmUp) {
  option("steps", o.steps, kPositive, "how many steps the rate rises for");
  option("first_share", o.first_share, kShare, "what the first step's rate is of the whole one");
}

namespace {

double warm_up_factor(const OptionValues& options, const Progress& progress,
                      std::span<const double>) {
  const auto o = options_as<LinearWarmUp>(options);
  return o.first_share + (1 - o.first_share) * share_of(progress, o.steps);
}

}  // namespace

WENGERT_SCHEDULE(linear_warm_up, LinearWarmUp) = {
    .name = "linear_warm_up",
    .doc =
        {.summary = "The rate rises on a straight line at first, then stays.",
         .formula = "η_t = η·(f + (1 − f)·min(1, t/steps)), f = first_share",
         .notes =
             "A product joins it to another schedule: LinearWarmUp({.steps = 500}) * Cosine({}), "
             "or `wengert train --warm-up 500`; both count from the first step. PyTorch's LinearLR "
             "is the same with f = 1/3, 5 steps, and ChainedScheduler the product.",
         .source = "P. Goyal et al., Accurate, large minibatch SGD, 2017, section 2.2"},
    .options = list_options<LinearWarmUp>,
    .factor = warm_up_factor,
};

}  // namespace wengert::optim
