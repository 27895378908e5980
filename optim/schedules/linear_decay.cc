#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(LinearDecay) {
  option("final_share", o.final_share, kShare, "what the last step's rate is of the first one's");
}

namespace {

double linear_factor(const OptionValues& options, const Progress& progress,
                     std::span<const double>) {
  const double final_share = options_as<LinearDecay>(options).final_share;
  return 1 - progress.share() * (1 - final_share);
}

}  // namespace

WENGERT_SCHEDULE(linear_decay, LinearDecay) = {
    .name = "linear_decay",
    .doc = {.summary = "The rate falls on a straight line from the first step to the last.",
            .formula = "η_t = η·(1 − (1 − f)·t/(T − 1)), t = 0 … T − 1, f = final_share",
            .notes = "With f = 1 the rate stays. Keras' PolynomialDecay of power 1 is the same; "
                     "PyTorch's LinearLR counts the calls of its step.",
            .source = "I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, 2016, eq. 8.14"},
    .options = list_options<LinearDecay>,
    .factor = linear_factor,
};

}  // namespace wengert::optim
