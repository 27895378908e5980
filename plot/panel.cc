#include "wengert/plot/panel.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"

namespace wengert::plot {
namespace {

// All in pixels.
constexpr double kLeft = 70, kRight = 20, kTop = 64, kBottom = 56;
constexpr double kTitle = 22, kTitleRow = 18, kTitleSize = 14;
constexpr double kLegendRow = 18, kLegendGap = 18, kLegendSample = 24;
constexpr double kNote = 16;
constexpr double kColourBar = 14;
constexpr double kTilt = 35 * 3.14159265358979 / 180;
constexpr std::size_t kLongestName = 24;

std::string joined(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

double widest(const std::vector<PlacedAxis::Tick>& ticks) {
  double width = 0;
  for (const PlacedAxis::Tick& tick : ticks) {
    width = std::max(width, text_width(detail::shorten(tick.label, kLongestName)));
  }
  return width;
}

}  // namespace

PanelDrawing::PanelDrawing(const Panel& panel, double width, double height, std::size_t number)
    : panel_(panel), width_(width), height_(height), number_(number) {
  measure();
  make_legend();
}

bool PanelDrawing::sees(double x, double y) {
  if (shown(x, y)) return true;
  ++(has_place(x, Scale::kLinear) && has_place(y, Scale::kLinear) ? not_positive_ : not_finite_);
  return false;
}

void PanelDrawing::measure() {
  Extent x, y;
  for (const Curve& curve : panel_.curves) {
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!sees(curve.x[i], curve.y[i])) continue;
      x.add(curve.x[i]);
      y.add(curve.y[i]);
    }
  }
  for (const Band& band : panel_.bands) {
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      if (!shown(band.x[i], band.low[i]) || !sees(band.x[i], band.high[i])) continue;
      x.add(band.x[i]);
      y.add(band.low[i]);
      y.add(band.high[i]);
    }
  }
  for (const Bars& bars : panel_.bars) {
    if (panel_.y.scale == Scale::kLinear && !bars.heights.empty()) y.add(0);
    for (std::size_t i = 0; i < bars.heights.size(); ++i) {
      const auto place = static_cast<double>(i);
      x.add(place - 0.5);
      x.add(place + 0.5);
      if (sees(1, bars.heights[i])) y.add(bars.heights[i]);
      if (bars.low.empty() || !has_place(bars.low[i], panel_.y.scale)) continue;
      if (!has_place(bars.high[i], panel_.y.scale)) continue;
      y.add(bars.low[i]);
      y.add(bars.high[i]);
    }
  }
  const bool over_grid = panel_.heat_map || panel_.contours;
  empty_ = x.empty() && !over_grid;
  if (over_grid) x = y = Extent();
  if (panel_.heat_map) measure_grid(panel_.heat_map->grid, x, y);
  if (panel_.contours) measure_grid(panel_.contours->grid, x, y);
  if (y.empty() || !panel_.bars.empty()) x.whole = false;
  y.whole = false;
  const Ends ends = over_grid ? Ends::kExact : Ends::kRounded;
  x_ = place_axis(panel_.x, x, panel_.bars.empty() ? ends : Ends::kExact,
                  static_cast<int>(width_ / (panel_.x.names.empty() ? 55 : 15)));
  y_ =
      place_axis(panel_.y, y, ends, static_cast<int>(height_ / (panel_.y.names.empty() ? 24 : 13)));
  clipped_ = over_grid || panel_.x.low || panel_.x.high || panel_.y.low || panel_.y.high ||
             !panel_.x.names.empty() || !panel_.y.names.empty();
  if (panel_.heat_map) measure_colours();
}

void PanelDrawing::measure_grid(const Grid& grid, Extent& x, Extent& y) {
  x.add(grid.x_low);
  x.add(grid.x_high);
  y.add(grid.y_low);
  y.add(grid.y_high);
}

