#include "wengert/graph/pass.h"

#include "wengert/graph/error.h"

namespace wengert {

Var& Graph::at(std::string_view name, std::source_location where) {
  for (Root& root : roots_) {
    if (root.name == name) return root.value;
  }
  std::string known;
  for (const Root& root : roots_) known += (known.empty() ? "" : ", ") + root.name;
  throw Error(ErrorKind::kGraph, "Graph", "no root '" + std::string(name) + "'",
              known.empty() ? "the graph has no roots" : "it has " + known, where);
}

std::string PassContext::str() const {
  std::string text;
  for (const Explanation& explanation : explanations_) {
    text += explanation.pass + ": " + explanation.subject + ": " + explanation.text + "\n";
  }
  return text;
}

PassPipeline& PassPipeline::add(std::unique_ptr<Pass> pass) {
  passes_.push_back(std::move(pass));
  return *this;
}

bool PassPipeline::run(Graph& graph, PassContext& context) const {
  bool changed = false;
  for (const auto& pass : passes_) changed |= pass->run(graph, context);
  return changed;
}

}  // namespace wengert
