#include "wengert/graph/captured_graph.h"

#include <cstddef>
#include <cstring>
#include <deque>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert {

/// What attributes of the nodes lie in.
struct CapturedGraph::Memory final : Arena {
  std::vector<std::unique_ptr<std::max_align_t[]>> blocks;
  void* allocate(std::size_t bytes) override {
    const std::size_t units = (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
    blocks.push_back(std::make_unique<std::max_align_t[]>(units));
    return blocks.back().get();
  }
};

namespace {

[[noreturn]] void fail(std::string message, std::string fix) {
  throw Error(ErrorKind::kGraph, "CapturedGraph", std::move(message), std::move(fix));
}

/// Enters "a/b" as scopes a and b.
class ScopePath {
 public:
  explicit ScopePath(std::string_view path) {
    while (!path.empty()) {
      const auto slash = path.find('/');
      scopes_.emplace_back(path.substr(0, slash));
      path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
  }
  ~ScopePath() {
    while (!scopes_.empty()) scopes_.pop_back();
  }
  ScopePath(const ScopePath&) = delete;
  ScopePath& operator=(const ScopePath&) = delete;

 private:
  std::deque<Scope> scopes_;
};

/// "axis=1 keepdims=true"
class Describe final : public AttributeVisitor {
 public:
  std::string text;
  void operator()(const char* name, std::int64_t value) override {
    add(name, std::to_string(value));
  }
  void operator()(const char* name, double value) override { add(name, format_number(value)); }
  void operator()(const char* name, bool value) override { add(name, value ? "true" : "false"); }
  void operator()(const char* name, std::string_view value) override {
    add(name, std::string(value));
  }
  void operator()(const char* name, std::span<const std::int64_t> value) override {
    add(name, to_string(value));
  }

 private:
  void add(const char* name, const std::string& value) {
    text += " " + std::string(name) + "=" + value;
  }
};

}  // namespace

CapturedGraph::CapturedGraph() : memory_(std::make_unique<Memory>()) {}
CapturedGraph::~CapturedGraph() = default;
CapturedGraph::CapturedGraph(CapturedGraph&&) noexcept = default;
CapturedGraph& CapturedGraph::operator=(CapturedGraph&&) noexcept = default;

const void* CapturedGraph::keep(const OpDef& op, const void* attributes) {
  if (op.attributes == nullptr || attributes == nullptr) return nullptr;
  void* kept = memory_->allocate(op.attributes->size);
  std::memcpy(kept, attributes, op.attributes->size);
  op.attributes->relocate(kept, *memory_);
  return kept;
}

CapturedGraph CapturedGraph::capture(const Tape& tape, std::span<const Var> roots,
                                     std::source_location where) {
  const detail::CallSite site(where);
  std::vector<bool> wanted(tape.size());
  std::vector<std::uint32_t> ids;
  for (const Var& root : roots) {
    ids.push_back(tape.id_of(root, "CapturedGraph", where));
    wanted[ids.back()] = true;
  }
  // Consumers come after what they use: one pass down finds all.
  for (std::uint32_t id = tape.size(); id-- > 0;) {
    if (!wanted[id]) continue;
    wanted[id - tape.node(id).output] = true;
    for (std::uint32_t input : tape.inputs(id)) wanted[input] = true;
  }
  CapturedGraph graph;
  std::vector<std::uint32_t> place(tape.size());
  const auto edge_of = [&](std::uint32_t id) {
    const std::uint32_t output = tape.node(id).output;
    return Edge{place[id - output], output};
  };
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const detail::Node& from = tape.node(id);
    if (!wanted[id] || from.output > 0) continue;
    if (from.op->bound_to_tape) {
      fail(tape.describe(id) + " belongs to its tape", "capture a program without it");
    }
    place[id] = static_cast<std::uint32_t>(graph.nodes_.size());
    Node& node = graph.nodes_.emplace_back();
    node.op = from.op;
    node.attributes = graph.keep(*from.op, from.attributes);
    node.scope = tape.scope(id);
    node.where = from.where;
    node.name = std::string(tape.name(id));
    node.parameter = const_cast<Parameter*>(tape.parameter(id));
    while (id + node.outputs < tape.size() && tape.node(id + node.outputs).output > 0) {
      ++node.outputs;
    }
    for (std::uint32_t input : tape.inputs(id)) node.inputs.push_back(edge_of(input));
    if (from.op->structural && node.parameter == nullptr) node.value = tape.var(id).value();
  }
  for (std::uint32_t id : ids) graph.roots_.push_back(edge_of(id));
  return graph;
}

CapturedGraph CapturedGraph::clone() const {
  CapturedGraph copy;
  copy.nodes_ = nodes_;
  copy.roots_ = roots_;
  for (Node& node : copy.nodes_) node.attributes = copy.keep(*node.op, node.attributes);
  return copy;
}

const CapturedGraph::Node* CapturedGraph::find(std::string_view name) const {
  for (const Node& node : nodes_) {
    if (!name.empty() && node.name == name) return &node;
  }
  return nullptr;
}

std::string CapturedGraph::str() const {
  std::string text;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    text += std::to_string(i) + " " + (node.scope.empty() ? "" : node.scope + "/") +
            std::string(node.op->name);
    if (!node.name.empty()) text += " '" + node.name + "'";
    text += "(";
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      text += (k == 0 ? "" : ", ") + std::to_string(node.inputs[k].node);
      if (node.inputs[k].output > 0) text += "." + std::to_string(node.inputs[k].output);
    }
    text += ")";
    if (node.attributes != nullptr) {
      Describe describe;
      node.op->attributes->visit(node.attributes, describe);
      text += describe.text;
    }
    text += "\n";
  }
  return text;
}

