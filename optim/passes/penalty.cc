#include "wengert/optim/passes/penalty.h"

#include <cmath>
#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"

namespace wengert::optim {
namespace {

/// One sum over each weight, as a vector.
struct Sums {
  Var squares, magnitudes;
};

Sums sums_over(const PenaltyTerms& terms, const std::vector<Var>& weights) {
  Sums sums;
  if (terms.squares != 0) sums.squares = squared_norms(weights);
  if (terms.magnitudes != 0) {
    std::vector<Var> each;
    for (const Var& w : weights) each.push_back(norm(w, {}, false, 1));
    sums.magnitudes = stack(each);
  }
  return sums;
}

std::string words(const PenaltyTerms& terms, const Sums& sums, std::int64_t weight) {
  std::string adds, are;
  if (terms.magnitudes != 0) {
    adds = format_number(terms.magnitudes) + "·Σ|w|";
    are = ", Σ|w| = " + format_number(sums.magnitudes.value().at(weight));
  }
  if (terms.squares != 0) {
    adds += (adds.empty() ? "" : " + ") + format_number(terms.squares) + "·Σw²";
    are += ", ‖w‖ = " + format_number(std::sqrt(sums.squares.value().at(weight)));
  }
  return "adds " + adds + " to the loss" + are;
}

}  // namespace

bool add_penalty(std::string_view pass, const PenaltyTerms& terms, const ParameterFilter& filter,
                 Roots& roots, PassContext& context) {
  if (roots.parameters == nullptr) {
    throw Error(ErrorKind::kGraph, std::string(pass), "the roots name no parameters",
                "set roots.parameters");
  }
  if (terms.squares == 0 && terms.magnitudes == 0) return false;
  const Scope scope(pass);
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
  const Sums sums = sums_over(terms, weights);
  if (sums.magnitudes.has_value()) loss = loss + sum(sums.magnitudes) * terms.magnitudes;
  if (sums.squares.has_value()) loss = loss + sum(sums.squares) * terms.squares;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    context.explain(pass, chosen[i]->name(),
                    [terms, sums, i] { return words(terms, sums, static_cast<std::int64_t>(i)); });
  }
  return true;
}

}  // namespace wengert::optim
