#pragma once

#include <string>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert::plot {

/// How numbers become colours.
enum class ColourMap {
  kSequential,  ///< from dark violet over green to bright yellow, ever brighter
  kDiverging,   ///< from blue over nearly white to vermilion: for both sides of a middle
};

/// "#rrggbb" of a share of the map's range; shares outside [0, 1] count as its ends. A NaN is grey.
WENGERT_API std::string map_colour(ColourMap map, double share);

/// The colours of curves, bands and bars, over and over: seven that colour-blind people tell apart.
/// Source: Okabe and Ito 2008, Color Universal Design.
inline constexpr int kPaletteSize = 7;
WENGERT_API std::string_view palette_colour(int index);

}  // namespace wengert::plot
