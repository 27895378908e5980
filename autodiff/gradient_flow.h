#pragma once

#include <cstdint>
#include <memory>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/export/statistics.h"

namespace wengert {

/// Collects how gradients flow through one backward pass: for every edge what its consumer sends
/// back (before it is added to others'), for every node its whole cotangent, its value's
/// statistics and the cancellation at fan-outs. For pictures and health checks:
///
///     GradientFlow flow;
///     backward(loss, {.observer = &flow});
///     std::string dot = to_dot(graph_view(tape, {.gradients = &flow.record()}));
///
/// Costs two passes over each gradient and switches the engine's in-place shortcuts off.
/// Another pass on the same tape replaces what is known of the edges and nodes it reaches;
/// a pass on another tape starts anew.
class WENGERT_API GradientFlow : public GradientObserver {
 public:
  GradientFlow();
  ~GradientFlow() override;
  GradientFlow(const GradientFlow&) = delete;
  GradientFlow& operator=(const GradientFlow&) = delete;

  void on_edge(const Tape& tape, std::uint32_t consumer, int input,
               const Gradient& cotangent) override;
  void on_node(const Tape& tape, std::uint32_t node, const Gradient& cotangent) override;

  const GradientRecord& record() const;
  /// The statistics of an edge or node, or null when backward did not reach it.
  const GradientRecord::Edge* edge(std::uint32_t consumer, int input) const;
  const GradientRecord::Node* node(std::uint32_t id) const;
  /// Forgets everything.
  void clear();

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace wengert
