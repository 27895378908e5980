#pragma once

#include <source_location>

#include "wengert/graph/pass.h"

namespace wengert::optim {

/// Adds (λ/2)·Σw² over chosen parameters to the root "loss", as recorded ops: the penalty has
/// gradients of every order and stands in the picture under scope `l2_penalty`. For plain SGD it
/// equals weight decay ηλ; for adaptive methods it does not.
/// A. Krogh, J. Hertz, A simple weight decay can improve generalization, 1991.
class WENGERT_API L2Penalty : public Pass {
 public:
  /// Throws Error(kValue) unless lambda is finite and ≥ 0.
  explicit L2Penalty(double lambda, ParameterFilter filter = is_weight,
                     std::source_location where = std::source_location::current());
  std::string_view name() const override { return "l2_penalty"; }
  /// Needs a live tape and graph.parameters. Throws Error(kGraph) without them.
  bool run(Graph& graph, PassContext& context) override;

 private:
  double lambda_;
  ParameterFilter filter_;
};

}  // namespace wengert::optim
