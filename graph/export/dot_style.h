#pragma once

#include <string>

#include "wengert/graph/export/graph_view.h"

// How things look in DOT. Private to the library.
namespace wengert::detail {

inline constexpr char kForwardColor[] = "#424242";
inline constexpr char kNoGradientColor[] = "#9e9e9e";
inline constexpr char kNonFiniteColor[] = "#d5007f";

/// One step of the colour scale of gradients.
struct GradientColor {
  double decades;  ///< log₁₀(RMS / RMS at the loss) up to which it reaches
  const char* line;
  const char* text;  ///< dark enough to read on white
};

/// The colour for a gradient: blue far below the reference, grey near it, orange far above.
const GradientColor& color_of(double rms, double reference);
/// Line width for a gradient.
double width_of(double rms, double reference);

/// The label of a node, as an HTML-like table with its angle brackets.
std::string node_label(const GraphView& view, const ViewNode& node);
/// All that is known of a node, line by line.
std::string node_tooltip(const ViewNode& node);
/// Title, findings, notes and legend as one table.
std::string title_label(const GraphView& view);

}  // namespace wengert::detail
