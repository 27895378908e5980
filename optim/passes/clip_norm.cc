#include "wengert/optim/passes/clip_norm.h"

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

/// Over unrecorded gradients: one pass over memory for the norm, a second where it is too large.
bool clip_memory(const char* pass, double limit, const ClippedGroup& group, const Roots& roots,
                 PassContext& context) {
  double total = 0;
  for (const Roots::Root* root : group.roots) {
    const Tensor g = root->value.value().contiguous();
    total += kernels::sum_of_squares(g.dtype(), g.data(), g.element_count());
  }
  const double norm = std::sqrt(total);
  context.report(pass, group.reported, norm);
  if (!std::isfinite(norm)) {
    report_non_finite(pass, norm, group, context);
    return false;
  }
  if (norm <= limit) return false;
  context.explain(pass, group.subject, [norm, limit] { return scaled_words(norm, limit); });
  std::vector<Tensor> results;  // what can fail comes before the first is written
  for (const Roots::Root* root : group.roots) {
    const bool own = roots.may_overwrite(*root);
    const Tensor g = root->value.value();
    results.push_back(own ? g : Tensor::empty(g.shape(), g.dtype()));
  }
  for (std::size_t i = 0; i < group.roots.size(); ++i) {
    const Tensor from = group.roots[i]->value.value().contiguous();
    {
      const WriteGuard to(results[i], pass);
      kernels::scaled(from.dtype(), from.data(), from.element_count(), limit / norm, to.data(),
                      false);
    }
    group.roots[i]->value = Var(results[i]);
  }
  return true;
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

bool clip_norm(const char* pass, double limit, const ClippedGroup& group, const Roots& roots,
               PassContext& context) {
  if (group.roots.empty()) return false;
  for (const Roots::Root* root : group.roots) {
    if (root->value.requires_grad()) return clip_recorded(pass, limit, group, context);
  }
  return clip_memory(pass, limit, group, roots, context);
}

}  // namespace wengert::optim
