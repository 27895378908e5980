#include "wengert/optim/passes/gradients.h"

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"

namespace wengert::optim {

bool run_on_gradients(const PassPipeline& passes, Gradients& gradients, PassContext& context,
                      std::source_location where) {
  const detail::CallSite site(where);
  Graph graph;
  bool recorded = false;
  std::vector<Gradients::Entry*> entries;
  for (Gradients::Entry& entry : gradients.entries()) {
    if (entry.parameter == nullptr) continue;
    graph.add(entry.parameter->name(), entry.gradient, entry.parameter);
    entries.push_back(&entry);
    recorded |= entry.gradient.requires_grad();
  }
  bool changed;
  if (recorded) {
    changed = passes.run(graph, context);
  } else {
    const NoGrad off;
    changed = passes.run(graph, context);
  }
  bool same = graph.roots().size() == entries.size();
  for (std::size_t i = 0; same && i < entries.size(); ++i) {
    same = graph.roots()[i].parameter == entries[i]->parameter;
  }
  if (!same) {
    throw Error(ErrorKind::kGraph, "run_on_gradients",
                "a pass took away, added or reordered gradients",
                "a pass over gradients replaces the values of roots, one for each parameter");
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i]->gradient = graph.roots()[i].value;
  }
  return changed;
}

}  // namespace wengert::optim
