#include "wengert/optim/passes/clip_norm.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ClipGlobalNorm) {
  option("limit", o.limit, kPositive, "c, the largest norm of all gradients together");
}

namespace {

bool clip_all(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
              PassContext& context) {
  ClippedGroup all{"all gradients", "norm", {}};
  for (Roots::Root& root : roots.all()) {
    if (root.parameter == nullptr || filter(*root.parameter)) all.roots.push_back(&root);
  }
  if (all.roots.empty()) return false;
  return clip_norms("clip_global_norm", options_as<ClipGlobalNorm>(options).limit, {all}, roots,
                    context);
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
    .rewrite = clip_all,
};

}  // namespace wengert::optim
