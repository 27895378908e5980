#include "wengert/plot/colours.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace wengert::plot {
namespace {

// Relative luminance, as the Web's accessibility guidelines define it.
double luminance(const std::string& colour) {
  const auto channel = [&](std::size_t at) {
    const double share = std::stoi(colour.substr(at, 2), nullptr, 16) / 255.0;
    return share <= 0.04045 ? share / 12.92 : std::pow((share + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

TEST(Colours, OfASequenceAreEverBrighter) {
  double before = -1;
  for (int i = 0; i <= 50; ++i) {
    const std::string colour = map_colour(ColourMap::kSequential, i / 50.0);
    ASSERT_EQ(colour.size(), 7u);
    EXPECT_GT(luminance(colour), before) << i;
    before = luminance(colour);
  }
}

TEST(Colours, OfADivergingMapAreBrightestInTheMiddle) {
  const auto at = [](double share) { return luminance(map_colour(ColourMap::kDiverging, share)); };
  EXPECT_EQ(map_colour(ColourMap::kDiverging, 0.5), "#f5f5f5");
  for (int i = 0; i < 25; ++i) {
    EXPECT_LT(at(i / 50.0), at((i + 1) / 50.0)) << i;
    EXPECT_GT(at(1 - (i + 1) / 50.0), at(1 - i / 50.0)) << i;
  }
}

TEST(Colours, BeyondTheEndsAreTheEndsAndNanIsGrey) {
  for (const ColourMap map : {ColourMap::kSequential, ColourMap::kDiverging}) {
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(map_colour(map, -3), map_colour(map, 0));
    EXPECT_EQ(map_colour(map, infinity), map_colour(map, 1));
    EXPECT_EQ(map_colour(map, std::nan("")), "#bbbbbb");
  }
}

TEST(Colours, OfThePaletteAreSevenAndBeginAgain) {
  std::set<std::string_view> all;
  for (int i = 0; i < 7; ++i) all.insert(palette_colour(i));
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(palette_colour(7), palette_colour(0));
  EXPECT_EQ(palette_colour(-1), palette_colour(6));
  EXPECT_EQ(palette_colour(0), "#0072b2");
}

}  // namespace
}  // namespace wengert::plot
