#include <algorithm>
#include <cstring>

#include "wengert/graph/export/escape.h"
#include "wengert/graph/export/view_builder.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/text.h"

// The part of the builder that reads single nodes and edges.
namespace wengert::detail {
namespace {

/// Attributes as words.
class Describe final : public AttributeVisitor {
 public:
  explicit Describe(std::vector<std::pair<std::string, std::string>>& out) : out_(out) {}
  void operator()(const char* name, std::int64_t value) override {
    out_.emplace_back(name, std::to_string(value));
  }
  void operator()(const char* name, double value) override {
    out_.emplace_back(name, exact_text(value));
  }
  void operator()(const char* name, bool value) override {
    out_.emplace_back(name, value ? "true" : "false");
  }
  void operator()(const char* name, std::string_view value) override {
    out_.emplace_back(name, std::string(value));
  }
  void operator()(const char* name, std::span<const std::int64_t> value) override {
    // No axes named means all of them (Axes).
    const bool all = value.empty() && std::string_view(name) == "axes";
    out_.emplace_back(name, all ? "all" : wengert::to_string(value));
  }

 private:
  std::vector<std::pair<std::string, std::string>>& out_;
};

ViewNode::Kind kind_of(const OpDef* op) {
  if (op == &constant_op) return ViewNode::Kind::kConstant;
  if (op == &variable_op) return ViewNode::Kind::kVariable;
  if (op == &parameter_op) return ViewNode::Kind::kParameter;
  if (op == &buffer_op) return ViewNode::Kind::kBuffer;
  return ViewNode::Kind::kOp;
}

/// The only element, also of a value that was given back if it lay in the header; else none.
std::optional<double> scalar_of(const Tape& tape, std::uint32_t id) {
  const Value* value = tape.node(id).value;
  if (value->count() != 1) return {};
  if (tape.has_value(id)) return tape.var(id).value().at(0);
  if (!value->has(Value::kInline)) return {};
  return dispatch(value->dtype, [&]<class T>(T element) {
    std::memcpy(&element, value->scalar, sizeof element);
    return static_cast<double>(element);
  });
}

std::int64_t bytes_of(const Tape& tape, std::uint32_t id) {
  return element_count(tape.shape(id)) * static_cast<std::int64_t>(size_of(tape.dtype(id)));
}

}  // namespace

std::optional<TensorStatistics> ViewBuilder::value_statistics(std::uint32_t id) const {
  if (!is_floating(tape_.dtype(id))) return {};
  if (tape_.has_value(id)) return statistics_of(tape_.var(id).value());
  if (const auto* record = gradients_.node(id)) return record->value;
  return {};
}

int ViewBuilder::cluster_of(int scope) {
  if (scope == 0) return -1;
  int& known = cluster_of_scope_[static_cast<std::size_t>(scope)];
  if (known >= 0) return known;
  const ScopeTree::Entry& entry = scopes_.entries[static_cast<std::size_t>(scope)];
  const int parent = cluster_of(entry.parent);  // as deep as the user's nesting of scopes
  known = static_cast<int>(view_.clusters.size());
  view_.clusters.push_back({entry.path, entry.path.substr(entry.path.rfind('/') + 1), parent});
  return known;
}

int ViewBuilder::new_node(std::uint32_t id, bool collapsed, int scope) {
  ViewNode out;
  const ScopeTree::Entry& entry = scopes_.entries[static_cast<std::size_t>(scope)];
  out.scope = entry.path;
  out.tape_id = id;
  out.source = source_of(tape_, id);
  if (collapsed) {
    out.kind = ViewNode::Kind::kCollapsed;
    out.id = entry.path + "/*";
    out.name = entry.path.substr(entry.path.rfind('/') + 1);
    out.nodes = 0;
    out.cluster = cluster_of(entry.parent);
  } else {
    out.cluster = cluster_of(scope);
  }
  view_.nodes.push_back(std::move(out));
  return static_cast<int>(view_.nodes.size()) - 1;
}

void ViewBuilder::place_nodes(const CollapsePlan& plan) {
  view_node_of_.assign(selected_.size(), -1);
  cluster_of_scope_.assign(scopes_.entries.size(), -1);
  std::unordered_map<int, int> box_node;
  for (std::uint32_t id = 0; id < selected_.size(); ++id) {
    if (tape_.node(id).output > 0) {
      view_node_of_[id] = view_node_of_[head(id)];
      continue;
    }
    if (!selected_[id] || folded(id)) continue;
    const int scope = scope_of_[id], box = plan.box[static_cast<std::size_t>(scope)];
    if (box < 0) {
      const int n = view_node_of_[id] = new_node(id, false, scope);
      describe_op(view_.nodes[static_cast<std::size_t>(n)], id);
      continue;
    }
    const auto [it, added] = box_node.try_emplace(box, 0);
    if (added) it->second = new_node(id, true, box);
    view_node_of_[id] = it->second;
    add_to_box(view_.nodes[static_cast<std::size_t>(it->second)], id);
  }
}

void ViewBuilder::add_to_box(ViewNode& box, std::uint32_t id) const {
  const Node& node = tape_.node(id);
  ++box.nodes;
  const auto known = std::find_if(box.contents.begin(), box.contents.end(),
                                  [&](const auto& c) { return c.first == node.op->name; });
  if (known == box.contents.end()) {
    box.contents.emplace_back(node.op->name, 1);
  } else {
    ++known->second;
  }
  const Cost cost = cost_of(tape_, id);
  box.cost.flops += cost.flops;
  box.cost.bytes += cost.bytes;
  box.root |= head(root_) == id;
  // What a box says about gradients and norms is about its parameters.
  if (node.op != &parameter_op) return;
  box.requires_grad |= node.value->has(Value::kRequiresGrad);
  const auto merge = [](std::optional<TensorStatistics>& into, const TensorStatistics& from) {
    if (!into) into = TensorStatistics{};
    into->merge(from);
  };
  if (const auto value = value_statistics(id)) merge(box.value, *value);
  if (const auto* record = gradients_.node(id)) merge(box.gradient, record->gradient);
}

void ViewBuilder::describe_op(ViewNode& out, std::uint32_t id) {
  const Node& node = tape_.node(id);
  out.op = node.op->name;
  out.kind = kind_of(node.op);
  out.name = tape_.name(id);
  const std::string stem = out.scope.empty() ? out.op : out.scope + "/" + out.op;
  out.id = stem + "#" + std::to_string(ordinals_[stem]++);
  out.elementwise = node.op->elementwise != nullptr;
  out.root = head(root_) == id;
  out.requires_grad = node.value->has(Value::kRequiresGrad);
  for (std::uint32_t k = id; k < tape_.size() && (k == id || tape_.node(k).output > 0); ++k) {
    out.outputs.push_back({tape_.dtype(k), tape_.shape(k)});
  }
  if (node.op->attributes != nullptr && node.attributes != nullptr) {
    Describe describe(out.attributes);
    node.op->attributes->visit(node.attributes, describe);
  }
  describe_constants(out, id);
  describe_measures(out, id);
  out.cost = cost_of(tape_, id);
  if (!node.op->structural) describe_saved(out, id);
}

void ViewBuilder::describe_measures(ViewNode& out, std::uint32_t id) const {
  for (std::uint32_t k = id; k < id + out.outputs.size(); ++k) {
    if (const auto value = value_statistics(k)) {
      if (!out.value) out.value = TensorStatistics{};
      out.value->merge(*value);
    }
    const auto* record = gradients_.node(k);
    if (record == nullptr) continue;
    if (!out.gradient) out.gradient = TensorStatistics{};
    out.gradient->merge(record->gradient);
    out.gradient_rows = record->gradient_rows;
    if (record->cancellation) {
      out.cancellation = std::min(out.cancellation.value_or(1), *record->cancellation);
    }
  }
}

void ViewBuilder::describe_saved(ViewNode& out, std::uint32_t id) const {
  const Node& node = tape_.node(id);
  std::uint32_t inputs = node.saved_inputs();
  if (const auto* record = gradients_.node(id)) inputs |= record->saved_inputs;
  for (int i = 0; i < node.input_count; ++i) {
    if (!detail::in_set(inputs, i)) continue;
    out.saved.push_back({"input " + std::to_string(i), bytes_of(tape_, node.inputs()[i])});
  }
  for (std::uint32_t k = 0; k < out.outputs.size(); ++k) {
    const auto* record = gradients_.node(id + k);
    const bool held = (tape_.node(id + k).saved & detail::kSavedOutput) != 0 ||
                      (record != nullptr && record->saved_output);
    if (!held) continue;
    out.saved.push_back({out.outputs.size() == 1 ? "output" : "output " + std::to_string(k),
                         bytes_of(tape_, id + k)});
  }
}

void ViewBuilder::describe_constants(ViewNode& out, std::uint32_t id) const {
  const auto inputs = tape_.inputs(id);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!folded(inputs[i])) continue;
    const DType dtype = tape_.dtype(inputs[i]);
    const Shape shape = tape_.shape(inputs[i]);
    std::string text = "input " + std::to_string(i) + ": ";
    if (tape_.node(inputs[i]).op == &absent_op) {
      text += "none";
    } else if (const auto value = scalar_of(tape_, inputs[i])) {
      text += dtype == DType::kBool ? (*value != 0 ? "true" : "false") : format_number(*value, 6);
    } else {
      text += wengert::to_string(dtype, shape);
    }
    out.constants.push_back(std::move(text));
  }
}

