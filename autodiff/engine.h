#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/row_sums.h"
#include "wengert/graph/tape.h"

// The reverse sweep. Private to the library.
namespace wengert {

/// One backward pass over the live tape.
class Engine {
 public:
  Engine(Tape& tape, const BackwardOptions& options, std::source_location where);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// The node of a value to differentiate. One that depends on no variable is an error; but, with
  /// `constants`, the recorded derivative of a linear function is kNoNode.
  std::uint32_t root(const Var& y, const char* caller, bool constants) const;
  /// `given`, a cotangent or tangent of `value`, in its dtype; ones where it is empty, for a single
  /// element: more are an error with that fix, and so is what does not fit.
  Var fitting(const Var& given, const Var& value, const char* what, const char* caller,
              const char* fix) const;
  /// Checks a root and puts its cotangent on the table.
  void seed(const Var& y, const Var& cotangent, const char* caller, bool constants);
  /// Under create_graph a derivative that is a constant goes onto the tape too, so that it can be
  /// differentiated like any other.
  Var recorded(Var derivative);
  /// Restricts the sweep to nodes between `xs` and the roots.
  void restrict_to(std::span<const std::uint32_t> xs);
  /// Lets lookups send a few rows to every leaf, or to one leaf alone. Not under create_graph.
  void take_rows() { all_take_rows_ = !options_.create_graph; }
  void take_rows(std::uint32_t leaf) { row_takers_.push_back(leaf); }
  /// Takes what was sent to a few rows of a leaf, in the order in which it came.
  std::vector<detail::RowPart> extract_rows(std::uint32_t leaf);
  /// Adds up what came as rows: to the leaf's dense gradient where it has one too.
  void settle_rows();
  /// Propagates from the latest root down to node `last`.
  void sweep(std::uint32_t last);
  /// Adds to what is on the table for a node; nothing where it is empty.
  void place(std::uint32_t id, Var contribution);
  /// Takes a leaf's gradient off the table; an empty Var where none came.
  Var extract(std::uint32_t leaf);
  /// The finished cotangent of a node, or an empty Var.
  Var take(std::uint32_t id);
  /// All leaves reached that require gradients.
  Gradients collect();

 private:
  friend class ForwardSweep;
  friend class RecordedRule;
  friend class FusedRule;

