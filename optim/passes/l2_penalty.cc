#include "wengert/optim/passes/l2_penalty.h"

#include <cmath>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"

namespace wengert::optim {

L2Penalty::L2Penalty(double lambda, ParameterFilter filter, std::source_location where)
    : lambda_(lambda), filter_(filter) {
  const detail::CallSite site(where);
  if (!std::isfinite(lambda) || lambda < 0) {
    throw Error(ErrorKind::kValue, "l2_penalty", "lambda " + format_number(lambda),
                "it is finite and not negative");
  }
}

bool L2Penalty::run(Graph& graph, PassContext& context) {
  if (graph.parameters == nullptr) {
    throw Error(ErrorKind::kGraph, "l2_penalty", "the graph names no parameters",
                "set graph.parameters");
  }
  if (lambda_ == 0) return false;
  const Scope scope("l2_penalty");
  Var total;
  for (Parameter* parameter : graph.parameters->all()) {
    if (!filter_(*parameter) || !parameter->trainable()) continue;
    const Var squares = sum(square(use(*parameter)));
    context.explain(name(), parameter->name(),
                    "adds " + format_number(lambda_ / 2) + "·Σw² to the loss, ‖w‖ = " +
                        format_number(std::sqrt(squares.scalar_value())));
    total = total ? total + squares : squares;
  }
  if (!total) return false;
  Var& loss = graph.at("loss");
  loss = loss + total * (lambda_ / 2);
  return true;
}

}  // namespace wengert::optim
