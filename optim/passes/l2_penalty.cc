#include <cmath>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(L2Penalty) { option("lambda", o.lambda, kNotNegative, "λ, how much weights cost"); }

namespace {

bool add_penalty(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                 PassContext& context) {
  if (roots.parameters == nullptr) {
    throw Error(ErrorKind::kGraph, "l2_penalty", "the roots name no parameters",
                "set roots.parameters");
  }
  const double half = options_as<L2Penalty>(options).lambda / 2;
  if (half == 0) return false;
  const Scope scope("l2_penalty");
  Var& loss = roots.at("loss");
  std::vector<Var> weights;
  std::vector<const Parameter*> chosen;
  for (Parameter* parameter : roots.parameters->all()) {
    if (!parameter->trainable() || !filter(*parameter)) continue;
    const Var w = use(*parameter);
    weights.push_back(w.dtype() == loss.dtype() ? w : cast(w, loss.dtype()));
    chosen.push_back(parameter);
  }
  if (weights.empty()) return false;
  const Var norms = squared_norms(weights);
  loss = loss + sum(norms) * half;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    context.explain("l2_penalty", chosen[i]->name(), [half, norms, i] {
      return "adds " + format_number(half) + "·Σw² to the loss, ‖w‖ = " +
             format_number(std::sqrt(norms.value().at(static_cast<std::int64_t>(i))));
    });
  }
  return true;
}

}  // namespace

WENGERT_PASS(l2_penalty, L2Penalty) = {
    .name = "l2_penalty",
    .doc = {.summary = "Adds the squares of weights to the loss.",
            .formula = "loss ← loss + (λ/2)·Σw²",
            .notes =
                "Recorded ops in scope l2_penalty, with gradients of every order. Over weights "
                "(matrices and higher) unless a filter says otherwise. For plain SGD it equals "
                "weight decay by ηλ; for adaptive methods it does not: see adamw. Others write "
                "λΣw², which is twice as much. The gradient of a table of lookups is then dense.",
            .source = "A. Krogh, J. Hertz, A simple weight decay can improve generalization, 1991"},
    .stage = PassStage::kLoss,
    .options = list_options<L2Penalty>,
    .rewrite = add_penalty,
};

}  // namespace wengert::optim
