#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/cost.h"
#include "wengert/graph/dtype.h"
#include "wengert/graph/export/statistics.h"
#include "wengert/graph/shape.h"
#include "wengert/graph/var.h"

namespace wengert {

class PassContext;
class Tape;

/// Which way a picture is read.
enum class GraphDirection {
  kForward,   ///< what was computed, up to the root; no gradient information
  kBackward,  ///< how the cotangents ran: edges from the root to the leaves, by magnitude
  kBoth,      ///< both as parallel lines
};

/// What to show of a tape, and how much.
struct GraphOptions {
  GraphDirection view = GraphDirection::kBoth;
  /// The last value shown, the loss as a rule. Empty: where the recorded backward pass started,
  /// or the tape's last value. Under create_graph give a gradient to see how it is computed.
  Var root = {};
  /// What backward did (GradientFlow::record()); null: nothing is known about gradients.
  const GradientRecord* gradients = nullptr;
  std::string title = {};
  /// Levels of scopes shown open; a deeper scope becomes one box. −1: as many scopes as it takes
  /// for at most `visible_nodes` become boxes, the deepest first, of these the largest.
  int collapse_depth = -1;
  int visible_nodes = 60;
  /// Scopes to show as one box in any case, by path.
  std::vector<std::string> collapse = {};
  /// Leave out what the root does not depend on.
  bool only_ancestors = false;
  /// Remarks by ViewNode's id or name, such as a pass's explanations (notes_of); shown in the node
  /// and listed under the title. Those on anything else are listed only.
  std::vector<std::pair<std::string, std::string>> notes = {};
};

/// More visible nodes than this are refused: layout takes minutes and nobody can read the result.
inline constexpr int kMaxVisibleNodes = 1000;

/// One op call, leaf or collapsed scope.
struct ViewNode {
  enum class Kind { kOp, kConstant, kVariable, kParameter, kBuffer, kCollapsed };
  struct Output {
    DType dtype = DType::kFloat32;
    Shape shape;
  };
  struct Saved {
    std::string what;  ///< "input 0", "output"
    std::int64_t bytes = 0;
  };

  /// "encoder/fc1/matmul#0": scope, op and count of that op within the scope; a box: "encoder/*".
  std::string id;
  Kind kind = Kind::kOp;
  std::uint32_t tape_id = 0;  ///< first node on the tape
  std::string op;
  std::string name;    ///< the user's, the parameter's or buffer's, or empty
  std::string scope;   ///< "encoder/fc1"; of a collapsed box: what it stands for
  std::string source;  ///< "model.cc:42"
  std::vector<Output> outputs;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< names and values in words
  Cost cost;                           ///< of the call, or of all that a box stands for
  std::vector<Saved> saved;            ///< what it holds, or held, for backward
  std::vector<std::string> constants;  ///< inputs that are constants: "input 1: 0.5"
  std::optional<TensorStatistics> value;
  std::optional<TensorStatistics> gradient;   ///< of the whole cotangent
  std::optional<std::int64_t> gradient_rows;  ///< see GradientRecord::Node
  std::optional<double> cancellation;         ///< see GradientRecord::Node
  bool elementwise = false;
  bool root = false;
  bool requires_grad = false;      ///< of a collapsed box: one of its parameters
  bool non_finite_origin = false;  ///< the NaN or infinity started here
  int cluster = -1;                ///< into GraphView::clusters
  std::int64_t nodes = 1;          ///< how many a collapsed box stands for
  std::vector<std::pair<std::string, std::int64_t>> contents;  ///< of a collapsed box: op, count
  std::vector<std::string> notes;

  /// Non-finite elements in value or gradient.
  bool non_finite() const {
    return (value && value->non_finite > 0) || (gradient && gradient->non_finite > 0);
  }
};

/// A value passed on, in forward direction.
struct ViewEdge {
  int from = 0;  ///< into GraphView::nodes
  int to = 0;
  int output = 0;  ///< of `from`
  int input = 0;   ///< of `to`; −1 when several were merged by collapsing
  std::int64_t merged = 1;
  std::optional<TensorStatistics> gradient;  ///< sent back along it, before accumulation
  bool main_path = false;                    ///< on the longest path to the root
};

/// A scope shown as a frame.
struct ViewCluster {
  std::string path;
  std::string label;  ///< its last component
  int parent = -1;
};

/// What a health check found, most serious first.
struct Finding {
  enum class Kind { kNonFinite, kNoGradient, kVanishing, kExploding };
  Kind kind;
  std::string what;   ///< one sentence with the place
  std::string place;  ///< a node id
  std::string source;
  std::string fix;
};

/// The word for a kind: "non-finite", "no gradient", "vanishing", "exploding".
WENGERT_API std::string_view name_of(Finding::Kind kind);

/// A tape as plain data: everything that is drawn or written comes from here. Nodes are in
/// the order of the tape, edges by consumer and input, clusters by first node.
struct WENGERT_API GraphView {
  GraphDirection direction = GraphDirection::kBoth;
  std::string title;
  std::int64_t recorded_nodes = 0;  ///< up to the root, before folding and collapsing
  bool has_gradients = false;
  /// What colours are relative to: the median RMS of the gradients at the loss, and of those of
  /// the last three layers' parameters (sums over a batch: larger than what runs between layers).
  double reference_rms = 0;
  double parameter_reference_rms = 0;
  std::vector<ViewNode> nodes;
  std::vector<ViewEdge> edges;
  std::vector<ViewCluster> clusters;
  std::vector<Finding> findings;  ///< empty: healthy, as far as was measured
  std::vector<std::pair<std::string, std::string>> notes;

  /// "healthy", or the findings as words and sentences.
  std::string verdict() const;
};

/// What passes explained, as notes of a picture: each stands at the value or parameter that it
/// names.
WENGERT_API std::vector<std::pair<std::string, std::string>> notes_of(const PassContext& context);

/// The view of a live tape. Constants without a name are folded into their consumers as text.
/// Throws Error(kGraph): empty tape, root or gradients of another tape; Error(kValue): more than
/// kMaxVisibleNodes visible nodes, naming counts and a collapse depth that works.
WENGERT_API GraphView graph_view(const Tape& tape, const GraphOptions& options = {},
                                 std::source_location where = std::source_location::current());

}  // namespace wengert