  void sweep_nodes(std::uint32_t last);
  /// Whether input i of an op, node `id` with that value, gets a gradient; `id` lies before the op.
  bool needs_input(const OpDef& op, int i, std::uint32_t id, const detail::Value* value) const {
    return value->has(detail::Value::kRequiresGrad) && (!restricted_ || marks_[id] != 0) &&
           op.is_differentiable(i);
  }
  /// Propagates from node `id` down, but not below `last`, through single elements of ops that have
  /// a way for them, as far as they go. Gives the last node that it reached, or id + 1.
  std::uint32_t sweep_one_elements(std::uint32_t id, std::uint32_t last);
  template <class T, bool kRestricted>
  std::uint32_t sweep_one_elements_of(std::uint32_t id, std::uint32_t last);
  template <class T, bool kRestricted, int kInputs>
  bool run_one_element(std::uint32_t id, detail::Node& node, detail::Value* g);
  /// Elementwise ops on small dense values, without function calls but the kernels; false where
  /// anything is out of the ordinary.
  template <int kInputs>
  bool run_elementwise(std::uint32_t id, detail::Node& node, detail::Value* g);
  /// Runs an op's backward and gives back what it no longer needs.
  void run_fused(std::uint32_t id, detail::Node& node);
  void run_recorded(std::uint32_t id, detail::Node& node);
  void finish_node(std::uint32_t id);
  /// Adds what a consumer sends back; takes over the handle.
  void accumulate(std::uint32_t id, detail::Value* contribution);
  /// Sums a contribution of a broadcast shape down to node id's shape.
  Var fit(std::uint32_t id, Var contribution);
  detail::Value* saved_value(std::uint32_t consumer, std::uint32_t id, int input) const;
  detail::Value* saved_output(std::uint32_t id, int k) const;
  [[noreturn]] void fail_unsaved(std::uint32_t consumer, int input) const;
  [[noreturn]] void fail_overwritten(std::uint32_t consumer, std::uint32_t id) const;
  [[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix,
                         std::string op = {}) const;
  /// What went wrong below the derivative of the node that is being computed.
  [[noreturn]] void fail_below(ErrorKind kind, const std::string& message) const;
  /// What lookups sent to one leaf.
  struct LeafRows {
    std::uint32_t leaf;
    std::vector<detail::RowPart> parts;  ///< until they are settled
    Gradient sum;                        ///< empty where there is a dense gradient too
  };
  bool takes_rows(std::uint32_t id) const;
  void add_rows(std::uint32_t leaf, detail::RowPart part);
  LeafRows* rows_of(std::uint32_t leaf);
  void settle_rows(LeafRows& rows);
  void observe_edge(std::uint32_t consumer, int input, const Gradient& contribution);
  /// Nothing where no cotangent came.
  void observe_node(std::uint32_t id);

  Tape& tape_;
  BackwardOptions options_;
  std::source_location where_;
  std::vector<detail::Value*>& table_;  ///< cotangents by node
  enum Mark : std::uint8_t { kWanted = 1, kTarget = 2 };
  std::vector<std::uint8_t> marks_;  ///< by node, when restricted
  std::uint32_t top_ = 0;
  std::uint32_t at_ = 0;  ///< the node whose derivative is being computed, or one shortly after it
  bool restricted_ = false;
  bool watched_ = false;  ///< an observer or hooks look on
  bool all_take_rows_ = false;
  std::vector<std::uint32_t> row_takers_;  ///< leaves that do where not all do
  std::vector<LeafRows> rows_;             ///< in the order in which they were reached
};

/// The calling thread's live tape. Throws Error(kGraph) when there is none; `ys` tell why.
Tape& live_tape(const char* caller, std::span<const Var> ys, std::source_location where);
/// A variable that no op on the tape has used yet becomes one of its leaves.
void meet(Tape& tape, const Var& var, std::source_location where);
/// The nodes of values to differentiate by. Throws Error(kGraph) on constants.
std::vector<std::uint32_t> targets_of(Tape& tape, std::span<const Var> xs, const char* caller,
                                      std::source_location where);

/// Whether all sizes are 1. Most often there are none, or those of a matrix.
[[gnu::always_inline]] inline bool is_one(const detail::Value* value, int rank) {
  if (rank == 0) return true;
  const std::int64_t* sizes = value->sizes();
  if (rank == 2) return ((sizes[0] ^ 1) | (sizes[1] ^ 1)) == 0;
  for (int d = 0; d < rank; ++d) {
    if (sizes[d] != 1) return false;
  }
  return true;
}

/// Gives back data that a node has saved. Inline elements, nearly always, need no more than this.
[[gnu::always_inline]] inline void drop_saved(detail::Value* value) {
  value->counts -= detail::Value::kData;
  if (value->counts >= detail::Value::kData) return;
  if (value->counts != 0 && value->has(detail::Value::kInline)) {
    value->data = nullptr;
    value->flags |= detail::Value::kReleased;
    return;
  }
  detail::settle(value);
}

/// Gives back what a node with at most four inputs and one output has saved.
[[gnu::always_inline]] inline void give_back(detail::Node& node, detail::Value* const* in,
                                             int count) {
  const std::uint8_t saved = node.saved;
  node.saved = 0;
#pragma GCC unroll 2
  for (int i = 0; i < count; ++i) {
    if ((saved >> i & 1) != 0) drop_saved(in[i]);
  }
  if ((saved & detail::kSavedOutput) != 0) drop_saved(node.value);
}

/// Whether a saved value still is what it was when it was recorded.
inline bool is_unwritten(const detail::Value* value) {
  return value->has(detail::Value::kInline) || value->storage == nullptr ||
         value->version == value->storage->version.load(std::memory_order_acquire);
}

}  // namespace wengert
