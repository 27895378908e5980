#include <algorithm>
#include <cmath>

#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(CosineRestarts) {
  option("period", o.period, kWholeStep, "how many steps the first fall takes");
  option("growth", o.growth, Range{1, 1e9, false, false},
         "how many times as long as the last each fall is");
  option("final_share", o.final_share, kShare, "what the last rate is of the first one");
}

namespace {

/// How much of the present fall lies behind, [0, 1).
double share_of_fall(double t, double period, double growth) {
  if (growth == 1) return std::fmod(t, period) / period;
  // Fall n begins at period·(growthⁿ − 1)/(growth − 1).
  const double more = growth - 1;
  const double n = std::floor(std::log1p(t / period * more) / std::log(growth));
  const double length = period * std::pow(growth, n);
  const double share = (t - (length - period) / more) / length;
  // Rounding at a restart may count the last fall as the present one.
  return share >= 1 - 1e-9 ? 0 : std::max(share, 0.0);
}

double cosine_restarts_factor(const OptionValues& options, const Progress& progress,
                              std::span<const double>) {
  const auto o = options_as<CosineRestarts>(options);
  const double share = share_of_fall(static_cast<double>(progress.step), o.period, o.growth);
  return o.final_share + (1 - o.final_share) * half_cosine(share);
}

}  // namespace

WENGERT_SCHEDULE(cosine_restarts, CosineRestarts) = {
    .name = "cosine_restarts",
    .doc = {.summary =
                "The rate falls on half a cosine again and again, each fall from the first rate.",
            .formula = "η_t = η·(f + (1 − f)(1 + cos πu)/2), u = share of the present fall, of "
                       "period·growthⁿ steps",
            .notes = "f = final_share, which no step quite has: at the end of a fall the next "
                     "begins. The same as PyTorch's CosineAnnealingWarmRestarts with T_0 = period, "
                     "T_mult = growth; Keras can also lower the rate that a fall begins with.",
            .source = "I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm "
                      "restarts, 2017, section 3"},
    .options = list_options<CosineRestarts>,
    .factor = cosine_restarts_factor,
};

}  // namespace wengert::optim
