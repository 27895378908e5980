#include "wengert/plot/contour.h"

#include <cmath>
#include <cstddef>

namespace wengert::plot {
namespace {

struct Point {
  double x, y;
};

struct Corner {
  Point at;
  double height;  // above the level
};

Point crossing(const Corner& a, const Corner& b) {
  const double share = a.height / (a.height - b.height);
  return {a.at.x + share * (b.at.x - a.at.x), a.at.y + share * (b.at.y - a.at.y)};
}

/// The pieces in one square, its corners in order around it.
void cross_square(const Corner (&corners)[4], std::vector<Segment>& out) {
  Point points[4];
  int count = 0;
  for (int i = 0; i < 4; ++i) {
    const Corner &a = corners[i], &b = corners[(i + 1) % 4];
    if ((a.height >= 0) != (b.height >= 0)) points[count++] = crossing(a, b);
  }
  const auto join = [&](int a, int b) {
    out.push_back({points[a].x, points[a].y, points[b].x, points[b].y});
  };
  if (count == 2) join(0, 1);
  if (count != 4) return;
  // A saddle: the middle of the square tells which corners belong together.
  const double middle =
      corners[0].height + corners[1].height + corners[2].height + corners[3].height;
  const bool first_with_middle = (corners[0].height >= 0) == (middle >= 0);
  join(0, first_with_middle ? 1 : 3);
  join(2, first_with_middle ? 3 : 1);
}

}  // namespace

std::vector<Segment> contour(const Grid& grid, double level) {
  std::vector<Segment> segments;
  const auto corner = [&](std::int64_t row, std::int64_t column) -> Corner {
    return {{(static_cast<double>(column) + 0.5) / static_cast<double>(grid.columns),
             (static_cast<double>(row) + 0.5) / static_cast<double>(grid.rows)},
            grid.values[static_cast<std::size_t>(row * grid.columns + column)] - level};
  };
  for (std::int64_t row = 0; row + 1 < grid.rows; ++row) {
    for (std::int64_t column = 0; column + 1 < grid.columns; ++column) {
      const Corner square[4] = {corner(row, column), corner(row, column + 1),
                                corner(row + 1, column + 1), corner(row + 1, column)};
      bool finite = true;
      for (const Corner& each : square) finite &= std::isfinite(each.height);
      if (finite) cross_square(square, segments);
    }
  }
  return segments;
}

}  // namespace wengert::plot
