#pragma once

#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/export/graph_view.h"

namespace wengert {

/// A view in the DOT language of Graphviz, laid out top to bottom: frames for scopes, parameters
/// beside their op, the longest path straight down, findings, notes and legend in the title.
/// Gradients are coloured and sized by log₁₀(RMS / RMS at the loss): blue vanishing, grey healthy,
/// orange exploding, dashed grey none, magenta NaN or infinity; the RMS is printed beside them.
/// The same view gives the same bytes.
WENGERT_API std::string to_dot(const GraphView& view);

}  // namespace wengert
