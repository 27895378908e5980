#include "wengert/plot/colours.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace wengert::plot {
namespace {

struct Colour {
  double red, green, blue;  // 0 to 255
};

// Evenly spaced stops of our own, each brighter than the one before.
constexpr Colour kSequentialStops[] = {{50, 12, 84},   {62, 62, 136},  {46, 109, 142},
                                       {32, 151, 136}, {94, 192, 102}, {176, 219, 62},
                                       {250, 234, 50}};
// Blue and vermilion of the palette around a light grey.
constexpr Colour kDivergingStops[] = {
    {0, 90, 150}, {104, 168, 210}, {245, 245, 245}, {235, 158, 104}, {190, 78, 0}};

template <std::size_t n>
Colour between(const Colour (&stops)[n], double share) {
  const double place = share * (n - 1);
  const std::size_t left = std::min(static_cast<std::size_t>(place), n - 2);
  const double right = place - static_cast<double>(left);
  const Colour &a = stops[left], &b = stops[left + 1];
  return {a.red + right * (b.red - a.red), a.green + right * (b.green - a.green),
          a.blue + right * (b.blue - a.blue)};
}

}  // namespace

std::string map_colour(ColourMap map, double share) {
  if (std::isnan(share)) return "#bbbbbb";
  const double inside = std::clamp(share, 0.0, 1.0);
  const Colour colour = map == ColourMap::kSequential ? between(kSequentialStops, inside)
                                                      : between(kDivergingStops, inside);
  std::string text = "#";
  for (const double channel : {colour.red, colour.green, colour.blue}) {
    const int value = static_cast<int>(std::lround(channel));
    text += "0123456789abcdef"[value / 16];
    text += "0123456789abcdef"[value % 16];
  }
  return text;
}

std::string_view palette_colour(int index) {
  constexpr std::string_view kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                           "#e69f00", "#56b4e9", "#000000"};
  static_assert(std::size(kColours) == kPaletteSize);
  return kColours[((index % kPaletteSize) + kPaletteSize) % kPaletteSize];
}

}  // namespace wengert::plot
