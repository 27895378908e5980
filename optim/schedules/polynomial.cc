#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(Polynomial) {
  option("power", o.power, kPositive, "p, 1 for a line");
  option("final_share", o.final_share, kShare, "what the last rate is of the first one");
  option("steps", o.steps, kNotNegative, "over how many steps it falls; 0: over all of training");
}

namespace {

double polynomial_factor(const OptionValues& options, const Progress& progress,
                         std::span<const double>) {
  const auto o = options_as<Polynomial>(options);
  const double left = 1 - share_of(progress, o.steps);
  return o.final_share + (1 - o.final_share) * std::pow(left, o.power);
}

}  // namespace

WENGERT_SCHEDULE(polynomial, Polynomial) = {
    .name = "polynomial",
    .doc = {.summary = "The rate falls to its last value as a power of what is left of training.",
            .formula = "η_t = η·(f + (1 − f)(1 − u)ᵖ), u = min(1, t/steps), f = final_share",
            .notes = "With steps = 0, u = t/(T − 1) over the T steps of training. PyTorch's "
                     "PolynomialLR and Keras' PolynomialDecay count steps as here with steps set; "
                     "they do not know the length of training. Afterwards the last rate stays.",
            .source = "PyTorch, torch.optim.lr_scheduler.PolynomialLR; L. Chen et al., DeepLab, "
                      "2017, section 4.1"},
    .options = list_options<Polynomial>,
    .factor = polynomial_factor,
};

}  // namespace wengert::optim
