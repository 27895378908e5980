#pragma once

#include <string>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Small graphs that the tests draw.
namespace wengert::export_tests {

/// Ones times `scale`, alternating in sign so that sums stay small.
inline Tensor alternating(const Shape& shape, double scale) {
  Tensor result = Tensor::full(DType::kFloat64, shape, scale);
  WriteGuard guard(result, "alternating");
  const auto elements = guard.span<double>();
  for (std::size_t i = 1; i < elements.size(); i += 2) elements[i] = -scale;
  return result;
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
  return tanh(matmul(x, weight(parameters, "weight", alternating({4, 4}, scale))));
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
