#pragma once

// Private to the library.

#include <string>
#include <vector>

#include "wengert/plot/figure.h"

namespace wengert::plot {

/// Whether a number has a place on an axis of this scale.
bool has_place(double value, Scale scale);

/// What an axis has to hold.
struct Extent {
  double low, high;
  bool whole = true;  ///< all of them are integers
  Extent();           ///< nothing yet
  void add(double value);
  bool empty() const { return !(low <= high); }
};

/// How the ends come from the data.
enum class Ends { kRounded, kExact };

/// An axis with its ends: where numbers stand, and which are written.
struct PlacedAxis {
  struct Tick {
    double value;
    std::string label;
  };
  Scale scale = Scale::kLinear;
  double low = 0, high = 1;
  std::vector<Tick> ticks;
  std::vector<double> lines;  ///< between ticks, without a label

  /// 0 at the low end, 1 at the high one.
  double fraction(double value) const;
};

/// `most`: how many ticks there is room for.
PlacedAxis place_axis(const Axis& axis, Extent data, Ends ends, int most);

/// Round numbers from low to high, about `count` of them.
std::vector<double> round_numbers(double low, double high, int count);

}  // namespace wengert::plot
