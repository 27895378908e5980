#include "wengert/graph/export/graph_view.h"

#include <algorithm>
#include <map>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/view_builder.h"
#include "wengert/graph/pass.h"

namespace wengert {
namespace detail {
namespace {

[[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix) {
  throw Error(kind, "graph_view", std::move(message), std::move(fix));
}

std::uint64_t key_of(std::uint32_t consumer, int input) {
  return std::uint64_t{consumer} << 32 | static_cast<std::uint32_t>(input);
}

}  // namespace

GradientIndex::GradientIndex(const GradientRecord* record) {
  if (record == nullptr) return;
  for (const auto& edge : record->edges) edges[key_of(edge.consumer, edge.input)] = &edge;
  for (const auto& node : record->nodes) nodes[node.id] = &node;
}

const GradientRecord::Edge* GradientIndex::edge(std::uint32_t consumer, int input) const {
  const auto it = edges.find(key_of(consumer, input));
  return it == edges.end() ? nullptr : it->second;
}

const GradientRecord::Node* GradientIndex::node(std::uint32_t id) const {
  const auto it = nodes.find(id);
  return it == nodes.end() ? nullptr : it->second;
}

std::string source_of(const Tape& tape, std::uint32_t id) {
  const std::source_location& where = tape.node(id).where;
  if (where.line() == 0) return {};
  return std::string(base_name(where.file_name())) + ":" + std::to_string(where.line());
}

ViewBuilder::ViewBuilder(const Tape& tape, const GraphOptions& options)
    : tape_(tape),
      options_(options),
      gradients_(options.view == GraphDirection::kForward ? nullptr : options.gradients) {}

GraphView ViewBuilder::build() {
  find_root();
  select_nodes();
  read_scopes();
  const CollapsePlan plan = choose_boxes();
  if (plan.visible > kMaxVisibleNodes) refuse(plan);
  view_.direction = options_.view;
  view_.title = options_.title;
  view_.has_gradients = !gradients_.nodes.empty();
  place_nodes(plan);
  connect();
  mark_main_path();
  find_problems(tape_, root_, gradients_, view_node_of_, view_);
  attach_notes();
  return std::move(view_);
}

void ViewBuilder::find_root() {
  if (tape_.size() == 0) {
    fail(ErrorKind::kGraph, "nothing was recorded on the tape",
         "compute something from variables or parameters while it is live");
  }
  const GradientRecord* record = options_.gradients;
  if (record != nullptr && record->tape != 0 && record->tape != tape_.serial()) {
    fail(ErrorKind::kGraph, "the gradients were collected on another tape",
         "draw while the tape of that backward pass is live");
  }
  root_ = tape_.size() - 1;
  if (options_.root.has_value()) {
    root_ = tape_.id_of(options_.root, "graph_view");
  } else if (record != nullptr && !record->nodes.empty()) {
    root_ = 0;  // backward goes down the tape: it began at the largest id
    for (const auto& node : record->nodes) root_ = std::max(root_, node.id);
  }
}

bool ViewBuilder::folded(std::uint32_t id) const {
  if (tape_.node(id).op == &absent_op) return true;
  return tape_.node(id).op == &constant_op && id != root_ && tape_.name(id).empty();
}

void ViewBuilder::select_nodes() {
  // An op's later outputs follow its first: the root's siblings belong to the picture too.
  std::uint32_t last = root_;
  while (last + 1 < tape_.size() && tape_.node(last + 1).output > 0) ++last;
  view_.recorded_nodes = std::int64_t{last} + 1;
  selected_.assign(std::size_t{last} + 1, options_.only_ancestors ? 0 : 1);
  if (!options_.only_ancestors) return;
  selected_[head(root_)] = 1;
  for (std::uint32_t id = root_ + 1; id-- > 0;) {
    if (!selected_[id]) continue;
    for (std::uint32_t input : tape_.inputs(id)) selected_[head(input)] = 1;
  }
  for (std::uint32_t id = 0; id <= last; ++id) selected_[id] = selected_[head(id)];
}

void ViewBuilder::read_scopes() {
  std::unordered_map<std::uint32_t, int> by_index;
  std::unordered_map<std::string, int> by_path{{"", 0}};
  // What lies deeper is drawn in the box at this depth: every box has its whole path.
  constexpr int kDeepest = 200;
  const auto enter = [&](const std::string& path) {
    int parent = 0, depth = 0;
    for (std::size_t end = 0; end < path.size() && depth < kDeepest; ++depth) {
      end = std::min(path.find('/', end + 1), path.size());
      const std::string prefix = path.substr(0, end);
      const auto [it, added] = by_path.try_emplace(prefix, static_cast<int>(by_path.size()));
      if (added) {
        scopes_.entries.push_back({prefix, parent, depth + 1, 0});
      }
      parent = it->second;
    }
    return parent;
  };
  scope_of_.assign(selected_.size(), 0);
  for (std::uint32_t id = 0; id < selected_.size(); ++id) {
    const std::uint32_t index = tape_.node(id).scope;
    auto known = by_index.find(index);
    if (known == by_index.end()) {
      known = by_index.emplace(index, enter(tape_.scope(id))).first;
    }
    // A variable or a named input is recorded where it is used first, but belongs to no part of the
    // model.
    const bool input = tape_.node(id).input_count == 0 && tape_.node(id).output == 0 &&
                       tape_.node(id).op != &parameter_op &&
                       (tape_.node(id).op == &variable_op || !tape_.name(id).empty());
    scope_of_[id] = input ? 0 : known->second;
    if (!selected_[id] || tape_.node(id).output > 0 || folded(id)) continue;
    ++scopes_.entries[static_cast<std::size_t>(scope_of_[id])].nodes;
  }
}

CollapsePlan ViewBuilder::choose_boxes() const {
  return options_.collapse_depth >= 0
             ? collapse_to_depth(scopes_, options_.collapse_depth, options_.collapse)
             : collapse_to_fit(scopes_, options_.visible_nodes, options_.collapse);
}

void ViewBuilder::refuse(const CollapsePlan& plan) const {
  std::map<std::string_view, std::int64_t> counts;
  for (std::uint32_t id = 0; id < selected_.size(); ++id) {
    if (selected_[id] && tape_.node(id).output == 0) ++counts[tape_.node(id).op->name];
  }
  std::vector<std::pair<std::string_view, std::int64_t>> most(counts.begin(), counts.end());
  std::stable_sort(most.begin(), most.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string message = std::to_string(plan.visible) + " nodes would be visible, more than " +
                        std::to_string(kMaxVisibleNodes) + "; recorded are";
  for (std::size_t i = 0; i < most.size() && i < 5; ++i) {
    message +=
        (i == 0 ? " " : ", ") + std::to_string(most[i].second) + " " + std::string(most[i].first);
  }
  if (most.size() > 5) message += " and " + std::to_string(most.size() - 5) + " more ops";
  message += " in " + std::to_string(scopes_.entries.size() - 1) + " scopes";
  for (int depth = options_.collapse_depth; depth-- > 0;) {
    const std::int64_t visible = collapse_to_depth(scopes_, depth, options_.collapse).visible;
    if (visible > kMaxVisibleNodes) continue;
    fail(ErrorKind::kValue, message,
         "collapse_depth = " + std::to_string(depth) + " leaves " + std::to_string(visible));
  }
  const std::int64_t least = collapse_to_depth(scopes_, 0, options_.collapse).visible;
  fail(ErrorKind::kValue, message,
       least <= kMaxVisibleNodes
           ? "collapse_depth = 0 leaves " + std::to_string(least)
           : "open a Scope(\"name\") around each part of the model, so that parts can be "
             "collapsed; Tape::statistics() counts without drawing");
}

void ViewBuilder::mark_main_path() {
  // Longest path to the root: each node's distance to the root, in nodes, over forward edges.
  const int root = view_node_of_[root_];
  if (root < 0) return;
  std::vector<int> length(view_.nodes.size(), 0);
  std::vector<std::vector<int>> incoming(view_.nodes.size());
  for (int e = 0; e < static_cast<int>(view_.edges.size()); ++e) {
    const ViewEdge& edge = view_.edges[static_cast<std::size_t>(e)];
    // Collapsed scopes may form cycles; edges that run back are no part of a path.
    if (edge.from < edge.to) incoming[static_cast<std::size_t>(edge.to)].push_back(e);
  }
  std::vector<int> best(view_.nodes.size(), -1);
  for (std::size_t n = 0; n < view_.nodes.size(); ++n) {
    for (int e : incoming[n]) {
      const int from = view_.edges[static_cast<std::size_t>(e)].from;
      if (best[n] >= 0 && length[static_cast<std::size_t>(from)] + 1 <= length[n]) continue;
      length[n] = length[static_cast<std::size_t>(from)] + 1;
      best[n] = e;
    }
  }
  for (int n = root; best[static_cast<std::size_t>(n)] >= 0;) {
    ViewEdge& edge = view_.edges[static_cast<std::size_t>(best[static_cast<std::size_t>(n)])];
    edge.main_path = true;
    n = edge.from;
  }
}

void ViewBuilder::attach_notes() {
  view_.notes = options_.notes;
  for (const auto& [id, text] : options_.notes) {
    for (ViewNode& node : view_.nodes) {
      if (node.id == id || (!node.name.empty() && node.name == id)) node.notes.push_back(text);
    }
  }
}

}  // namespace detail

std::vector<std::pair<std::string, std::string>> notes_of(const PassContext& context) {
  std::vector<std::pair<std::string, std::string>> notes;
  for (const Explanation& explanation : context.explanations()) {
    notes.emplace_back(explanation.subject, explanation.pass + ": " + explanation.text);
  }
  return notes;
}

std::string_view name_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kNonFinite:
      return "non-finite";
    case Finding::Kind::kNoGradient:
      return "no gradient";
    case Finding::Kind::kVanishing:
      return "vanishing";
    default:
      return "exploding";
  }
}

std::string GraphView::verdict() const {
  if (findings.empty()) {
    if (has_gradients) return "healthy";
    return direction == GraphDirection::kForward ? "the forward view leaves gradients out"
                                                 : "no gradients were collected";
  }
  std::string text;
  for (const Finding& finding : findings) {
    if (!text.empty()) text += "\n";
    text += std::string(name_of(finding.kind)) + ": " + finding.what;
    if (!finding.fix.empty()) text += "; " + finding.fix;
  }
  return text;
}

GraphView graph_view(const Tape& tape, const GraphOptions& options, std::source_location where) {
  const detail::CallSite site(where);
  return detail::ViewBuilder(tape, options).build();
}

}  // namespace wengert