std::vector<Var> CapturedGraph::run(const std::vector<std::pair<std::string, Var>>& leaves,
                                    std::source_location where) const {
  const detail::CallSite site(where);
  for (const auto& [name, value] : leaves) {
    const Node* leaf = find(name);
    if (leaf != nullptr && leaf->op->structural) continue;
    std::vector<std::string> known;
    for (const Node& node : nodes_) {
      if (node.op->structural && !node.name.empty()) known.push_back(node.name);
    }
    const std::string close = closest(name, known);
    fail("no leaf is named '" + name + "'", close.empty()
                                                ? "name leaves with Tape::name before capturing"
                                                : "did you mean '" + close + "'?");
  }
  std::vector<std::vector<Var>> values(nodes_.size());
  const auto leaf_value = [&](const Node& node) -> Var {
    for (const auto& [name, value] : leaves) {
      if (!node.name.empty() && name == node.name) return value;
    }
    if (node.op == &detail::absent_op) return {};
    return node.parameter != nullptr ? use(*node.parameter, where) : Var(node.value);
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.op->structural) {
      values[i] = {leaf_value(node)};
      continue;
    }
    const ScopePath scopes(node.scope);
    std::vector<const Var*> inputs;
    for (const Edge& edge : node.inputs) inputs.push_back(&values[edge.node][edge.output]);
    values[i] = apply_all(*node.op, inputs, node.attributes, node.where);
  }
  std::vector<Var> result;
  for (const Edge& root : roots_) result.push_back(values[root.node][root.output]);
  return result;
}

std::uint32_t CapturedGraph::add(const OpDef& op, std::span<const Edge> inputs,
                                 const void* attributes, std::string_view scope) {
  Node node;
  node.op = &op;
  node.attributes = keep(op, attributes != nullptr ? attributes : op.default_attributes);
  node.inputs.assign(inputs.begin(), inputs.end());
  node.scope = std::string(scope);
  nodes_.push_back(std::move(node));
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t CapturedGraph::add_constant(const Tensor& value, std::string_view name) {
  Node node;
  node.op = &ops::constant_op;
  node.value = value;
  node.name = std::string(name);
  nodes_.push_back(std::move(node));
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void CapturedGraph::replace(Edge from, Edge to, std::span<const std::uint32_t> except) {
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    bool kept = false;
    for (std::uint32_t each : except) kept |= each == i;
    if (kept) continue;
    for (Edge& edge : nodes_[i].inputs) {
      if (edge == from) edge = to;
    }
  }
  for (Edge& root : roots_) {
    if (root == from) root = to;
  }
}

void CapturedGraph::set_input(std::uint32_t node, std::size_t input, Edge to) {
  nodes_[node].inputs[input] = to;
}

std::uint32_t CapturedGraph::tidy(std::source_location where) {
  const detail::CallSite site(where);
  constexpr std::uint32_t kNew = 0xffffffffu, kEntered = 0xfffffffeu;
  std::vector<std::uint32_t> place(nodes_.size(), kNew);
  std::vector<Node> ordered;
  // Depth first without recursion: a node is placed when all its inputs are.
  std::vector<std::pair<std::uint32_t, std::size_t>> stack;
  for (const Edge& root : roots_) {
    if (place[root.node] == kNew) stack.push_back({root.node, 0});
    while (!stack.empty()) {
      auto& [id, next] = stack.back();
      place[id] = kEntered;
      if (next == nodes_[id].inputs.size()) {
        place[id] = static_cast<std::uint32_t>(ordered.size());
        ordered.push_back(nodes_[id]);
        stack.pop_back();
        continue;
      }
      const std::uint32_t input = nodes_[id].inputs[next++].node;
      if (place[input] == kEntered) fail("its nodes form a cycle", "replace uses one way only");
      if (place[input] == kNew) stack.push_back({input, 0});
    }
  }
  for (Node& node : ordered) {
    for (Edge& edge : node.inputs) edge.node = place[edge.node];
  }
  for (Edge& root : roots_) root.node = place[root.node];
  const auto dropped = static_cast<std::uint32_t>(nodes_.size() - ordered.size());
  nodes_ = std::move(ordered);
  return dropped;
}

}  // namespace wengert
