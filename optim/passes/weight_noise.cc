#include "wengert/graph/error.h"
#include "wengert/graph/mode.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(WeightNoise) { option("stddev", o.stddev, kNotNegative, "σ of the noise"); }

namespace {

bool add_noise(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
               PassContext& context) {
  const double stddev = options_as<WeightNoise>(options).stddev;
  if (stddev == 0 || current_mode() == Mode::kInference) return false;
  if (roots.parameters == nullptr) {
    throw Error(ErrorKind::kGraph, "weight_noise", "the roots name no parameters",
                "set roots.parameters");
  }
  const Scope scope("weight_noise");
  bool changed = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter == nullptr || !filter(*root.parameter)) continue;
    RandomStream& stream = roots.parameters->stream(root.name);
    root.value =
        root.value + random_normal(stream, root.value.shape(), 0, stddev, root.value.dtype());
    context.explain("weight_noise", root.name, "adds noise of σ = " + format_number(stddev));
    changed = true;
  }
  return changed;
}

}  // namespace

WENGERT_PASS(weight_noise, WeightNoise) = {
    .name = "weight_noise",
    .doc = {.summary = "Adds Gaussian noise to weights in each forward pass of training.",
            .formula = "layers use w + σε, ε ~ N(0, 1) anew in each step",
            .notes =
                "Over weights (matrices and higher) unless a filter says otherwise; nothing for "
                "inference. Gradients are those of the noisy weights and go to the weights "
                "themselves, penalties see them without noise. The streams are "
                "weight_noise/NAME of the parameter set, so that a failed step draws again.",
            .source = "K. Jim, C. L. Giles, B. Horne, An analysis of noise in recurrent neural "
                      "networks, 1996; A. Graves, Practical variational inference, 2011"},
    .stage = PassStage::kParameters,
    .options = list_options<WeightNoise>,
    .rewrite = add_noise,
};

}  // namespace wengert::optim
