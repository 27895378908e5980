#include "wengert/optim/passes/clip_norm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"
#include "wengert/ops/ops.h"

namespace wengert::optim {
namespace {

std::string scaled_words(double norm, double limit) {
  return "‖g‖ = " + format_number(norm) + " is above " + format_number(limit) +
         ": each is scaled by " + format_number(limit / norm);
}

void report_non_finite(const char* pass, double norm, const ClippedGroup& group,
                       PassContext& context) {
  bool named = false;
  for (const Roots::Root* root : group.roots) {
    const Tensor g = root->value.value().contiguous();
    if (kernels::all_finite(g.dtype(), g.data(), g.element_count())) continue;
    context.explain(pass, root->name, "holds NaN or infinity: nothing was clipped");
    named = true;
  }
  if (named) return;
  context.explain(pass, group.subject,
                  "‖g‖² = " + format_number(norm) + " overflows float64: nothing was clipped");
}

/// Gradients that are to be scaled: everything that can fail is done.
struct Scaling {
  Roots::Root* root;
  Tensor from, to;
  double factor;
};

/// Over unrecorded gradients: one pass over memory for the norm. Adds what is to be scaled.
void plan_in_memory(const char* pass, double limit, const ClippedGroup& group, const Roots& roots,
                    PassContext& context, std::vector<Scaling>& plan) {
  double total = 0;
  for (const Roots::Root* root : group.roots) {
    const Tensor g = root->value.value().contiguous();
    total += kernels::sum_of_squares(g.dtype(), g.data(), g.element_count());
  }
  const double norm = std::sqrt(total);
  context.report(pass, group.reported, norm);
  if (!std::isfinite(norm)) return report_non_finite(pass, norm, group, context);
  if (norm <= limit) return;
  context.explain(pass, group.subject, [norm, limit] { return scaled_words(norm, limit); });
  for (Roots::Root* root : group.roots) {
    const bool own = roots.may_overwrite(*root);
    const Tensor from = root->value.value().contiguous();
    plan.push_back(
        {root, from, own ? from : Tensor::empty(from.shape(), from.dtype()), limit / norm});
  }
}

/// Over recorded gradients, as ops: the factor min(1, c/‖g‖) can be differentiated too.
bool clip_recorded(const char* pass, double limit, const ClippedGroup& group,
                   PassContext& context) {
  const Scope scope(pass);
  std::vector<Var> all;
  for (const Roots::Root* root : group.roots) {
    all.push_back(root->value.dtype() == DType::kFloat64 ? root->value
                                                         : cast(root->value, DType::kFloat64));
  }
  const Var norm = sqrt(sum(squared_norms(all)));
  // A norm that is not finite must not turn the finite gradients into zeros.
  const Var factor = where(is_finite(norm), minimum(limit / norm, 1.0), ones_like(norm));
  for (Roots::Root* root : group.roots) {
    root->value = root->value * cast(factor, root->value.dtype());
  }
  context.report(pass, group.reported, [norm] { return norm.scalar_value(); });
  context.explain(pass, group.subject, [norm, limit] {
    const double value = norm.scalar_value();
    if (!std::isfinite(value)) {
      return "‖g‖ = " + format_number(value) + " is not finite: nothing was clipped";
    }
    if (value > limit) return scaled_words(value, limit);
    return "‖g‖ = " + format_number(value) + " is within " + format_number(limit);
  });
  return true;
}

}  // namespace

bool clip_norms(const char* pass, double limit, const std::vector<ClippedGroup>& groups,
                const Roots& roots, PassContext& context) {
  bool changed = false;
  std::vector<Scaling> plan;
  for (const ClippedGroup& group : groups) {
    const bool recorded =
        std::any_of(group.roots.begin(), group.roots.end(),
                    [](const Roots::Root* root) { return root->value.requires_grad(); });
    if (recorded) {
      changed |= clip_recorded(pass, limit, group, context);
    } else {
      plan_in_memory(pass, limit, group, roots, context, plan);
    }
  }
  for (Scaling& scaling : plan) {
    {
      const WriteGuard to(scaling.to, pass);
      kernels::scaled(scaling.from.dtype(), scaling.from.data(), scaling.from.element_count(),
                      scaling.factor, to.data(), false);
    }
    scaling.root->value = Var(scaling.to);
  }
  return changed || !plan.empty();
}

}  // namespace wengert::optim
