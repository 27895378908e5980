#include <algorithm>
#include <cstddef>
#include <string>

#include "wengert/graph/error.h"
#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(PiecewiseConstant) {
  option("boundaries", o.boundaries, ListKind::kRising, kNotNegative,
         "the steps from which another rate holds");
  option("shares", o.shares, ListKind::kAny, kNotNegative,
         "what the rate from each boundary on is of the first one");
}

namespace {

double piecewise_factor(const OptionValues& options, const Progress& progress,
                        std::span<const double>) {
  const auto o = options_as<PiecewiseConstant>(options);
  const auto passed = std::upper_bound(o.boundaries.begin(), o.boundaries.end(),
                                       static_cast<double>(progress.step)) -
                      o.boundaries.begin();
  return passed == 0 ? 1 : o.shares[static_cast<std::size_t>(passed) - 1];
}

void check_shares(const OptionValues& options) {
  const auto o = options_as<PiecewiseConstant>(options);
  if (o.boundaries.size() == o.shares.size()) return;
  throw Error(ErrorKind::kValue, "piecewise_constant",
              std::to_string(o.boundaries.size()) + " boundaries and " +
                  std::to_string(o.shares.size()) + " shares",
              "give one share for each boundary; before the first it is 1");
}

}  // namespace

WENGERT_SCHEDULE(piecewise_constant, PiecewiseConstant) = {
    .name = "piecewise_constant",
    .doc = {.summary = "The rate is constant between the steps that are listed.",
            .formula = "η_t = η·share_k from boundary k on, η before the first",
            .notes = "A boundary's own step has the new rate; Keras' PiecewiseConstantDecay gives "
                     "it the old one. As text: boundaries=1000,5000 shares=0.1,0.01.",
            .source = "Keras, keras.optimizers.schedules.PiecewiseConstantDecay"},
    .options = list_options<PiecewiseConstant>,
    .factor = piecewise_factor,
    .check = check_shares,
};

}  // namespace wengert::optim
