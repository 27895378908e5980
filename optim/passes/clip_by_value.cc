#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ClipByValue) {
  option("limit", o.limit, kPositive, "c, the largest magnitude of an element");
}

namespace {

constexpr std::string_view kName = "clip_by_value";

bool clip_elements(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                   PassContext& context) {
  const double limit = options_as<ClipByValue>(options).limit;
  const Scope scope(kName);
  bool changed = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    const Var before = root.value;
    const Var clipped = clip(before, -limit, limit);
    // An infinite element made finite would be a step along a direction that nobody computed.
    if (before.requires_grad()) {
      root.value = where(all(is_finite(before)), clipped, before);
    } else {
      const Tensor g = before.value().contiguous();
      if (!kernels::all_finite(g.dtype(), g.data(), g.element_count())) {
        context.explain(kName, root.name, "holds NaN or infinity: nothing of it was clipped");
        continue;
      }
      root.value = clipped;
    }
    changed = true;
    context.explain(kName, root.name, [before, limit] {
      const NoGrad off;
      const double beyond = sum(cast(abs(before) > limit, DType::kFloat64)).scalar_value();
      return format_number(beyond) + " of " + std::to_string(before.value().element_count()) +
             " elements are beyond ±" + format_number(limit);
    });
  }
  return changed;
}

}  // namespace

WENGERT_PASS(clip_by_value, ClipByValue) = {
    .name = "clip_by_value",
    .doc = {.summary = "Cuts every element of the gradients to an interval about 0.",
            .formula = "g ← min(max(g, −c), c)",
            .notes =
                "The direction changes: clip_global_norm keeps it. A gradient with NaN or infinity "
                "is reported and left as it is, finite elements too: the optimizer then refuses "
                "the step. PyTorch's clip_grad_value_ makes infinities finite and lets NaN pass. "
                "On recorded gradients the cut is recorded too: its derivative is 0 beyond ±c. "
                "Gradients of rows stay rows.",
            .source = "T. Mikolov, Statistical language models based on neural networks, 2012, "
                      "section 3.2"},
    .stage = PassStage::kGradients,
    .takes_rows = true,
    .options = list_options<ClipByValue>,
    .rewrite = clip_elements,
};

}  // namespace wengert::optim
