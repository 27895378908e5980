#pragma once

#include <bit>
#include <string>
#include <vector>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Small graphs that the tests draw.
namespace wengert::export_tests {

/// The 4×4 Hadamard matrix times `scale`: elements ±scale; x·W has 2·scale times the norm of x.
inline Tensor hadamard(double scale) {
  std::vector<double> elements;
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned j = 0; j < 4; ++j) {
      elements.push_back(std::popcount(i & j) % 2 == 0 ? scale : -scale);
    }
  }
  return Tensor::from(elements, {4, 4});
}

/// The parameter `name` under the current scope.
inline Var weight(ParameterSet& parameters, const std::string& name, const Tensor& value) {
  const std::string path = Scope::path().empty() ? name : Scope::path() + "/" + name;
  Parameter* known = parameters.find(path);
  return use(known != nullptr ? *known : parameters.add(path, value));
}

/// tanh(x·W) in a scope of its own; W is 4×4 with elements ±scale.
inline Var layer(ParameterSet& parameters, const std::string& scope, const Var& x, double scale) {
  Scope inside(scope);
  return tanh(matmul(x, weight(parameters, "weight", hadamard(scale))));
}

inline const ViewNode* find_node(const GraphView& view, const std::string& id) {
  for (const ViewNode& node : view.nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

inline const ViewEdge* find_edge(const GraphView& view, const std::string& from,
                                 const std::string& to, int input = 0) {
  for (const ViewEdge& edge : view.edges) {
    if (view.nodes[static_cast<std::size_t>(edge.from)].id == from &&
        view.nodes[static_cast<std::size_t>(edge.to)].id == to && edge.input == input) {
      return &edge;
    }
  }
  return nullptr;
}

}  // namespace wengert::export_tests
