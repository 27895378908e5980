#include "tools/wengert/pictures.h"

#include "tools/wengert/console.h"
#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/export/render.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes.h"

namespace wengert::tools {

std::string draw_step(const nn::ModelDef& model, ParameterSet& parameters,
                      const optim::Batch& batch, GraphDirection direction,
                      const std::string& format, const std::string& title,
                      const PassPipeline& passes) {
  Tape tape;
  tape.detect_non_finite(true);  // so that the picture names the first bad op itself
  PassContext context;
  optim::TrainingStep step(parameters, model_of(model), &passes);
  const Var loss = step.record(batch, context).loss;
  tape.name(loss, "loss");
  GradientFlow flow;
  Gradients gradients = backward(loss, {.retain = true, .observer = &flow});
  optim::run_on_gradients(passes, gradients, context, &parameters);
  GraphOptions options;
  options.view = direction;
  options.root = loss;
  if (direction != GraphDirection::kForward) options.gradients = &flow.record();
  options.title = title + ", loss " + format_number(loss.scalar_value());
  options.only_ancestors = true;
  options.notes = notes_of(context);
  const GraphView view = graph_view(tape, options);
  if (format == "json") return to_json(view);
  const std::string dot = to_dot(view);
  if (format == "dot") return dot;
  return render(dot, format == "png" ? ImageFormat::kPng : ImageFormat::kSvg,
                {.cancelled = interrupted});
}

optim::Model model_of(const nn::ModelDef& model) {
  return optim::classifier([&model](ParameterSet& parameters, const Var& inputs) {
    if (Tape* tape = Tape::current()) tape->name(inputs, "inputs");
    return model.logits(parameters, inputs);
  });
}

std::string model_names() {
  std::string names;
  for (const nn::ModelDef& model : nn::models()) {
    names += (names.empty() ? "" : ", ") + std::string(model.name);
  }
  return names;
}

}  // namespace wengert::tools
