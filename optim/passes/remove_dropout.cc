#include "wengert/graph/captured_graph.h"
#include "wengert/optim/passes/record.h"

namespace wengert::optim {

WENGERT_OPTIONS(RemoveDropout) {}

namespace {

bool remove(const OptionValues&, const ParameterFilter&, Roots& roots, PassContext& context) {
  CapturedGraph& graph = *roots.graph;
  bool changed = false;
  for (std::uint32_t i = 0; i < graph.nodes().size(); ++i) {
    const CapturedGraph::Node& node = graph.nodes()[i];
    if (!node.op->identity_for_inference) continue;
    const std::string subject =
        (node.scope.empty() ? "" : node.scope + "/") + std::string(node.op->name);
    context.explain("remove_dropout", subject, "passes its input on");
    graph.replace({i, 0}, node.inputs[0]);
    changed = true;
  }
  return changed;
}

}  // namespace

WENGERT_PASS(remove_dropout, RemoveDropout) = {
    .name = "remove_dropout",
    .doc = {.summary = "Takes dropout out of a captured graph.",
            .formula = "dropout(x) → x",
            .notes = "Every op whose record says that it is the identity for inference. The graph "
                     "then computes for inference what the model does, whatever mode it was "
                     "captured in, but for slopes that rrelu has drawn, which stay.",
            .source = "N. Srivastava et al., Dropout: a simple way to prevent neural networks from "
                      "overfitting, 2014, section 4"},
    .stage = PassStage::kCapture,
    .options = list_options<RemoveDropout>,
    .rewrite = remove,
};

}  // namespace wengert::optim
