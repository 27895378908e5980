#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(StepDecay) {
  option("period", o.period, kWholeStep, "after how many steps the rate falls");
  option("gamma", o.gamma, kShare, "γ, what a fall leaves of the rate");
}

namespace {

double step_factor(const OptionValues& options, const Progress& progress, std::span<const double>) {
  const auto o = options_as<StepDecay>(options);
  return std::pow(o.gamma, std::floor(static_cast<double>(progress.step) / o.period));
}

}  // namespace

WENGERT_SCHEDULE(step, StepDecay) = {
    .name = "step",
    .doc = {.summary = "The rate falls at once after every so many steps.",
            .formula = "η_t = η·γ^⌊t/period⌋",
            .notes = "PyTorch's StepLR is the same and counts the calls of its step, as a rule one "
                     "an epoch: for epochs of n steps the period is n times as long.",
            .source = "PyTorch, torch.optim.lr_scheduler.StepLR"},
    .options = list_options<StepDecay>,
    .factor = step_factor,
};

}  // namespace wengert::optim
