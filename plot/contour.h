#pragma once

// Private to the library.

#include <vector>

#include "wengert/plot/figure.h"

namespace wengert::plot {

/// A piece of a line of equal height, in shares of the grid's width and height.
struct Segment {
  double x1, y1, x2, y2;
};

/// The line of one level between the middles of the cells (marching squares): straight pieces, one
/// or two a square of four middles. Where a middle is not finite there is none.
std::vector<Segment> contour(const Grid& grid, double level);

}  // namespace wengert::plot
