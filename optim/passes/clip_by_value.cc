#include <cmath>
#include <string>

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

std::int64_t count_beyond(const Tensor& values, double limit) {
  const Tensor dense = values.contiguous();
  std::int64_t count = 0;
  dispatch_floating(dense.dtype(), [&]<class T>(T) {
    for (const T v : dense.span<T>()) count += std::fabs(static_cast<double>(v)) > limit;
  });
  return count;
}

std::string words(std::int64_t beyond, const Tensor& of, double limit) {
  return std::to_string(beyond) + " of " + std::to_string(of.element_count()) +
         " elements are beyond ±" + format_number(limit);
}

bool clip_elements(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
                   PassContext& context) {
  const double limit = options_as<ClipByValue>(options).limit;
  const Scope scope(kName);
  bool changed = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    const Var before = root.value;
    if (before.requires_grad()) {
      // An infinite element made finite would be a step along a direction that nobody computed.
      root.value = where(all(is_finite(before)), clip(before, -limit, limit), before);
      changed = true;
      context.explain(kName, root.name, [before, limit] {
        return words(count_beyond(before.value(), limit), before.value(), limit);
      });
      continue;
    }
    const Tensor g = before.value().contiguous();
    if (!kernels::all_finite(g.dtype(), g.data(), g.element_count())) {
      context.explain(kName, root.name, "holds NaN or infinity: nothing of it was clipped");
      continue;
    }
    const std::int64_t beyond = count_beyond(g, limit);
    if (beyond == 0) continue;
    root.value = clip(g, -limit, limit);
    changed = true;
    context.explain(kName, root.name, words(beyond, g, limit));
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
