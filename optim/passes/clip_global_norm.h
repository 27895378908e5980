#pragma once

#include <source_location>

#include "wengert/graph/pass.h"

namespace wengert::optim {

/// Scales all gradients together so that their norm over all parameters is at most c:
/// g ← g·min(1, c/‖g‖), ‖g‖ = √ΣΣg². A norm that is not finite is reported and changes nothing:
/// the optimizer then refuses the step. R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of
/// training recurrent neural networks, 2013, algorithm 1.
class WENGERT_API ClipGlobalNorm : public Pass {
 public:
  /// Throws Error(kValue) unless c is finite and > 0.
  explicit ClipGlobalNorm(double c, std::source_location where = std::source_location::current());
  std::string_view name() const override { return "clip_global_norm"; }
  /// On recorded gradients (create_graph) the scaling is recorded too and can be differentiated.
  bool run(Graph& graph, PassContext& context) override;
  /// ‖g‖ that the last run saw.
  double last_norm() const { return last_norm_; }

 private:
  double limit_;
  double last_norm_ = 0;
};

}  // namespace wengert::optim
