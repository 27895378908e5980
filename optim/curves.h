#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/training/hook.h"

namespace wengert::optim {

/// A line of a chart. A point whose y is NaN, infinite or beyond ±1e300 is left out, and the line
/// has a gap there.
struct Curve {
  std::string name;  ///< for the legend
  std::vector<double> x, y;
};

/// A pair of axes with its curves.
struct Panel {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Curve> curves;
};

/// A self-contained SVG picture of the panels side by side: axes with round numbers, grid, legend;
/// colours that colour-blind people tell apart (Okabe and Ito 2008), and dashes for print in grey.
/// Text is escaped; the same input gives the same bytes. Throws Error(kShape) when a curve's x and
/// y differ in length.
WENGERT_API std::string line_chart(const std::string& title, const std::vector<Panel>& panels,
                                   std::source_location where = std::source_location::current());

/// Loss and each metric by epoch, for training and, where it was measured, validation.
WENGERT_API std::string learning_curves(const std::string& title,
                                        const std::vector<EpochRecord>& history);

}  // namespace wengert::optim
