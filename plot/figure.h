#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/plot/colours.h"

// What a picture of numbers shows. All members have defaults: name those that matter.
//
//   plot::to_svg({.title = "Two functions",
//                 .panels = {{.title = "y by x", .x = {"x"}, .y = {"y"},
//                             .curves = {{"x²", {0, 1, 2}, {0, 1, 4}}}}}})
//
// A number has a place when it is finite and within ±1e300 and, on a logarithmic axis, positive.
// Others are gaps, and a line below the panel says how many there are.
namespace wengert::plot {

enum class Scale { kLinear, kLog };

struct Axis {
  std::string label = {};  ///< with the unit: "time (s)"
  Scale scale = Scale::kLinear;
  /// The ends. Where they are left out: those of the data, rounded outwards to a tick; beneath a
  /// heat map or contours the edges of the grid.
  std::optional<double> low = {}, high = {};
  /// What stands at 0, 1, … in the place of numbers: categories, layers.
  std::vector<std::string> names = {};
};

/// How a curve is drawn.
enum class Mark {
  kLine,    ///< a line, and points where there are at most 30 or one alone
  kPoints,  ///< points alone
  kPath,    ///< a line with a ring where it begins and a dot where it ends
};

/// A colour of the palette by its number, or this: the next one.
inline constexpr int kNextColour = -1;

struct Curve {
  std::string name = {};  ///< for the legend; empty: not in it
  std::vector<double> x = {}, y = {};
  Mark mark = Mark::kLine;
  int colour = kNextColour;
};

/// What lies between two curves, filled.
struct Band {
  std::string name = {};
  std::vector<double> x = {}, low = {}, high = {};
  int colour = kNextColour;
  double opacity = 0.3;  ///< 0 to 1
};

/// Bars at 0, 1, … from 0 (on a logarithmic axis from its low end); several stand side by side.
struct Bars {
  std::string name = {};
  std::vector<double> heights = {};
  std::vector<double> low = {}, high = {};  ///< their spread, as whiskers; or empty
  int colour = kNextColour;
};

/// Numbers on a rectangle that is cut evenly along its axes; row 0 is the lowest.
struct Grid {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values = {};  ///< row by row
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
};

/// Rows × steps as a strip: row r around y = r, step s around x = first + s. Shorter rows end in
/// gaps.
WENGERT_API Grid strip(const std::vector<std::vector<double>>& rows, double first = 0);

/// Each number of a grid as a colour, with a bar that tells which. What has no place is grey.
struct HeatMap {
  Grid grid = {};
  std::string label = {};  ///< of the colours, with their unit
  ColourMap map = ColourMap::kSequential;
  Scale scale = Scale::kLinear;
  std::optional<double> low = {}, high = {};  ///< as an axis's; numbers beyond count as its ends
};

/// Lines of equal height between the middles of a grid's cells.
struct Contours {
  Grid grid = {};
  std::vector<double> levels = {};  ///< empty: round numbers, about ten
};

/// A pair of axes and what stands in it, in this order from the ground up: heat map, bands,
/// contours, bars, curves.
struct Panel {
  std::string title = {};
  Axis x = {}, y = {};
  std::vector<Curve> curves = {};
  std::vector<Band> bands = {};
  std::vector<Bars> bars = {};
  std::optional<HeatMap> heat_map = {};
  std::optional<Contours> contours = {};
};

struct Figure {
  std::string title = {};
  std::vector<Panel> panels = {};
  std::string caption = {};                    ///< what there is to see, below the panels
  int columns = 0;                             ///< panels in a row; 0: all of them
  double plot_width = 380, plot_height = 260;  ///< of a panel's inside, in pixels
};

/// A self-contained SVG picture, "width", "height" and text in pixels: titles, axes, grid, legends.
/// Text is escaped, wrapped and, where there is no room, shortened. The same figure gives the same
/// bytes, whatever the locale. Throws Error(kShape) where lists of one curve, band, bars or grid
/// differ in length, Error(kValue) on a figure without panels, on names or bars along a logarithmic
/// axis, on ends of an axis that are not finite, not in order or, on a logarithmic one, not
/// positive, on colours below −1, a grid of more than a million cells, columns below 0 and a plot
/// that is not 60 to 4000 pixels wide and high.
WENGERT_API std::string to_svg(const Figure& figure,
                               std::source_location where = std::source_location::current());

}  // namespace wengert::plot
