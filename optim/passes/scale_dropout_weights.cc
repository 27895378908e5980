#include <string>

#include "wengert/graph/captured_graph.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/text.h"
#include "wengert/ops/random/masked.h"
#include "wengert/ops/records.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(ScaleDropoutWeights) {}

namespace {

using Edge = CapturedGraph::Edge;

/// The weight that node `user` multiplies `x` by, if that is a leaf; else null.
const CapturedGraph::Node* weight_of(const CapturedGraph& graph, std::uint32_t user, Edge x) {
  const CapturedGraph::Node& node = graph.nodes()[user];
  if (node.op != &ops::linear_op && node.op != &ops::matmul_op) return nullptr;
  if (!(node.inputs[0] == x) || node.inputs[1] == x) return nullptr;
  const CapturedGraph::Node& weight = graph.nodes()[node.inputs[1].node];
  return weight.op->structural ? &weight : nullptr;
}

bool scale(const OptionValues&, const ParameterFilter&, Roots& roots, PassContext& context) {
  CapturedGraph& graph = *roots.graph;
  bool changed = false;
  const auto count = static_cast<std::uint32_t>(graph.nodes().size());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (graph.nodes()[i].op != &ops::classic_dropout_op) continue;
    auto attributes = *static_cast<const ops::MaskAttributes*>(graph.nodes()[i].attributes);
    const double kept = 1 - attributes.p;
    const std::string scope = graph.nodes()[i].scope;
    const Edge dropped = {i, 0}, x = graph.nodes()[i].inputs[0];
    std::string scaled;
    for (std::uint32_t user = 0; user < count; ++user) {
      const CapturedGraph::Node* weight = weight_of(graph, user, dropped);
      if (weight == nullptr) continue;
      scaled += (scaled.empty() ? "" : ", ") +
                (weight->name.empty() ? "a weight of " + graph.nodes()[user].scope : weight->name);
      const Tensor& value =
          weight->parameter != nullptr ? weight->parameter->value() : weight->value;
      const Tensor factor = Tensor::full({}, kept, value.dtype());
      const Edge product[] = {graph.nodes()[user].inputs[1], {graph.add_constant(factor), 0}};
      graph.set_input(user, 1, {graph.add(ops::mul_op, product, nullptr, scope), 0});
      graph.set_input(user, 0, x);
    }
    const bool scales_x = attributes.mode == Mode::kTraining;
    if (scaled.empty() && !scales_x) continue;  // what it is for inference already
    changed = true;
    if (scales_x) {
      // What no weight follows is scaled itself.
      attributes.mode = Mode::kInference;
      const Edge input[] = {x};
      graph.replace(dropped, {graph.add(ops::classic_dropout_op, input, &attributes, scope), 0});
    }
    const std::string subject = (scope.empty() ? "" : scope + "/") + std::string("classic_dropout");
    const std::string by = " times " + format_number(kept);
    context.explain("scale_dropout_weights", subject,
                    scaled.empty() ? "its input" + by : scaled + by);
  }
  return changed;
}

}  // namespace

WENGERT_PASS(scale_dropout_weights, ScaleDropoutWeights) = {
    .name = "scale_dropout_weights",
    .doc = {.summary = "Takes classic dropout out of a captured graph by scaling the weights that "
                       "follow it.",
            .formula = "classic_dropout(x)·W → x·((1 − p)·W)",
            .notes =
                "Weights are leaves that linear or matmul multiplies its result by; what else "
                "reads it gets x·(1 − p). The graph then computes for inference what the model "
                "does, whatever mode it was captured in, up to rounding. Dropout that scales "
                "in training needs no such thing: remove_dropout takes it out.",
            .source = "G. Hinton et al., Improving neural networks by preventing co-adaptation of "
                      "feature detectors, 2012; the weight scaling inference rule"},
    .stage = PassStage::kCapture,
    .options = list_options<ScaleDropoutWeights>,
    .rewrite = scale,
};

}  // namespace wengert::optim