void PanelDrawing::measure_colours() {
  const HeatMap& map = *panel_.heat_map;
  Extent values;
  for (const double value : map.grid.values) {
    if (has_place(value, map.scale)) {
      values.add(value);
    } else {
      ++(has_place(value, Scale::kLinear) ? cells_not_positive_ : cells_not_finite_);
    }
  }
  values.whole = false;
  colours_ = place_axis({.scale = map.scale, .low = map.low, .high = map.high}, values,
                        Ends::kExact, static_cast<int>(height_ / 24));
}

void PanelDrawing::make_legend() {
  using Kind = LegendEntry::Kind;
  std::vector<LegendEntry> all;
  for (std::size_t i = 0; i < panel_.bands.size(); ++i) {
    const Band& band = panel_.bands[i];
    all.push_back({Kind::kFilled, colour_of(band.colour, i), band.name});
  }
  for (std::size_t i = 0; i < panel_.bars.size(); ++i) {
    const Bars& bars = panel_.bars[i];
    all.push_back({Kind::kFilled, colour_of(bars.colour, i), bars.name});
  }
  for (std::size_t i = 0; i < panel_.curves.size(); ++i) {
    const Curve& curve = panel_.curves[i];
    const Kind kind = curve.mark == Mark::kPoints ? Kind::kPoints : Kind::kCurve;
    all.push_back({kind, colour_of(curve.colour, i), curve.name});
  }
  const std::size_t most = letters_in(width_ - kLegendSample - 6);
  double x = 0;
  int row = 0;
  for (LegendEntry& entry : all) {
    if (entry.name.empty()) continue;
    entry.name = detail::shorten(entry.name, most);
    const double width = kLegendSample + 6 + text_width(entry.name);
    if (x > 0 && x + width > width_) {
      x = 0;
      ++row;
    }
    entry.x = x;
    entry.row = row;
    legend_.push_back(std::move(entry));
    x += width + kLegendGap;
  }
}

std::string PanelDrawing::note() const {
  std::string text;
  const auto add = [&](std::size_t count, const char* one, const char* many) {
    if (count > 0) text += (text.empty() ? "" : "; ") + joined(count, one, many);
  };
  add(not_finite_, "value is not finite: a gap", "values are not finite: gaps");
  add(not_positive_, "value is not positive: a gap", "values are not positive: gaps");
  add(cells_not_finite_, "cell is not finite: grey", "cells are not finite: grey");
  add(cells_not_positive_, "cell is not positive: grey", "cells are not positive: grey");
  return text;
}

std::vector<std::string> PanelDrawing::title_lines() const {
  return fitted_lines(panel_.title, width_ + 2 * kRight, kTitleSize, 3);
}

// Of names below the plot, where they have to be tilted; else 0.
double PanelDrawing::name_width() const {
  if (panel_.x.names.empty() || x_.ticks.empty()) return 0;
  const double room = width_ / static_cast<double>(x_.ticks.size());
  const double width = widest(x_.ticks);
  return width + 6 > room ? width : 0;
}

double PanelDrawing::left() const { return std::max(kLeft, widest(y_.ticks) + 9 + 26); }

double PanelDrawing::right() const {
  if (!panel_.heat_map) return kRight;
  return kRight + kColourBar + 9 + widest(colours_.ticks) +
         (panel_.heat_map->label.empty() ? 8 : 28);
}

double PanelDrawing::top() const {
  const auto lines = static_cast<double>(std::max<std::size_t>(title_lines().size(), 1));
  const int rows = legend_.empty() ? 0 : legend_.back().row;
  return kTop + kTitleRow * (lines - 1) + kLegendRow * rows;
}

double PanelDrawing::bottom() const {
  const double tilted = std::max(0.0, name_width() * std::sin(kTilt) - 4);
  return kBottom + tilted + (note().empty() ? 0 : kNote);
}

