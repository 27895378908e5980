#include "wengert/plot/figure.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/plot/canvas.h"
#include "wengert/plot/panel.h"

namespace wengert::plot {
namespace {

constexpr double kHeader = 28, kHeaderRow = 22, kHeaderSize = 17;  // pixels
constexpr double kCaptionRow = 17, kCaptionSize = 12.5;
constexpr std::int64_t kMostCells = 1'000'000;

[[noreturn]] void fail(ErrorKind kind, const std::string& what, const std::string& fix) {
  throw Error(kind, "to_svg", what, fix);
}

std::string named(const char* kind, const std::string& name) {
  return std::string("the ") + kind + " " + (name.empty() ? "without a name" : name);
}

void same_length(const std::string& who, std::size_t a, const char* of_a, std::size_t b,
                 const char* of_b) {
  if (a == b) return;
  fail(ErrorKind::kShape,
       who + " has " + std::to_string(a) + " " + of_a + " for " + std::to_string(b) + " " + of_b,
       "give each point both");
}

void check_colour(const std::string& who, int colour) {
  if (colour >= kNextColour) return;
  fail(ErrorKind::kValue, who + " has the colour " + std::to_string(colour),
       "number colours from 0, or leave it out");
}

void check_end(const std::optional<double>& end, const char* which, Scale scale,
               const std::string& who) {
  if (!end || has_place(*end, scale)) return;
  fail(ErrorKind::kValue, who + " has the " + which + " end " + format_number(*end),
       scale == Scale::kLog ? "a logarithmic axis has finite positive ends"
                            : "give a finite end within 1e300, or leave it to the data");
}

void check_ends(const std::optional<double>& low, const std::optional<double>& high, Scale scale,
                const std::string& who) {
  check_end(low, "low", scale, who);
  check_end(high, "high", scale, who);
  if (!low || !high) return;
  if (*high - *low > 1e-12 * std::max(std::fabs(*low), std::fabs(*high))) return;
  fail(ErrorKind::kValue, who + " goes from " + format_number(*low) + " to " + format_number(*high),
       "give the lower end first, and room between them");
}

void check_axis(const Axis& axis, const std::string& who) {
  check_ends(axis.low, axis.high, axis.scale, who);
  if (axis.names.empty() || axis.scale == Scale::kLinear) return;
  fail(ErrorKind::kValue, who + " has names and a logarithmic scale",
       "names stand at 0, 1, …: use Scale::kLinear");
}

void check_grid(const Grid& grid, const Panel& panel, std::int64_t least, const char* who) {
  if (grid.rows < least || grid.columns < least) {
    fail(ErrorKind::kShape,
         std::string("the ") + who + " has " + std::to_string(grid.rows) + " rows and " +
             std::to_string(grid.columns) + " columns",
         "give " + std::to_string(least) + " of each at least");
  }
  if (grid.rows > kMostCells / grid.columns) {
    fail(ErrorKind::kValue, std::string("the ") + who + " has more than a million cells",
         "take means over some of them");
  }
  const auto cells = static_cast<std::size_t>(grid.rows * grid.columns);
  same_length(std::string("the ") + who, grid.values.size(), "values", cells, "cells");
  check_ends(grid.x_low, grid.x_high, panel.x.scale, std::string("x of the ") + who);
  check_ends(grid.y_low, grid.y_high, panel.y.scale, std::string("y of the ") + who);
}

void check_lines(const Panel& panel) {
  for (const Curve& curve : panel.curves) {
    const std::string who = named("curve", curve.name);
    same_length(who, curve.x.size(), "x", curve.y.size(), "y");
    check_colour(who, curve.colour);
  }
  for (const Band& band : panel.bands) {
    const std::string who = named("band", band.name);
    same_length(who, band.x.size(), "x", band.low.size(), "low ends");
    same_length(who, band.x.size(), "x", band.high.size(), "high ends");
    check_colour(who, band.colour);
    if (band.opacity >= 0 && band.opacity <= 1) continue;
    fail(ErrorKind::kValue, who + " has the opacity " + format_number(band.opacity), "give 0 to 1");
  }
  if (!panel.bars.empty() && panel.x.scale == Scale::kLog) {
    fail(ErrorKind::kValue, "the bars of '" + panel.title + "' have a logarithmic x axis",
         "bars stand at 0, 1, …: use Scale::kLinear");
  }
  for (const Bars& bars : panel.bars) {
    const std::string who = named("bars", bars.name);
    same_length(who, bars.low.size(), "low ends", bars.high.size(), "high ends");
    if (!bars.low.empty()) {
      same_length(who, bars.heights.size(), "heights", bars.low.size(), "low ends");
    }
    check_colour(who, bars.colour);
  }
}

void check(const Figure& figure) {
  if (figure.panels.empty()) {
    fail(ErrorKind::kValue, "the figure has no panels", "give it one at least");
  }
  if (figure.columns < 0) {
    fail(ErrorKind::kValue, std::to_string(figure.columns) + " panels in a row",
         "give 1 or more, or 0 for all of them");
  }
  for (const double size : {figure.plot_width, figure.plot_height}) {
    if (size >= 60 && size <= 4000) continue;
    fail(ErrorKind::kValue, "a plot of " + format_number(size) + " pixels", "give 60 to 4000");
  }
  for (const Panel& panel : figure.panels) {
    check_axis(panel.x, "the x axis of '" + panel.title + "'");
    check_axis(panel.y, "the y axis of '" + panel.title + "'");
    check_lines(panel);
    if (panel.contours) check_grid(panel.contours->grid, panel, 2, "contours");
    if (!panel.heat_map) continue;
    check_grid(panel.heat_map->grid, panel, 1, "heat map");
    check_ends(panel.heat_map->low, panel.heat_map->high, panel.heat_map->scale,
               "the colours of the heat map");
  }
}

/// The panels of a row and the room that they share.
struct Row {
  std::size_t begin = 0, end = 0;
  double top = 0, bottom = 0;
};

}  // namespace

std::string to_svg(const Figure& figure, std::source_location where) {
  const detail::CallSite site(where);
  check(figure);
  std::vector<PanelDrawing> drawings;
  double left = 0, right = 0;
  for (const Panel& panel : figure.panels) {
    drawings.emplace_back(panel, figure.plot_width, figure.plot_height, drawings.size());
    left = std::max(left, drawings.back().left());
    right = std::max(right, drawings.back().right());
  }
  const std::size_t columns =
      figure.columns == 0 ? drawings.size()
                          : std::min(static_cast<std::size_t>(figure.columns), drawings.size());
  const double panel_width = left + figure.plot_width + right;
  const double width = panel_width * static_cast<double>(columns);

  Canvas canvas;
  double y = 26;
  for (const std::string& line : fitted_lines(figure.title, width - 30, kHeaderSize * 1.05, 4)) {
    canvas.text(width / 2, y, "middle", line, "font-size=\"17\" font-weight=\"bold\"");
    y += kHeaderRow;
  }
  y = std::max(kHeader, y - kHeaderRow + 2);
  for (std::size_t begin = 0; begin < drawings.size(); begin += columns) {
    Row row{begin, std::min(begin + columns, drawings.size())};
    for (std::size_t i = row.begin; i < row.end; ++i) {
      row.top = std::max(row.top, drawings[i].top());
      row.bottom = std::max(row.bottom, drawings[i].bottom());
    }
    for (std::size_t i = row.begin; i < row.end; ++i) {
      const double x = panel_width * static_cast<double>(i - row.begin) + left;
      drawings[i].draw(canvas, x, y + row.top, left, row.top);
    }
    y += row.top + figure.plot_height + row.bottom;
  }
  const auto caption = fitted_lines(figure.caption, width - 60, kCaptionSize, 12);
  if (!caption.empty()) y += 10;
  for (const std::string& line : caption) {
    canvas.text(30, y, "start", line, "font-size=\"12.5\" fill=\"#333333\"");
    y += kCaptionRow;
  }
  return canvas.file(width, y, figure.title);
}

}  // namespace wengert::plot
