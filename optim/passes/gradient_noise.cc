#include <cmath>

#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/count.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(GradientNoise) {
  option("variance", o.variance, kNotNegative, "η, the variance in the first step");
  option("decay", o.decay, kNotNegative, "γ, how fast it falls");
}

namespace {

constexpr const char* kName = "gradient_noise";

bool add_noise(const OptionValues& options, const ParameterFilter& filter, Roots& roots,
               PassContext& context) {
  const auto o = options_as<GradientNoise>(options);
  if (o.variance == 0) return false;
  if (roots.parameters == nullptr) {
    throw Error(ErrorKind::kGraph, kName, "the roots name no parameters",
                "give run_on_gradients the parameter set: its streams are drawn from");
  }
  const Scope scope(kName);
  Buffer& steps = roots.parameters->declare_buffer("steps", {}, DType::kInt64);
  const std::int64_t t = steps.value().to_vector<std::int64_t>()[0];
  if (!is_count(t)) {  // a file may say anything
    throw Error(ErrorKind::kParameter, kName, "the buffer '" + steps.name() + "' is no count",
                "load a file that a training has saved");
  }
  const double stddev = std::sqrt(o.variance * std::pow(1 + static_cast<double>(t), -o.decay));
  bool changed = false;
  for (Roots::Root& root : roots.all()) {
    if (root.parameter != nullptr && !filter(*root.parameter)) continue;
    changed = true;
    RandomStream& stream = roots.parameters->stream(root.name);
    root.value =
        root.value + random_normal(stream, root.value.shape(), 0, stddev, root.value.dtype());
    context.explain(kName, root.name, "adds noise of σ = " + format_number(stddev));
  }
  context.report(kName, "stddev", stddev);
  if (changed) update(steps, Tensor::scalar(t + 1));
  return changed;
}

}  // namespace

WENGERT_PASS(gradient_noise, GradientNoise) = {
    .name = "gradient_noise",
    .doc = {.summary = "Adds Gaussian noise to gradients, less with each step.",
            .formula = "g ← g + σₜε, ε ~ N(0, 1), σₜ² = η/(1 + t)^γ, t = 0, 1, …",
            .notes =
                "The steps are counted in the buffer gradient_noise/steps of the parameter set, "
                "and the streams are gradient_noise/NAME of it: they are saved with the training, "
                "and a failed step draws again. Several such passes see one count. Reports "
                "`stddev`. The paper takes η of 0.01, 0.3 "
                "or 1. Gradients of rows become dense: every row gets its noise.",
            .source = "A. Neelakantan et al., Adding gradient noise improves learning for very "
                      "deep networks, 2015"},
    .stage = PassStage::kGradients,
    .options = list_options<GradientNoise>,
    .rewrite = add_noise,
};

}  // namespace wengert::optim
