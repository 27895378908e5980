#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(Exponential) {
  option("gamma", o.gamma, kShare, "γ, what is left of the rate after a step");
}

namespace {

double exponential_factor(const OptionValues& options, const Progress& progress,
                          std::span<const double>) {
  return std::pow(options_as<Exponential>(options).gamma, static_cast<double>(progress.step));
}

}  // namespace

WENGERT_SCHEDULE(exponential, Exponential) = {
    .name = "exponential",
    .doc = {.summary = "Each step leaves the same share of the rate.",
            .formula = "η_t = η·γᵗ",
            .notes = "t counts steps. PyTorch's ExponentialLR counts the calls of its step, as a "
                     "rule one an epoch; γ of an epoch of n steps is γ^(1/n) here. decade_decay is "
                     "the same by the steps that a tenth takes.",
            .source = "PyTorch, torch.optim.lr_scheduler.ExponentialLR"},
    .options = list_options<Exponential>,
    .factor = exponential_factor,
};

}  // namespace wengert::optim
