#pragma once

// Private to the library.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/plot/axis.h"
#include "wengert/plot/canvas.h"
#include "wengert/plot/figure.h"

namespace wengert::plot {

/// The number of a colour, where `index` is whose turn it is.
inline int colour_of(int wanted, std::size_t index) {
  return wanted == kNextColour ? static_cast<int>(index) : wanted;
}

/// One panel, measured when it is made, then drawn where there is room for it.
class PanelDrawing {
 public:
  /// `number`: the panel's own in its picture.
  PanelDrawing(const Panel& panel, double width, double height, std::size_t number);

  // How many pixels it needs around the plot.
  double left() const;
  double right() const;
  double top() const;
  double bottom() const;
  /// `x` and `y`: the plot's upper left corner; `left`: from there to the panel's edge; `top`: to
  /// the panel's upper edge.
  void draw(Canvas& canvas, double x, double y, double left, double top);

 private:
  /// Where a name stands above the plot, and how its colour is shown.
  struct LegendEntry {
    enum class Kind { kCurve, kPoints, kFilled } kind;
    int colour;
    std::string name;
    double x = 0;
    int row = 0;
  };

  void measure();
  void measure_grid(const Grid& grid, Extent& x, Extent& y);
  void measure_colours();
  void make_legend();
  /// Whether a point has a place; if not it is counted.
  bool sees(double x, double y);
  std::string note() const;
  std::vector<std::string> title_lines() const;
  double name_width() const;

  double place_x(double x) const { return left_ + width_ * x_.fraction(x); }
  double place_y(double y) const { return top_ + height_ * (1 - y_.fraction(y)); }
  bool shown(double x, double y) const {
    return has_place(x, panel_.x.scale) && has_place(y, panel_.y.scale);
  }
  void draw_title(Canvas& canvas, double top) const;
  void draw_grid(Canvas& canvas) const;
  void draw_axes(Canvas& canvas, double left) const;
  void draw_legend(Canvas& canvas) const;
  void draw_heat_map(Canvas& canvas) const;
  void draw_colour_bar(Canvas& canvas) const;
  void draw_contours(Canvas& canvas) const;
  void draw_band(Canvas& canvas, const Band& band, int colour) const;
  void draw_bars(Canvas& canvas, std::size_t index) const;
  void draw_curve(Canvas& canvas, const Curve& curve, int colour) const;

  const Panel& panel_;
  double width_, height_;
  std::size_t number_;
  double left_ = 0, top_ = 0;
  PlacedAxis x_, y_, colours_;
  bool empty_ = false, clipped_ = false;
  std::size_t not_finite_ = 0, not_positive_ = 0;              // of curves, bands and bars
  std::size_t cells_not_finite_ = 0, cells_not_positive_ = 0;  // of the heat map
  std::vector<LegendEntry> legend_;
};

}  // namespace wengert::plot
