#include "wengert/graph/export/dot_style.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"

namespace wengert::detail {
namespace {

// ColorBrewer-like blues and oranges: told apart by readers with any colour vision.
constexpr std::array<GradientColor, 7> kScale = {{
    {-7, "#08306b", "#08306b"},
    {-5, "#2171b5", "#2171b5"},
    {-3, "#6baed6", "#3182bd"},
    {1, "#737373", "#616161"},
    {3, "#fd8d3c", "#d9680a"},
    {5, "#d94801", "#d94801"},
    {std::numeric_limits<double>::infinity(), "#7f2704", "#7f2704"},
}};

constexpr std::size_t kNameCharacters = 40, kValueCharacters = 28, kTitleColumns = 96;
constexpr std::size_t kListedFindings = 4, kListedNotes = 12;

double decades(double rms, double reference) {
  if (!(reference > 0)) reference = 1;
  if (!(rms > 0)) return -std::numeric_limits<double>::infinity();
  return std::log10(rms) - std::log10(reference);
}

/// Rows of a label under construction.
class Table {
 public:
  Table(const char* border_color, const char* background, int border) {
    text_ = "<<table border=\"" + std::to_string(border) + "\" color=\"" + border_color +
            "\" bgcolor=\"" + background +
            "\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"2\" style=\"rounded\">";
  }
  void heading(std::string_view words, int size = 11) {
    text_ += "<tr><td colspan=\"2\"><font point-size=\"" + std::to_string(size) + "\"><b>" +
             escape_label(shorten(words, kNameCharacters)) + "</b></font></td></tr>";
  }
  void wide(std::string_view words, const char* color = "#000000") {
    text_ += "<tr><td colspan=\"2\" align=\"left\">" + small(words, color) + "</td></tr>";
  }
  void row(std::string_view name, std::string_view value, const char* color = "#000000") {
    text_ += "<tr><td align=\"left\">" + small(name, color) + "</td><td align=\"right\">" +
             small(shorten(value, kValueCharacters), color) + "</td></tr>";
  }
  std::string finish() { return std::move(text_) + "</table>>"; }