void PanelDrawing::draw(Canvas& canvas, double x, double y, double left, double top) {
  left_ = x;
  top_ = y;
  draw_title(canvas, y - top);
  if (!panel_.heat_map) draw_grid(canvas);
  if (clipped_) {
    canvas.open_clip("plot" + std::to_string(number_), left_, top_, width_, height_);
  }
  if (panel_.heat_map) draw_heat_map(canvas);
  for (std::size_t i = 0; i < panel_.bands.size(); ++i) {
    draw_band(canvas, panel_.bands[i], colour_of(panel_.bands[i].colour, i));
  }
  if (panel_.contours) draw_contours(canvas);
  for (std::size_t i = 0; i < panel_.bars.size(); ++i) draw_bars(canvas, i);
  for (std::size_t i = 0; i < panel_.curves.size(); ++i) {
    draw_curve(canvas, panel_.curves[i], colour_of(panel_.curves[i].colour, i));
  }
  if (clipped_) canvas.close_clip();
  draw_axes(canvas, left);
  draw_legend(canvas);
  if (panel_.heat_map) draw_colour_bar(canvas);
  if (empty_) canvas.text(left_ + width_ / 2, top_ + height_ / 2, "middle", "no data");
}

void PanelDrawing::draw_title(Canvas& canvas, double top) const {
  double y = top + kTitle;
  for (const std::string& line : title_lines()) {
    canvas.text(left_ + width_ / 2, y, "middle", line, "font-size=\"14\"");
    y += kTitleRow;
  }
}

void PanelDrawing::draw_grid(Canvas& canvas) const {
  const double bottom = top_ + height_, right = left_ + width_;
  const auto across = [&](double value, const char* style) {
    canvas.line(left_, place_y(value), right, place_y(value), style);
  };
  const auto down = [&](double value, const char* style) {
    canvas.line(place_x(value), top_, place_x(value), bottom, style);
  };
  for (const double value : x_.lines) down(value, "stroke=\"#eeeeee\"");
  for (const double value : y_.lines) across(value, "stroke=\"#eeeeee\"");
  if (panel_.x.names.empty()) {
    for (const PlacedAxis::Tick& tick : x_.ticks) down(tick.value, "stroke=\"#dddddd\"");
  }
  if (panel_.y.names.empty()) {
    for (const PlacedAxis::Tick& tick : y_.ticks) across(tick.value, "stroke=\"#dddddd\"");
  }
}

void PanelDrawing::draw_axes(Canvas& canvas, double left) const {
  constexpr const char* kAxis = "stroke=\"#444444\"";
  const double bottom = top_ + height_, right = left_ + width_;
  const double tilted = name_width();
  for (const PlacedAxis::Tick& tick : x_.ticks) {
    const double x = place_x(tick.value);
    canvas.line(x, bottom, x, bottom + 5, kAxis);
    const std::string label = detail::shorten(tick.label, kLongestName);
    if (tilted > 0) {
      const std::string turn = "transform=\"rotate(-35 " + Canvas::number(x + 4) + " " +
                               Canvas::number(bottom + 15) + ")\"";
      canvas.text(x + 4, bottom + 15, "end", label, turn);
    } else {
      canvas.text(x, bottom + 19, "middle", label);
    }
  }
  for (const PlacedAxis::Tick& tick : y_.ticks) {
    const double y = place_y(tick.value);
    canvas.line(left_ - 5, y, left_, y, kAxis);
    canvas.text(left_ - 9, y + 4, "end", detail::shorten(tick.label, kLongestName));
  }
  canvas.line(left_, top_, left_, bottom, kAxis);
  canvas.line(left_, bottom, right, bottom, kAxis);
  double below = bottom + 42 + std::max(0.0, tilted * std::sin(kTilt) - 4);
  canvas.text(left_ + width_ / 2, below, "middle",
              detail::shorten(panel_.x.label, letters_in(width_ + 40)));
  const double x = left_ - left + 16, y = top_ + height_ / 2;
  canvas.text(x, y, "middle", detail::shorten(panel_.y.label, letters_in(height_ + 40)),
              "transform=\"rotate(-90 " + Canvas::number(x) + " " + Canvas::number(y) + ")\"");
  if (note().empty()) return;
  canvas.text(left_ + width_ / 2, below + kNote, "middle", note(),
              "font-size=\"10.5\" fill=\"#555555\"");
}

}  // namespace wengert::plot
