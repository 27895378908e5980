#include "wengert/graph/export/dot.h"

#include <algorithm>
#include <set>
#include <vector>

#include "wengert/graph/export/dot_style.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"

namespace wengert {
namespace {

using detail::quote_dot;

class DotWriter {
 public:
  explicit DotWriter(const GraphView& view)
      : view_(view), on_path_(view.nodes.size(), 0), beside_(view.nodes.size(), -1) {
    for (const ViewEdge& edge : view_.edges) {
      if (!edge.main_path) continue;
      on_path_[static_cast<std::size_t>(edge.from)] = 1;
      on_path_[static_cast<std::size_t>(edge.to)] = 1;
    }
    std::set<std::string> taken;
    for (const ViewNode& node : view_.nodes) ids_.push_back(unlike(taken, node.id));
    for (const ViewCluster& frame : view_.clusters) {
      frames_.push_back(unlike(taken, "cluster_" + frame.path));
    }
    place_parameters();
  }

  std::string write() {
    out_ += "digraph " + quote_dot(view_.title.empty() ? "graph" : view_.title) + " {\n";
    out_ +=
        "graph [rankdir=TB, fontname=\"Helvetica\", fontsize=12, nodesep=0.3, ranksep=0.25, "
        "labelloc=t, charset=\"UTF-8\", label=" +
        detail::title_label(view_) + "];\n";
    out_ += "node [shape=none, fontname=\"Helvetica\", margin=0];\n";
    out_ += "edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.7];\n";
    write_frame(-1);
    for (const ViewEdge& edge : view_.edges) write_edge(edge);
    return std::move(out_) + "}\n";
  }

 private:
  /// A text quoted, with a number where it would be the same as one of those before: long names
  /// are shortened, and bytes that are no UTF-8 all look alike.
  static std::string unlike(std::set<std::string>& taken, const std::string& text) {
    std::string quoted = quote_dot(text);
    for (int number = 2; !taken.insert(quoted).second; ++number) {
      quoted = quote_dot(detail::shorten(text, 200) + " " + std::to_string(number));
    }
    return quoted;
  }

  /// A parameter stands beside the one op that uses it, if both are in one frame.
  void place_parameters() {
    std::vector<int> uses(view_.nodes.size(), 0), user(view_.nodes.size(), -1);
    for (const ViewEdge& edge : view_.edges) {
      ++uses[static_cast<std::size_t>(edge.from)];
      user[static_cast<std::size_t>(edge.from)] = edge.to;
    }
    for (std::size_t n = 0; n < view_.nodes.size(); ++n) {
      const ViewNode& node = view_.nodes[n];
      if (node.kind != ViewNode::Kind::kParameter || uses[n] != 1 || on_path_[n]) continue;
      const ViewNode& op = view_.nodes[static_cast<std::size_t>(user[n])];
      if (op.kind == ViewNode::Kind::kOp && op.cluster == node.cluster) beside_[n] = user[n];
    }
  }

  /// A frame's nodes, then the frames inside it; −1 is the whole picture.
  void write_frame(int cluster) {
    for (std::size_t n = 0; n < view_.nodes.size(); ++n) {
      if (view_.nodes[n].cluster == cluster) write_node(n);
    }
    for (std::size_t n = 0; n < view_.nodes.size(); ++n) {
      if (view_.nodes[n].cluster != cluster || beside_[n] < 0) continue;
      out_ += "{rank=same; " + id_of(static_cast<int>(n)) + "; " + id_of(beside_[n]) + ";}\n";
    }
    for (std::size_t c = 0; c < view_.clusters.size(); ++c) {
      const ViewCluster& inner = view_.clusters[c];
      if (inner.parent != cluster) continue;
      out_ += "subgraph " + frames_[c] + " {\nlabel=<<b>" +
              detail::escape_label(detail::shorten(inner.label, 60)) +
              "</b>>; labeljust=l; style=\"rounded,filled\"; fillcolor=\"#fafafa\"; "
              "color=\"#bdbdbd\"; fontsize=10; tooltip=" +
              quote_dot(inner.path) + ";\n";
      write_frame(static_cast<int>(c));
      out_ += "}\n";
    }
  }

