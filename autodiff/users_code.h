#pragma once

#include <span>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/thread_state.h"

// Functions of the user's that a node stands for: checkpoints and custom gradients.
// Private to the library.
namespace wengert::detail {

/// The user's code inside a rule: its ops are recorded with their own lines.
class AsTheUser {
 public:
  [[nodiscard]] AsTheUser() : overrides_(std::exchange(t_state.overrides_location, false)) {}
  ~AsTheUser() { t_state.overrides_location = overrides_; }
  AsTheUser(const AsTheUser&) = delete;
  AsTheUser& operator=(const AsTheUser&) = delete;

 private:
  bool overrides_;
  UserCode users_;
};

/// What a function gave on a tape of its own: the outputs of the node that stands for it.
struct ComputedOutputs {
  std::vector<Tensor> values;  ///< until the node has them
  std::vector<InferContext::Output> outputs;

  /// Throws an Error of `op`: kGraph on an empty Var, kValue on none at all.
  void take(std::span<const Var> given, const char* op);
  void infer(InferContext& call) const;
  void evaluate(EvalContext& call);
  /// Whether the node has its values already: it is evaluated once more, on other inputs.
  bool are_taken() const { return values.empty(); }
};

/// The inputs of a node that is evaluated once more, as constants.
std::vector<Var> constants_of(const EvalContext& call);

/// Throws Error(kGraph) of `op` on an empty Var among `inputs`.
void require_inputs(std::span<const Var> inputs, const char* op);

}  // namespace wengert::detail
