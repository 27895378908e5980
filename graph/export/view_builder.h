#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "wengert/graph/export/collapse.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/tape.h"

// How a GraphView is made. Private to the library.
namespace wengert::detail {

/// Gradient statistics by position on the tape.
struct GradientIndex {
  std::unordered_map<std::uint64_t, const GradientRecord::Edge*> edges;
  std::unordered_map<std::uint32_t, const GradientRecord::Node*> nodes;
  explicit GradientIndex(const GradientRecord* record);
  const GradientRecord::Edge* edge(std::uint32_t consumer, int input) const;
  const GradientRecord::Node* node(std::uint32_t id) const;
};

/// Collects a view step by step; each step reads what those before it left.
class ViewBuilder {
 public:
  ViewBuilder(const Tape& tape, const GraphOptions& options);
  GraphView build();

 private:
  friend class FindingsSearch;

  void find_root();
  void select_nodes();
  void read_scopes();
  CollapsePlan choose_boxes() const;
  [[noreturn]] void refuse(const CollapsePlan& plan) const;
  void place_nodes(const CollapsePlan& plan);
  int new_node(std::uint32_t id, bool collapsed, int scope);
  int cluster_of(int scope);
  void describe_op(ViewNode& out, std::uint32_t id);
  void describe_measures(ViewNode& out, std::uint32_t id) const;
  void describe_saved(ViewNode& out, std::uint32_t id) const;
  void describe_constants(ViewNode& out, std::uint32_t id) const;
  void add_to_box(ViewNode& box, std::uint32_t id) const;
  void connect();
  void mark_main_path();
  void attach_notes();

  /// The first node of the op call that output `id` belongs to.
  std::uint32_t head(std::uint32_t id) const { return id - tape_.node(id).output; }
  bool folded(std::uint32_t id) const;
  std::optional<TensorStatistics> value_statistics(std::uint32_t id) const;
  bool forward_only() const { return options_.view == GraphDirection::kForward; }

  const Tape& tape_;
  const GraphOptions& options_;
  GradientIndex gradients_;
  GraphView view_;
  std::uint32_t root_ = 0;      ///< tape node
  std::vector<char> selected_;  ///< by tape node
  ScopeTree scopes_;
  std::vector<int> scope_of_;      ///< by tape node, into scopes_
  std::vector<int> view_node_of_;  ///< by tape node, into view_.nodes, or −1
  std::vector<int> cluster_of_scope_;
  std::unordered_map<std::string, int> ordinals_;  ///< by "scope/op"
};

/// Appends what is wrong to `view.findings`.
void find_problems(const Tape& tape, std::uint32_t root, const GradientIndex& gradients,
                   const std::vector<int>& view_node_of, GraphView& view);

/// "model.cc:42", or empty.
std::string source_of(const Tape& tape, std::uint32_t id);

}  // namespace wengert::detail
