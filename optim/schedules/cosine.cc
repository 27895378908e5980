#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(Cosine) {
  option("final_share", o.final_share, kShare, "what the last rate is of the first one");
  option("steps", o.steps, kNotNegative, "over how many steps it falls; 0: over all of training");
}

namespace {

double cosine_factor(const OptionValues& options, const Progress& progress,
                     std::span<const double>) {
  const auto o = options_as<Cosine>(options);
  return o.final_share + (1 - o.final_share) * half_cosine(share_of(progress, o.steps));
}

}  // namespace

WENGERT_SCHEDULE(cosine, Cosine) = {
    .name = "cosine",
    .doc =
        {.summary = "The rate falls on half a cosine from the first step to the last.",
         .formula = "η_t = η·(f + (1 − f)(1 + cos πu)/2), u = min(1, t/steps), f = final_share",
         .notes =
             "With steps = 0, u = t/(T − 1) over the T steps of training. Afterwards the last rate "
             "stays; PyTorch's CosineAnnealingLR climbs again. Keras' CosineDecay is the same.",
         .source = "I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm "
                   "restarts, 2017, eq. 5"},
    .options = list_options<Cosine>,
    .factor = cosine_factor,
};

}  // namespace wengert::optim
