#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"

namespace wengert {

/// A graph of its own: the nodes behind some values, copied off a tape, that outlives it and can be
/// rewritten and run again. Every call runs through apply(record …), so what is recorded is the
/// whole op. Passes over captured graphs fold, drop and replace nodes here.
class WENGERT_API CapturedGraph {
 public:
  /// Output `output` of node `node`.
  struct Edge {
    std::uint32_t node = 0;
    std::uint32_t output = 0;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct Node {
    const OpDef* op = nullptr;
    const void* attributes = nullptr;  ///< lives as long as the graph
    std::vector<Edge> inputs;
    std::uint32_t outputs = 1;  ///< hidden ones too
    std::string scope;          ///< "encoder/fc1"
    std::source_location where;
    std::string name;                ///< the user's, a parameter's, or empty
    Parameter* parameter = nullptr;  ///< of a leaf that stands for one
    Tensor value;                    ///< of a leaf: what it was when captured
  };

  CapturedGraph();
  ~CapturedGraph();
  CapturedGraph(CapturedGraph&&) noexcept;
  CapturedGraph& operator=(CapturedGraph&&) noexcept;

  /// What `roots` on the live tape depend on, in the order of the tape. Leaves keep their values,
  /// sharing memory; parameters stay those of their set. Throws Error(kGraph): a root is not on the
  /// tape, or a call cannot leave it (a checkpoint).
  static CapturedGraph capture(const Tape& tape, std::span<const Var> roots,
                               std::source_location where = std::source_location::current());

  /// The same graph with memory of its own; values and parameters are shared.
  CapturedGraph clone() const;

  std::span<const Node> nodes() const { return nodes_; }
  std::span<const Edge> roots() const { return roots_; }
  /// The node of that name, or null.
  const Node* find(std::string_view name) const;
  /// One line a node: "3 encoder/matmul(1, 2) axes=[0]".
  std::string str() const;

  /// Computes the roots in order, recorded where a tape is live. A leaf takes the value given for
  /// its name, else a parameter its present one, else the value that it was captured with. Throws
  /// Error(kGraph) on a name that is no leaf's, and what the ops throw.
  std::vector<Var> run(const std::vector<std::pair<std::string, Var>>& leaves = {},
                       std::source_location where = std::source_location::current()) const;

  // ---- rewriting
  /// Appends a call; its inputs are nodes of this graph. Attributes are copied. Gives its number.
  std::uint32_t add(const OpDef& op, std::span<const Edge> inputs, const void* attributes = nullptr,
                    std::string_view scope = {});
  /// Appends a constant leaf.
  std::uint32_t add_constant(const Tensor& value, std::string_view name = {});
  /// Lets every use of `from`, roots included, but those by nodes in `except`, use `to`.
  void replace(Edge from, Edge to, std::span<const std::uint32_t> except = {});
  /// Lets one input of one node be `to`.
  void set_input(std::uint32_t node, std::size_t input, Edge to);
  /// Puts the nodes into an order in which each comes after its inputs and drops those that no root
  /// depends on; numbers change. Gives how many were dropped. Throws Error(kGraph) on a cycle.
  std::uint32_t tidy(std::source_location where = std::source_location::current());

 private:
  const void* keep(const OpDef& op, const void* attributes);
  struct Memory;
  std::unique_ptr<Memory> memory_;
  std::vector<Node> nodes_;
  std::vector<Edge> roots_;
};

}  // namespace wengert
