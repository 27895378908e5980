#include "tools/wengert/pictures.h"

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/dot.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/export/render.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"

namespace wengert::tools {

std::string draw_step(const nn::ModelDef& model, ParameterSet& parameters,
                      const optim::Batch& batch, GraphDirection direction,
                      const std::string& format, const std::string& title) {
  Tape tape;
  const Var inputs = batch.inputs;
  const Var logits = model.logits(parameters, inputs);
  const Var loss = softmax_cross_entropy(logits, batch.labels);
  tape.name(inputs, "inputs");
  tape.name(loss, "loss");
  GradientFlow flow;
  backward(loss, {.retain = true, .observer = &flow});
  GraphOptions options;
  options.view = direction;
  options.root = loss;
  if (direction != GraphDirection::kForward) options.gradients = &flow.record();
  options.title = title + "  loss " + format_number(loss.scalar_value());
  options.only_ancestors = true;
  const GraphView view = graph_view(tape, options);
  if (format == "json") return to_json(view);
  const std::string dot = to_dot(view);
  if (format == "dot") return dot;
  return render(dot, format == "png" ? ImageFormat::kPng : ImageFormat::kSvg);
}

}  // namespace wengert::tools
