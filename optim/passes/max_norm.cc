#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(MaxNorm) {
  option("limit", o.limit, kPositive, "r, the largest norm of a unit's weights");
  option("p", o.p, kNormOrders, "the order of the norm: 1, or 2");
  option("projection", o.projection, kProjections, "only norms above r, or all norms to r");
  option("units", o.units, kUnitAxes, "the axis along which units lie: the last, or the first");
}

namespace {

constexpr std::string_view kName = "max_norm";

bool project(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
             PassContext& context) {
  const auto o = options_as<MaxNorm>(options);
  bool changed = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    const Var w = root.value;
    const int rank = w.value().rank();
    const int unit_axis = o.units == UnitAxis::kLast ? rank - 1 : 0;
    Axes fan_in;
    for (int axis = 0; axis < rank; ++axis) {
      if (axis != unit_axis) fan_in.push_back(axis);
    }
    const Var norms = rank < 2 ? abs(w) : norm(w, fan_in, true, o.p == NormOrder::kOne ? 1.0 : 2.0);
    const Var limit = full({}, o.limit, w.dtype());
    const Var target = o.projection == Projection::kAlways ? broadcast_to(limit, norms.shape())
                                                           : minimum(norms, limit);
    // A unit that is not finite is not made finite; one of zeros, whose quotient is not, has no
    // direction.
    const Var kept = logical_or(equal(norms, target), logical_not(is_finite(norms)));
    const Var quotient = target / norms;
    const Var factor =
        where(logical_or(kept, logical_not(is_finite(quotient))), ones_like(norms), quotient);
    if (all(equal(factor, 1.0)).value().at(0) != 0) continue;
    root.value = w * factor;
    changed = true;
    context.explain(kName, root.name, [factor, limit = o.limit] {
      const NoGrad off;
      const double scaled = sum(cast(not_equal(factor, 1.0), DType::kFloat64)).scalar_value();
      return format_number(scaled) + " of " + std::to_string(factor.value().element_count()) +
             " units are scaled to a norm of " + format_number(limit);
    });
  }
  return changed;
}

}  // namespace

WENGERT_PASS(max_norm, MaxNorm) = {
    .name = "max_norm",
    .doc = {.summary = "Scales each unit's incoming weights so that their norm is at most a limit.",
            .formula = "w ← w·min(1, r/‖w‖ₚ) for each unit; projection = always: w·r/‖w‖ₚ",
            .notes =
                "After the step, over weights (matrices and higher) unless a filter says "
                "otherwise. A unit is a position along the last axis, as weights are [in, out] "
                "here, or along the first (units = first: convolutions, embeddings); its norm is "
                "taken over all other axes. A unit of zeros, or with NaN or infinity, stays as it "
                "is. Keras' MaxNorm divides by ‖w‖ + 1e-7.",
            .source = "N. Srivastava et al., Dropout: a simple way to prevent neural networks from "
                      "overfitting, 2014, section 5.1"},
    .stage = PassStage::kAfterStep,
    .options = list_options<MaxNorm>,
    .rewrite = project,
};

}  // namespace wengert::optim
