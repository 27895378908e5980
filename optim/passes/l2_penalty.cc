#include "wengert/optim/passes/penalty.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(L2Penalty) {
  option("lambda", o.lambda, kNotNegative, "λ, how much weights cost");
  option("form", o.form, kL2Forms, "(λ/2)·Σw², or λ·Σw²");
}

namespace {

bool add_squares(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                 PassContext& context) {
  const auto o = options_as<L2Penalty>(options);
  const double factor = o.form == L2Form::kHalf ? o.lambda / 2 : o.lambda;
  return add_penalty("l2_penalty", {.squares = factor}, filter, roots, context);
}

}  // namespace

WENGERT_PASS(l2_penalty, L2Penalty) = {
    .name = "l2_penalty",
    .doc = {.summary = "Adds the squares of weights to the loss.",
            .formula = "loss ← loss + (λ/2)·Σw²; form = full: loss + λ·Σw²",
            .notes =
                "Recorded ops in scope l2_penalty, with gradients of every order. Over weights "
                "(matrices and higher) unless a filter says otherwise. For plain SGD the half form "
                "equals weight decay by ηλ; for adaptive methods it does not: see adamw. "
                "The gradient of a table of lookups is then dense.",
            .source = "A. Krogh, J. Hertz, A simple weight decay can improve generalization, 1991"},
    .stage = PassStage::kLoss,
    .options = list_options<L2Penalty>,
    .rewrite = add_squares,
};

}  // namespace wengert::optim