 private:
  static std::string small(std::string_view words, const char* color) {
    std::string out = "<font point-size=\"9\" color=\"" + std::string(color) + "\">";
    return out + escape_label(words) + "</font>";
  }
  std::string text_;
};

const char* background_of(const ViewNode& node) {
  if (node.non_finite_origin) return "#fce0f0";
  if (node.root) return "#fce4ec";
  switch (node.kind) {
    case ViewNode::Kind::kParameter:
      return "#e3f2fd";
    case ViewNode::Kind::kCollapsed:
      return "#ede7f6";
    case ViewNode::Kind::kOp:
      return node.elementwise ? "#e8f5e9" : "#fff8e1";
    default:
      return "#ffffff";
  }
}

/// The name without what the frame around the node says already.
std::string_view local_name(const ViewNode& node) {
  std::string_view name = node.name;
  if (!node.scope.empty() && name.size() > node.scope.size() + 1 && name.starts_with(node.scope) &&
      name[node.scope.size()] == '/') {
    name.remove_prefix(node.scope.size() + 1);
  }
  return name;
}

void add_heading(Table& table, const ViewNode& node) {
  const std::string_view name = local_name(node);
  if (node.kind == ViewNode::Kind::kCollapsed) {
    table.heading(name);
    table.wide(std::to_string(node.nodes) + " nodes");
    for (std::size_t i = 0; i < node.contents.size() && i < 6; ++i) {
      table.row(node.contents[i].first, "×" + std::to_string(node.contents[i].second));
    }
    if (node.contents.size() > 6) {
      table.wide("and " + std::to_string(node.contents.size() - 6) + " more ops");
    }
    return;
  }
  if (node.kind == ViewNode::Kind::kParameter) {
    table.heading(name);
    if (!node.requires_grad) table.wide("frozen");
    return;
  }
  table.heading(name.empty() ? std::string_view(node.op) : name);
  if (!name.empty()) table.wide(node.op);
  if (!node.source.empty()) table.wide(shorten(node.source, kNameCharacters), "#757575");
}

void add_shapes(Table& table, const ViewNode& node) {
  for (std::size_t k = 0; k < node.outputs.size(); ++k) {
    const auto& output = node.outputs[k];
    std::string dtype(short_name(output.dtype));
    if (node.outputs.size() > 1) dtype = std::to_string(k) + ": " + dtype;
    table.row(dtype, output.shape.empty() ? "scalar" : output.shape.str());
  }
}

void add_attributes(Table& table, const ViewNode& node) {
  for (const auto& [name, value] : node.attributes) table.row(name, value);
  for (const std::string& constant : node.constants) table.wide(shorten(constant, kNameCharacters));
  if (node.saved.empty()) return;
  std::string what;
  std::int64_t bytes = 0;
  for (const auto& saved : node.saved) {
    what += (what.empty() ? "" : ", ") + saved.what;
    bytes += saved.bytes;
  }
  if (node.saved.size() > 1) what = std::to_string(node.saved.size()) + " values";
  table.row("saves", what + ": " + bytes_text(bytes));
}

/// "rows 3 of f32[1000,64]"
std::string rows_text(const ViewNode& node) {
  const ViewNode::Output& whole = node.outputs.front();
  return "rows " + std::to_string(*node.gradient_rows) + " of " +
         to_string(whole.dtype, whole.shape);
}

void add_norms(Table& table, const ViewNode& node, const GraphView& view) {
  if (node.value) table.row("|w|", format_number(node.value->l2, 3));
  if (!view.has_gradients) return;
  if (!node.gradient) {
    if (node.requires_grad) table.row("|g|", "no grad", kNonFiniteColor);
    return;
  }
  if (node.gradient_rows) table.row("grad", rows_text(node));
  if (node.gradient->non_finite > 0) return;  // add_health says so; norms of the rest mislead
  const char* color = color_of(node.gradient->rms(), view.parameter_reference_rms).text;
  table.row("|g|", scientific_text(node.gradient->l2), color);
  table.row("rms g", scientific_text(node.gradient->rms()), color);
  if (node.value && node.value->l2 > 0) {
    table.row("|g|/|w|", scientific_text(node.gradient->l2 / node.value->l2), color);
  }
}

void add_health(Table& table, const ViewNode& node) {
  if (node.value && node.kind == ViewNode::Kind::kOp && node.value->count > 1 &&
      node.value->zeros > 0) {
    table.row("zero", percent_text(node.value->zero_share()));
  }
  if (node.cancellation && *node.cancellation < 0.5) {
    table.row("cancels to", percent_text(*node.cancellation));
  }
  const auto report = [&](const char* what, const std::optional<TensorStatistics>& measured) {
    if (!measured || measured->non_finite == 0) return;
    table.row(what,
              std::to_string(measured->non_finite) + " of " + std::to_string(measured->count) +
                  " not finite",
              kNonFiniteColor);
  };
  report("value", node.value);
  report("grad", node.gradient);
  if (node.non_finite_origin) table.wide("↑ it begins here", kNonFiniteColor);
}

std::string legend_cells() {
  std::string cells;
  for (std::size_t i = 0; i < kScale.size(); ++i) {
    const bool last = i + 1 == kScale.size();
    const int exponent = static_cast<int>(kScale[last ? i - 1 : i].decades);
    const std::string words = (last     ? "> 1e"
                               : i == 0 ? "≤ 1e"
                                        : "to 1e") +
                              std::to_string(exponent) + " ×";
    cells += "<td bgcolor=\"" + std::string(kScale[i].line) +
             "\"><font color=\"#ffffff\" point-size=\"9\">" + escape_label(words) + "</font></td>";
  }
  cells += "<td bgcolor=\"" + std::string(kNonFiniteColor) +
           "\"><font color=\"#ffffff\" point-size=\"9\">NaN, Inf</font></td>";
  return cells + "<td><font color=\"#757575\" point-size=\"9\">- - no grad</font></td>";
}

}  // namespace

const GradientColor& color_of(double rms, double reference) {
  const double d = decades(rms, reference);
  return *std::find_if(kScale.begin(), kScale.end() - 1,
                       [&](const GradientColor& step) { return d <= step.decades; });
}

double width_of(double rms, double reference) {
  return std::clamp(0.8 + 0.3 * (decades(rms, reference) + 7), 0.8, 4.0);
}

std::string node_label(const GraphView& view, const ViewNode& node) {
  const bool bad = node.non_finite_origin || node.non_finite();
  Table table(bad ? kNonFiniteColor : "#616161", background_of(node),
              node.non_finite_origin ? 3 : 1);
  add_heading(table, node);
  add_shapes(table, node);
  add_attributes(table, node);
  if (node.kind == ViewNode::Kind::kParameter || node.kind == ViewNode::Kind::kCollapsed) {
    add_norms(table, node, view);
  }
  add_health(table, node);
  for (const std::string& note : node.notes) table.wide(wrap(note, kNameCharacters), "#6a1b9a");
  return table.finish();
}

std::string node_tooltip(const ViewNode& node) {
  std::string text = node.id;
  if (!node.name.empty()) text += "\n" + node.name;
  if (!node.source.empty()) text += "\n" + node.source;
  for (const auto& saved : node.saved)
    text += "\nsaves " + saved.what + ": " + bytes_text(saved.bytes);
  const auto add = [&](const char* what, const std::optional<TensorStatistics>& s) {
    if (!s) return;
    text += std::string("\n") + what + ": RMS " + format_number(s->rms(), 4) + ", L2 " +
            format_number(s->l2, 4) + ", max " + format_number(s->max, 4) + ", zero " +
            percent_text(s->zero_share()) + ", not finite " + std::to_string(s->non_finite);
  };
  add("value", node.value);
  if (node.gradient_rows) text += "\ngradient: " + rows_text(node);
  add("gradient", node.gradient);
  if (node.cancellation) text += "\ncancellation ratio " + format_number(*node.cancellation, 3);
  return text;
}

std::string title_label(const GraphView& view) {
  std::string out = "<<table border=\"0\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"1\">";
  const auto line = [&](const std::string& markup) { out += "<tr><td>" + markup + "</td></tr>"; };
  const auto wrapped = [](std::string_view words) {
    return escape_label(wrap(words, kTitleColumns));
  };
  if (!view.title.empty()) {
    line("<b><font point-size=\"14\">" + wrapped(view.title) + "</font></b>");
  }
  if (view.findings.empty() && view.direction != GraphDirection::kForward) {
    line("<b>" + escape_label(view.verdict()) + "</b>");
  }
  for (std::size_t i = 0; i < view.findings.size() && i < kListedFindings; ++i) {
    const Finding& finding = view.findings[i];
    const char* color = finding.kind == Finding::Kind::kVanishing   ? "#08306b"
                        : finding.kind == Finding::Kind::kExploding ? "#7f2704"
                                                                    : kNonFiniteColor;
    std::string kind(name_of(finding.kind));
    for (char& c : kind) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    line("<font color=\"" + std::string(color) + "\"><b>" + kind +
         "</b>: " + wrapped(finding.what) + "</font>");
    line("<font point-size=\"10\">" + wrapped(finding.fix) + "</font>");
  }
  if (view.findings.size() > kListedFindings) {
    line("and " + std::to_string(view.findings.size() - kListedFindings) + " more findings");
  }
  for (std::size_t i = 0; i < view.notes.size() && i < kListedNotes; ++i) {
    line("<font point-size=\"10\" color=\"#6a1b9a\">" +
         wrapped(view.notes[i].first + ": " + view.notes[i].second) + "</font>");
  }
  if (view.notes.size() > kListedNotes) {
    line("and " + std::to_string(view.notes.size() - kListedNotes) + " more notes");
  }
  if (view.has_gradients && view.direction != GraphDirection::kForward) {
    std::string scale = "gradient RMS along each edge; colour: as a multiple of ";
    scale += view.reference_rms > 0
                 ? "what the loss sends back, " + scientific_text(view.reference_rms)
                 : "1";
    if (view.parameter_reference_rms > 0) {
      scale +=
          "; of parameters: of the last layers' " + scientific_text(view.parameter_reference_rms);
    }
    line("<font point-size=\"9\">" + escape_label(scale) + "</font>");
    const bool both = view.direction == GraphDirection::kBoth;
    line("<font point-size=\"9\">" +
         escape_label(std::string(both ? "dark lines: values, forward; " : "") +
                      "|w|, |g|: norms of a parameter and of its gradient") +
         "</font>");
    line("<table border=\"0\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"3\"><tr>" +
         legend_cells() + "</tr></table>");
  }
  return out + "</table>>";
}

}  // namespace wengert::detail
