#include <algorithm>
#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(MultiStep) {
  option("milestones", o.milestones, ListKind::kRising, kNotNegative,
         "the steps from which the rate is lower");
  option("gamma", o.gamma, kShare, "γ, what a fall leaves of the rate");
}

namespace {

double multi_step_factor(const OptionValues& options, const Progress& progress,
                         std::span<const double>) {
  const auto o = options_as<MultiStep>(options);
  const auto passed = std::upper_bound(o.milestones.begin(), o.milestones.end(),
                                       static_cast<double>(progress.step)) -
                      o.milestones.begin();
  return std::pow(o.gamma, static_cast<double>(passed));
}

}  // namespace

WENGERT_SCHEDULE(multi_step, MultiStep) = {
    .name = "multi_step",
    .doc =
        {.summary = "The rate falls at once at the steps that are listed.",
         .formula = "η_t = η·γᵏ, k = how many milestones are ≤ t",
         .notes =
             "The step with the number of a milestone, from 0, has the lower rate, as in PyTorch's "
             "MultiStepLR. As text: milestones=3000,6000. Without milestones the rate stays.",
         .source = "PyTorch, torch.optim.lr_scheduler.MultiStepLR"},
    .options = list_options<MultiStep>,
    .factor = multi_step_factor,
};

}  // namespace wengert::optim