void ViewBuilder::connect() {
  std::unordered_map<std::uint64_t, std::size_t> merged;  // by pair of nodes, one collapsed
  for (std::uint32_t id = 0; id < selected_.size(); ++id) {
    const int to = view_node_of_[id];
    if (to < 0) continue;
    const auto inputs = tape_.inputs(id);
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      const std::uint32_t input = inputs[static_cast<std::size_t>(i)];
      const int from = view_node_of_[input];
      if (from < 0 || from == to) continue;
      const GradientRecord::Edge* record = gradients_.edge(id, i);
      const auto is_box = [&](int n) {
        return view_.nodes[static_cast<std::size_t>(n)].kind == ViewNode::Kind::kCollapsed;
      };
      if (is_box(from) || is_box(to)) {
        const auto key = static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint32_t>(to);
        const auto [it, added] = merged.try_emplace(key, view_.edges.size());
        if (!added) {
          ViewEdge& edge = view_.edges[it->second];
          ++edge.merged;
          edge.input = -1;
          if (record == nullptr) continue;
          if (!edge.gradient) edge.gradient = TensorStatistics{};
          edge.gradient->merge(record->gradient);
          continue;
        }
      }
      ViewEdge edge{.from = from,
                    .to = to,
                    .output = tape_.node(input).output,
                    .input = i,
                    .merged = 1,
                    .gradient = {},
                    .main_path = false};
      if (record != nullptr) edge.gradient = record->gradient;
      view_.edges.push_back(std::move(edge));
    }
  }
}

}  // namespace wengert::detail
