#include "wengert/optim/passes/clip_global_norm.h"

#include <cmath>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"

namespace wengert::optim {

ClipGlobalNorm::ClipGlobalNorm(double c, std::source_location where) : limit_(c) {
  const detail::CallSite site(where);
  if (!std::isfinite(c) || c <= 0) {
    throw Error(ErrorKind::kValue, "clip_global_norm", "limit " + format_number(c),
                "it is finite and positive");
  }
}

bool ClipGlobalNorm::run(Graph& graph, PassContext& context) {
  if (graph.roots().empty()) return false;
  const Scope scope("clip_global_norm");
  Var total;
  for (const Graph::Root& root : graph.roots()) {
    // The norm is taken in float64: squares of float32 gradients overflow at 1e19.
    const Var squares = sum(square(cast(root.value, DType::kFloat64)));
    total = total ? total + squares : squares;
  }
  const Var norm = sqrt(total);
  last_norm_ = norm.scalar_value();
  if (!std::isfinite(last_norm_)) {
    for (const Graph::Root& root : graph.roots()) {
      if (!all(is_finite(root.value)).item<bool>()) {
        context.explain(name(), root.name, "holds NaN or infinity: nothing was clipped");
      }
    }
    return false;
  }
  if (last_norm_ <= limit_) return false;
  const Var factor = limit_ / norm;
  for (Graph::Root& root : graph.roots()) {
    root.value = root.value * cast(factor, root.value.dtype());
  }
  context.explain(name(), "all gradients",
                  "‖g‖ = " + format_number(last_norm_) + " is above " + format_number(limit_) +
                      ": each is scaled by " + format_number(limit_ / last_norm_));
  return true;
}

}  // namespace wengert::optim
