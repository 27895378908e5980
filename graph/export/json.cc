#include "wengert/graph/export/json.h"

#include <cmath>

#include "wengert/graph/export/escape.h"

namespace wengert {
namespace {

/// Writes objects and arrays with the commas where they belong.
class Writer {
 public:
  Writer& open(char bracket) {
    separate();
    out_ += bracket;
    fresh_ = true;
    return *this;
  }
  Writer& close(char bracket) {
    out_ += bracket;
    fresh_ = false;
    return *this;
  }
  Writer& key(std::string_view name) {
    separate();
    out_ += detail::quote_json(name) + ":";
    fresh_ = true;
    return *this;
  }
  Writer& text(std::string_view value) { return raw(detail::quote_json(value)); }
  Writer& integer(std::int64_t value) { return raw(std::to_string(value)); }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& number(double value) {
    const std::string digits = detail::exact_text(value);
    return std::isfinite(value) ? raw(digits) : text(digits);
  }
  /// A member with a text that is left out when empty.
  Writer& member(std::string_view name, std::string_view value) {
    return value.empty() ? *this : key(name).text(value);
  }
  std::string take() { return std::move(out_); }

 private:
  Writer& raw(std::string_view token) {
    separate();
    out_ += token;
    return *this;
  }
  void separate() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  std::string out_;
  bool fresh_ = true;
};

void write(Writer& to, std::string_view name, const std::optional<TensorStatistics>& statistics) {
  if (!statistics) return;
  to.key(name).open('{');
  to.key("count").integer(statistics->count).key("rms").number(statistics->rms());
  to.key("l2").number(statistics->l2).key("max").number(statistics->max);
  to.key("zeros").integer(statistics->zeros).key("non_finite").integer(statistics->non_finite);
  to.close('}');
}

std::string_view name_of(ViewNode::Kind kind) {
  switch (kind) {
    case ViewNode::Kind::kOp:
      return "op";
    case ViewNode::Kind::kConstant:
      return "constant";
    case ViewNode::Kind::kVariable:
      return "variable";
    case ViewNode::Kind::kParameter:
      return "parameter";
    case ViewNode::Kind::kBuffer:
      return "buffer";
    default:
      return "collapsed";
  }
}

std::string_view name_of(GraphDirection direction) {
  return direction == GraphDirection::kForward    ? "forward"
         : direction == GraphDirection::kBackward ? "backward"
                                                  : "both";
}

void write_outputs(Writer& to, const ViewNode& node) {
  if (node.outputs.empty()) return;
  to.key("outputs").open('[');
  for (const auto& output : node.outputs) {
    to.open('{').key("dtype").text(name_of(output.dtype)).key("shape").open('[');
    for (const std::int64_t size : output.shape) to.integer(size);
    to.close(']').close('}');
  }
  to.close(']');
}

void write_lists(Writer& to, const ViewNode& node) {
  if (!node.attributes.empty()) {
    to.key("attributes").open('{');
    for (const auto& [name, value] : node.attributes) to.key(name).text(value);
    to.close('}');
  }
  if (!node.saved.empty()) {
    to.key("saved").open('[');
    for (const auto& saved : node.saved) {
      to.open('{').key("what").text(saved.what).key("bytes").integer(saved.bytes).close('}');
    }
    to.close(']');
  }
  if (!node.constants.empty()) {
    to.key("constants").open('[');
    for (const auto& constant : node.constants) to.text(constant);
    to.close(']');
  }
  if (!node.contents.empty()) {
    to.key("contents").open('{');
    for (const auto& [op, count] : node.contents) to.key(op).integer(count);
    to.close('}');
  }
  if (!node.notes.empty()) {
    to.key("notes").open('[');
    for (const auto& note : node.notes) to.text(note);
    to.close(']');
  }
}

void write(Writer& to, const GraphView& view, const ViewNode& node) {
  to.open('{').key("id").text(node.id).key("kind").text(name_of(node.kind));
  to.member("op", node.op).member("name", node.name).member("scope", node.scope);
  to.member("source", node.source);
  if (node.cluster >= 0) {
    to.key("cluster").text(view.clusters[static_cast<std::size_t>(node.cluster)].path);
  }
  write_outputs(to, node);
  write_lists(to, node);
  if (node.cost.flops > 0) to.key("flops").number(node.cost.flops);
  if (node.cost.bytes > 0) to.key("bytes").number(node.cost.bytes);
  write(to, "value", node.value);
  write(to, "gradient", node.gradient);
  if (node.gradient_rows) to.key("gradient_rows").integer(*node.gradient_rows);
  if (node.cancellation) to.key("cancellation").number(*node.cancellation);
  to.key("requires_grad").boolean(node.requires_grad);
  if (node.root) to.key("root").boolean(true);
  if (node.non_finite_origin) to.key("non_finite_origin").boolean(true);
  if (node.nodes != 1) to.key("nodes").integer(node.nodes);
  to.close('}');
}

void write(Writer& to, const GraphView& view, const ViewEdge& edge) {
  to.open('{').key("from").text(view.nodes[static_cast<std::size_t>(edge.from)].id);
  to.key("output").integer(edge.output);
  to.key("to").text(view.nodes[static_cast<std::size_t>(edge.to)].id);
  to.key("input").integer(edge.input);
  if (edge.merged != 1) to.key("merged").integer(edge.merged);
  if (edge.main_path) to.key("main_path").boolean(true);
  write(to, "gradient", edge.gradient);
  to.close('}');
}

}  // namespace

std::string to_json(const GraphView& view) {
  Writer to;
  to.open('{').key("view").text(name_of(view.direction)).member("title", view.title);
  to.key("recorded_nodes").integer(view.recorded_nodes);
  to.key("verdict").text(view.verdict()).key("reference_rms").number(view.reference_rms);
  to.key("parameter_reference_rms").number(view.parameter_reference_rms);
  to.key("findings").open('[');
  for (const Finding& finding : view.findings) {
    to.open('{').key("kind").text(name_of(finding.kind)).key("what").text(finding.what);
    to.member("place", finding.place).member("source", finding.source);
    to.member("fix", finding.fix).close('}');
  }
  to.close(']').key("notes").open('[');
  for (const auto& [id, note] : view.notes) {
    to.open('{').key("node").text(id).key("text").text(note).close('}');
  }
  to.close(']').key("clusters").open('[');
  for (const ViewCluster& cluster : view.clusters) {
    to.open('{').key("path").text(cluster.path).key("label").text(cluster.label);
    if (cluster.parent >= 0) {
      to.key("parent").text(view.clusters[static_cast<std::size_t>(cluster.parent)].path);
    }
    to.close('}');
  }
  to.close(']').key("nodes").open('[');
  for (const ViewNode& node : view.nodes) write(to, view, node);
  to.close(']').key("edges").open('[');
  for (const ViewEdge& edge : view.edges) write(to, view, edge);
  to.close(']').close('}');
  return to.take() + "\n";
}

}  // namespace wengert