  void write_node(std::size_t n) {
    const ViewNode& node = view_.nodes[n];
    out_ += ids_[n] + " [id=" + ids_[n];
    if (on_path_[n]) out_ += ", group=\"path\"";
    out_ += ", tooltip=" + quote_dot(detail::node_tooltip(node)) +
            ", label=" + detail::node_label(view_, node) + "];\n";
  }

  const std::string& id_of(int n) const { return ids_[static_cast<std::size_t>(n)]; }

  void write_edge(const ViewEdge& edge) {
    const bool backward = view_.direction == GraphDirection::kBackward;
    const int weight = edge.main_path ? 50 : 1;
    out_ += (backward ? id_of(edge.to) + " -> " + id_of(edge.from)
                      : id_of(edge.from) + " -> " + id_of(edge.to));
    out_ += " [weight=" + std::to_string(weight) + look_of(edge) + "];\n";
  }

  std::string look_of(const ViewEdge& edge) const {
    const bool measured = view_.has_gradients && view_.direction != GraphDirection::kForward;
    std::string label = output_text(edge);
    if (!measured) {
      return std::string(", color=\"") + detail::kForwardColor + "\"" + label_of(edge, label, "");
    }
    if (!edge.gradient) {
      return std::string(", style=dashed, color=\"") + detail::kNoGradientColor + "\"" +
             label_of(edge, label + "no grad", detail::kNoGradientColor);
    }
    const bool bad = edge.gradient->non_finite > 0;
    const double rms = edge.gradient->rms();
    const bool parameter =
        view_.nodes[static_cast<std::size_t>(edge.from)].kind == ViewNode::Kind::kParameter;
    const double reference = parameter ? view_.parameter_reference_rms : view_.reference_rms;
    const detail::GradientColor& color = detail::color_of(rms, reference);
    const std::string line = bad ? detail::kNonFiniteColor : color.line;
    label += bad        ? std::to_string(edge.gradient->non_finite) + " not finite"
             : rms == 0 ? "0"
                        : detail::scientific_text(rms);
    const double width = bad ? 3 : detail::width_of(rms, reference);
    std::string look = ", penwidth=" + format_number(width, 2);
    if (view_.direction == GraphDirection::kBackward) {
      look += ", color=\"" + line + "\"";
    } else if (beside_[static_cast<std::size_t>(edge.from)] >= 0) {
      // Beside its op a parameter shows the gradient's arrow alone: there is no room for two.
      look += ", dir=back, color=\"" + line + "\"";
    } else {
      look += std::string(", dir=both, color=\"") + detail::kForwardColor + ":" + line + "\"";
    }
    return look + label_of(edge, label, bad ? detail::kNonFiniteColor : color.text) +
           ", edgetooltip=" + quote_dot(tooltip_of(*edge.gradient));
  }

  /// A flat edge inside a frame cannot carry a label; the parameter's table shows its number.
  std::string label_of(const ViewEdge& edge, const std::string& label, const char* color) const {
    if (label.empty() || beside_[static_cast<std::size_t>(edge.from)] >= 0) return {};
    std::string out = ", label=" + quote_dot(" " + label + " ");
    if (*color != '\0') out += std::string(", fontcolor=\"") + color + "\"";
    return out;
  }

  std::string output_text(const ViewEdge& edge) const {
    std::string text;
    const ViewNode& from = view_.nodes[static_cast<std::size_t>(edge.from)];
    if (from.outputs.size() > 1) text = "out " + std::to_string(edge.output) + "  ";
    if (edge.merged > 1) text += "×" + std::to_string(edge.merged) + "  ";
    return text;
  }

  static std::string tooltip_of(const TensorStatistics& s) {
    return "gradient: RMS " + format_number(s.rms(), 4) + ", L2 " + format_number(s.l2, 4) +
           ", max " + format_number(s.max, 4) + ", zero " + detail::percent_text(s.zero_share()) +
           ", not finite " + std::to_string(s.non_finite);
  }

  const GraphView& view_;
  std::vector<char> on_path_;              ///< by node: on the longest path to the root
  std::vector<std::string> ids_, frames_;  ///< of nodes and clusters, as DOT knows them
  std::vector<int> beside_;  ///< by node: the op that a parameter stands beside, or −1
  std::string out_;
};

}  // namespace

std::string to_dot(const GraphView& view) { return DotWriter(view).write(); }

}  // namespace wengert
