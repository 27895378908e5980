#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(DecadeDecay) {
  option("steps", o.steps, kPositive, "r, in how many steps the rate falls to a tenth");
}

namespace {

double decade_factor(const OptionValues& options, const Progress& progress,
                     std::span<const double>) {
  return std::pow(10, -static_cast<double>(progress.step) / options_as<DecadeDecay>(options).steps);
}

}  // namespace

WENGERT_SCHEDULE(decade_decay, DecadeDecay) = {
    .name = "decade_decay",
    .doc =
        {.summary = "The rate falls to a tenth in every so many steps.",
         .formula = "η_t = η·10^(−t/r), r = steps",
         .notes =
             "The exponential schedule of textbooks; exponential with γ = 10^(−1/r) is the same.",
         .source = "A. Senior, G. Heigold, M. Ranzato, K. Yang, An empirical study of learning "
                   "rates in deep neural networks for speech recognition, 2013, section 3"},
    .options = list_options<DecadeDecay>,
    .factor = decade_factor,
};

}  // namespace wengert::optim
