#include <cmath>

#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ClipGlobalNorm) {
  option("limit", o.limit, kPositive, "c, the largest norm of all gradients together");
}

namespace {

constexpr std::string_view kName = "clip_global_norm";

std::string scaled_words(double norm, double limit) {
  return "‖g‖ = " + format_number(norm) + " is above " + format_number(limit) +
         ": each is scaled by " + format_number(limit / norm);
}

void report_non_finite(double norm, const std::vector<Roots::Root*>& clipped,
                       PassContext& context) {
  bool named = false;
  for (const Roots::Root* root : clipped) {
    const Tensor g = root->value.value().contiguous();
    if (kernels::all_finite(g.dtype(), g.data(), g.element_count())) continue;
    context.explain(kName, root->name, "holds NaN or infinity: nothing was clipped");
    named = true;
  }
  if (named) return;
  context.explain(kName, "all gradients",
                  "‖g‖² = " + format_number(norm) + " overflows float64: nothing was clipped");
}

/// Over unrecorded gradients: one pass over memory for the norm, a second where it is too large.
bool clip_memory(double limit, const std::vector<Roots::Root*>& clipped, const Roots& roots,
                 PassContext& context) {
  double total = 0;
  for (const Roots::Root* root : clipped) {
    const Tensor g = root->value.value().contiguous();
    total += kernels::sum_of_squares(g.dtype(), g.data(), g.element_count());
  }
  const double norm = std::sqrt(total);
  context.report(kName, "norm", norm);
  if (!std::isfinite(norm)) {
    report_non_finite(norm, clipped, context);
    return false;
  }
  if (norm <= limit) return false;
  context.explain(kName, "all gradients", [norm, limit] { return scaled_words(norm, limit); });
  std::vector<Tensor> results;  // what can fail comes before the first is written
  for (const Roots::Root* root : clipped) {
    const bool own = roots.may_overwrite(*root);
    const Tensor g = root->value.value();
    results.push_back(own ? g : Tensor::empty(g.shape(), g.dtype()));
  }
  for (std::size_t i = 0; i < clipped.size(); ++i) {
    const Tensor from = clipped[i]->value.value().contiguous();
    {
      const WriteGuard to(results[i], "ClipGlobalNorm");
      kernels::scaled(from.dtype(), from.data(), from.element_count(), limit / norm, to.data(),
                      false);
    }
    clipped[i]->value = Var(results[i]);
  }
  return true;
}

/// Over recorded gradients, as ops: the factor min(1, c/‖g‖) can be differentiated too.
bool clip_recorded(double limit, const std::vector<Roots::Root*>& clipped, PassContext& context) {
  const Scope scope("clip_global_norm");
  std::vector<Var> all;
  for (const Roots::Root* root : clipped) {
    all.push_back(root->value.dtype() == DType::kFloat64 ? root->value
                                                         : cast(root->value, DType::kFloat64));
  }
  const Var norm = sqrt(sum(squared_norms(all)));
  // A norm that is not finite must not turn the finite gradients into zeros.
  const Var factor = where(is_finite(norm), minimum(limit / norm, 1.0), ones_like(norm));
  for (Roots::Root* root : clipped) {
    root->value = root->value * cast(factor, root->value.dtype());
  }
  context.report(kName, "norm", [norm] { return norm.scalar_value(); });
  context.explain(kName, "all gradients", [norm, limit] {
    const double value = norm.scalar_value();
    if (!std::isfinite(value)) {
      return "‖g‖ = " + format_number(value) + " is not finite: nothing was clipped";
    }
    if (value > limit) return scaled_words(value, limit);
    return "‖g‖ = " + format_number(value) + " is within " + format_number(limit);
  });
  return true;
}

bool clip(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
          PassContext& context) {
  const double limit = options_as<ClipGlobalNorm>(options).limit;
  std::vector<Roots::Root*> clipped;
  bool recorded = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    clipped.push_back(&root);
    recorded |= root.value.requires_grad();
  }
  if (clipped.empty()) return false;
  return recorded ? clip_recorded(limit, clipped, context)
                  : clip_memory(limit, clipped, roots, context);
}

}  // namespace

WENGERT_PASS(clip_global_norm, ClipGlobalNorm) = {
    .name = "clip_global_norm",
    .doc = {.summary = "Scales all gradients together so that their norm is at most a limit.",
            .formula = "g ← g·min(1, c/‖g‖), ‖g‖ = √ΣΣg² over all parameters",
            .notes =
                "Squares of float32 neither overflow nor underflow. A norm that is not finite is "
                "reported and changes "
                "nothing: the optimizer then refuses the step. Reports `norm`. On recorded "
                "gradients (create_graph) the factor is recorded too and can be differentiated. "
                "PyTorch divides by ‖g‖ + 1e-6 and lets NaN pass. Gradients of rows stay rows.",
            .source = "R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent "
                      "neural networks, 2013, algorithm 1"},
    .stage = PassStage::kGradients,
    .takes_rows = true,
    .options = list_options<ClipGlobalNorm>,
    .rewrite = clip,
};

}  // namespace wengert::optim
