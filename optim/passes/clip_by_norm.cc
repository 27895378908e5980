#include "wengert/optim/passes/clip_norm.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ClipByNorm) {
  option("limit", o.limit, kPositive, "c, the largest norm of one parameter's gradient");
}

namespace {

bool clip_each(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
               PassContext& context) {
  std::vector<ClippedGroup> each;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    each.push_back({root.name, root.name, {&root}});
  }
  return clip_norms("clip_by_norm", options_as<ClipByNorm>(options).limit, each, roots, context);
}

}  // namespace

WENGERT_PASS(clip_by_norm, ClipByNorm) = {
    .name = "clip_by_norm",
    .doc = {.summary = "Scales each parameter's gradient so that its norm is at most a limit.",
            .formula = "g ← g·min(1, c/‖g‖), ‖g‖ = √Σg² over one parameter",
            .notes =
                "The direction of all gradients together changes: clip_global_norm keeps it. "
                "A norm that is not finite is reported and leaves that gradient as it is: the "
                "optimizer then refuses the step. Reports each norm under the parameter's name. On "
                "recorded gradients the factor is recorded too. Keras' clipnorm, TensorFlow's "
                "clip_by_norm. Gradients of rows stay rows.",
            .source = "R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent "
                      "neural networks, 2013, section 3.2"},
    .stage = PassStage::kGradients,
    .takes_rows = true,
    .options = list_options<ClipByNorm>,
    .rewrite = clip_each,
};

}  // namespace wengert::optim
