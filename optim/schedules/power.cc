#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(Power) {
  option("steps", o.steps, kPositive, "r, after how many steps the rate is η/2ᶜ");
  option("power", o.power, kNotNegative, "c");
}

namespace {

double power_factor(const OptionValues& options, const Progress& progress,
                    std::span<const double>) {
  const auto o = options_as<Power>(options);
  return std::pow(1 + static_cast<double>(progress.step) / o.steps, -o.power);
}

}  // namespace

WENGERT_SCHEDULE(power, Power) = {
    .name = "power",
    .doc = {.summary = "The rate falls fast at first, then ever more slowly.",
            .formula = "η_t = η·(1 + t/r)^(−c), r = steps, c = power",
            .notes = "With c = 1 the rate is halved after r steps and a third after 2r: Keras' "
                     "InverseTimeDecay.",
            .source = "A. Senior, G. Heigold, M. Ranzato, K. Yang, An empirical study of learning "
                      "rates in deep neural networks for speech recognition, 2013, section 3"},
    .options = list_options<Power>,
    .factor = power_factor,
};

}  // namespace wengert::optim
