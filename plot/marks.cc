#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "wengert/graph/export/escape.h"
#include "wengert/plot/contour.h"
#include "wengert/plot/panel.h"

// What stands inside a panel, and the legend and colour bar that explain it.
namespace wengert::plot {
namespace {

constexpr double kLegend = 20, kLegendRow = 18, kLegendSample = 24;
constexpr double kColourBar = 14;
constexpr int kShades = 64;  // of a colour bar; cells of one shade are one path

std::string quoted_colour(int colour) { return "\"" + std::string(palette_colour(colour)) + "\""; }

std::string stroke(int colour, bool dashed = true) {
  constexpr const char* kDashes[] = {"", "7 3", "2 3", "9 3 2 3"};
  const char* dash = kDashes[static_cast<std::size_t>(colour) % std::size(kDashes)];
  return "fill=\"none\" stroke=" + quoted_colour(colour) +
         " stroke-width=\"2\" stroke-linejoin=\"round\"" +
         (dashed && *dash != '\0' ? std::string(" stroke-dasharray=\"") + dash + "\"" : "");
}

std::string point(double x, double y) { return Canvas::number(x) + " " + Canvas::number(y); }

std::string box(double x, double y, double width, double height) {
  return "M" + point(x, y) + "h" + Canvas::number(width) + "v" + Canvas::number(height) + "h" +
         Canvas::number(-width) + "z";
}

}  // namespace

Grid strip(const std::vector<std::vector<double>>& rows, double first) {
  std::size_t columns = 0;
  for (const std::vector<double>& row : rows) columns = std::max(columns, row.size());
  Grid grid{.rows = static_cast<std::int64_t>(rows.size()),
            .columns = static_cast<std::int64_t>(columns),
            .x_low = first - 0.5,
            .x_high = first + static_cast<double>(columns) - 0.5,
            .y_low = -0.5,
            .y_high = static_cast<double>(rows.size()) - 0.5};
  for (const std::vector<double>& row : rows) {
    grid.values.insert(grid.values.end(), row.begin(), row.end());
    grid.values.insert(grid.values.end(), columns - row.size(), std::nan(""));
  }
  return grid;
}

void PanelDrawing::draw_legend(Canvas& canvas) const {
  const int last = legend_.empty() ? 0 : legend_.back().row;
  for (const LegendEntry& entry : legend_) {
    const double x = left_ + entry.x, y = top_ - kLegend - kLegendRow * (last - entry.row);
    switch (entry.kind) {
      case LegendEntry::Kind::kCurve:
        canvas.line(x, y, x + kLegendSample, y, stroke(entry.colour));
        break;
      case LegendEntry::Kind::kPoints:
        canvas.circle(x + kLegendSample / 2, y, 3.5, "fill=" + quoted_colour(entry.colour));
        break;
      case LegendEntry::Kind::kFilled:
        canvas.rectangle(x + 5, y - 6, 14, 12,
                         "fill=" + quoted_colour(entry.colour) + " fill-opacity=\"0.6\"");
        break;
    }
    canvas.text(x + kLegendSample + 6, y + 4, "start", entry.name);
  }
}

void PanelDrawing::draw_heat_map(Canvas& canvas) const {
  const HeatMap& map = *panel_.heat_map;
  const Grid& grid = map.grid;
  const double left = place_x(grid.x_low), right = place_x(grid.x_high);
  const double low = place_y(grid.y_low), high = place_y(grid.y_high);
  const double cell = (right - left) / static_cast<double>(grid.columns);
  const double row_height = (low - high) / static_cast<double>(grid.rows);
  const auto shade = [&](std::int64_t row, std::int64_t column) {
    const double value = grid.values[static_cast<std::size_t>(row * grid.columns + column)];
    if (!has_place(value, map.scale)) return -1;
    const double share = std::clamp(colours_.fraction(value), 0.0, 1.0);
    return std::min(static_cast<int>(share * kShades), kShades - 1);
  };
  std::map<int, std::string> paths;
  for (std::int64_t row = 0; row < grid.rows; ++row) {
    const double y = low - row_height * static_cast<double>(row + 1);
    for (std::int64_t begin = 0, end = 0; begin < grid.columns; begin = end) {
      const int here = shade(row, begin);
      while (end < grid.columns && shade(row, end) == here) ++end;
      paths[here] += box(left + cell * static_cast<double>(begin), y,
                         cell * static_cast<double>(end - begin), row_height);
    }
  }
  for (const auto& [number, data] : paths) {
    const double share = number < 0 ? std::nan("") : (number + 0.5) / kShades;
    canvas.path(data, "fill=\"" + map_colour(map.map, share) + "\" shape-rendering=\"crispEdges\"");
  }
}

void PanelDrawing::draw_colour_bar(Canvas& canvas) const {
  const HeatMap& map = *panel_.heat_map;
  const double x = left_ + width_ + kColourBar, step = height_ / kShades;
  for (int i = 0; i < kShades; ++i) {
    canvas.path(
        box(x, top_ + height_ - step * (i + 1), kColourBar, step),
        "fill=\"" + map_colour(map.map, (i + 0.5) / kShades) + "\" shape-rendering=\"crispEdges\"");
  }
  double widest = 0;
  for (const PlacedAxis::Tick& tick : colours_.ticks) {
    const double y = top_ + height_ * (1 - colours_.fraction(tick.value));
    canvas.line(x + kColourBar, y, x + kColourBar + 4, y, "stroke=\"#444444\"");
    canvas.text(x + kColourBar + 8, y + 4, "start", tick.label);
    widest = std::max(widest, text_width(tick.label));
  }
  if (map.label.empty()) return;
  const double across = x + kColourBar + 8 + widest + 16, down = top_ + height_ / 2;
  canvas.text(across, down, "middle", detail::shorten(map.label, letters_in(height_ + 40)),
              "transform=\"rotate(-90 " + point(across, down) + ")\"");
}

void PanelDrawing::draw_contours(Canvas& canvas) const {
  const Grid& grid = panel_.contours->grid;
  std::vector<double> levels = panel_.contours->levels;
  if (levels.empty()) {
    Extent heights;
    for (const double value : grid.values) {
      if (has_place(value, Scale::kLinear)) heights.add(value);
    }
    if (!heights.empty()) levels = round_numbers(heights.low, heights.high, 10);
  }
  const double left = place_x(grid.x_low), right = place_x(grid.x_high);
  const double low = place_y(grid.y_low), high = place_y(grid.y_high);
  std::string data;
  for (const double level : levels) {
    for (const Segment& s : contour(grid, level)) {
      data += "M" + point(left + s.x1 * (right - left), low + s.y1 * (high - low)) + "L" +
              point(left + s.x2 * (right - left), low + s.y2 * (high - low));
    }
  }
  if (data.empty()) return;
  canvas.path(data, "fill=\"none\" stroke=\"#777777\" stroke-width=\"0.8\"");
}

void PanelDrawing::draw_band(Canvas& canvas, const Band& band, int colour) const {
  const auto here = [&](std::size_t i) {
    return i < band.x.size() && shown(band.x[i], band.low[i]) && shown(band.x[i], band.high[i]);
  };
  std::string data;
  for (std::size_t begin = 0, end = 0; begin < band.x.size(); begin = end + 1) {
    for (end = begin; here(end); ++end) {
      data += (end == begin ? "M" : "L") + point(place_x(band.x[end]), place_y(band.high[end]));
    }
    for (std::size_t i = end; i > begin; --i) {
      data += "L" + point(place_x(band.x[i - 1]), place_y(band.low[i - 1]));
    }
    if (end > begin) data += "z";
  }
  if (data.empty()) return;
  const auto opacity = [](const char* what, double value) {
    return std::string(" ") + what + "-opacity=\"" + Canvas::number(value) + "\"";
  };
  canvas.path(data, "fill=" + quoted_colour(colour) + opacity("fill", band.opacity) + " stroke=" +
                        quoted_colour(colour) + opacity("stroke", std::min(1.0, 2 * band.opacity)));
}

void PanelDrawing::draw_bars(Canvas& canvas, std::size_t index) const {
  const Bars& bars = panel_.bars[index];
  const std::string colour = quoted_colour(colour_of(bars.colour, index));
  const double share = 0.8 / static_cast<double>(panel_.bars.size());
  const Scale scale = panel_.y.scale;
  const double ground =
      scale == Scale::kLog ? y_.low : std::clamp(0.0, std::min(y_.low, y_.high), y_.high);
  for (std::size_t i = 0; i < bars.heights.size(); ++i) {
    const double from = static_cast<double>(i) - 0.4 + share * static_cast<double>(index);
    const double left = place_x(from), right = place_x(from + share);
    if (!has_place(bars.heights[i], scale)) continue;
    const double y = place_y(bars.heights[i]), base = place_y(ground);
    canvas.rectangle(left, std::min(y, base), right - left, std::fabs(base - y),
                     "fill=" + colour + " fill-opacity=\"0.6\"");
    if (bars.low.empty() || !has_place(bars.low[i], scale)) continue;
    if (!has_place(bars.high[i], scale)) continue;
    const double middle = (left + right) / 2, low = place_y(bars.low[i]);
    const double high = place_y(bars.high[i]), foot = std::min(5.0, (right - left) / 3);
    canvas.path("M" + point(middle, low) + "L" + point(middle, high) + "M" +
                    point(middle - foot, low) + "L" + point(middle + foot, low) + "M" +
                    point(middle - foot, high) + "L" + point(middle + foot, high),
                "fill=\"none\" stroke=\"#222222\" stroke-width=\"1.2\"");
  }
}

// A path for each stretch without gaps; points where there are few, or one alone.
void PanelDrawing::draw_curve(Canvas& canvas, const Curve& curve, int colour) const {
  const std::size_t count = curve.x.size();
  const auto here = [&](std::size_t i) { return i < count && shown(curve.x[i], curve.y[i]); };
  const std::string fill = "fill=" + quoted_colour(colour);
  std::string path;
  std::vector<std::size_t> points;
  for (std::size_t i = 0; i < count; ++i) {
    if (!here(i)) continue;
    const bool starts = i == 0 || !here(i - 1);
    path += (starts ? "M" : "L") + point(place_x(curve.x[i]), place_y(curve.y[i]));
    const bool alone = starts && !here(i + 1);
    if (curve.mark == Mark::kPoints || alone || (curve.mark == Mark::kLine && count <= 30)) {
      points.push_back(i);
    }
  }
  if (path.empty()) return;
  if (curve.mark != Mark::kPoints) canvas.path(path, stroke(colour, curve.mark == Mark::kLine));
  double radius = 2.5;
  if (curve.mark == Mark::kPoints) radius = count > 300 ? 1.8 : count > 30 ? 2.5 : 4;
  // On colours a white edge keeps a point of the same colour apart.
  const std::string edge =
      panel_.heat_map ? fill + " stroke=\"#ffffff\" stroke-width=\"0.8\"" : fill;
  for (const std::size_t i : points) {
    canvas.circle(place_x(curve.x[i]), place_y(curve.y[i]), radius, edge);
  }
  if (curve.mark != Mark::kPath) return;
  std::size_t first = 0, last = count - 1;
  while (!here(first)) ++first;
  while (!here(last)) --last;
  canvas.circle(place_x(curve.x[first]), place_y(curve.y[first]), 4,
                "fill=\"#ffffff\" stroke=" + quoted_colour(colour) + " stroke-width=\"2\"");
  canvas.circle(place_x(curve.x[last]), place_y(curve.y[last]), 4, fill);
}

}  // namespace wengert::plot
