#include "wengert/optim/passes/penalty.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(L1Penalty) { option("lambda", o.lambda, kNotNegative, "λ, how much weights cost"); }

namespace {

bool add_magnitudes(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                    PassContext& context) {
  return add_penalty("l1_penalty", {.magnitudes = options_as<L1Penalty>(options).lambda}, filter,
                     roots, context);
}

}  // namespace

WENGERT_PASS(l1_penalty, L1Penalty) = {
    .name = "l1_penalty",
    .doc = {.summary = "Adds the magnitudes of weights to the loss.",
            .formula = "loss ← loss + λ·Σ|w|",
            .notes =
                "Recorded ops in scope l1_penalty. Its gradient is λ·sign(w), 0 at w = 0, and its "
                "second derivative 0. Over weights (matrices and higher) unless a filter says "
                "otherwise. Steps along a gradient pass over 0 rather than stop there: weights "
                "become small, few exactly 0. The gradient of a table of lookups is then dense.",
            .source = "R. Tibshirani, Regression shrinkage and selection via the lasso, 1996"},
    .stage = PassStage::kLoss,
    .options = list_options<L1Penalty>,
    .rewrite = add_magnitudes,
};

}  // namespace wengert::optim
