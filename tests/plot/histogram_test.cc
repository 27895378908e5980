#include "wengert/plot/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "wengert/graph/error.h"

namespace wengert::plot {
namespace {

TEST(Histogram, IsTheDensityOfItsSamples) {
  const Band band = histogram("h", std::vector<double>{0, 0.5, 1, 2.5, 4}, 0, 4, 2);
  EXPECT_EQ(band.name, "h");
  EXPECT_EQ(band.x, (std::vector<double>{0, 2, 2, 4}));
  EXPECT_EQ(band.low, (std::vector<double>{0, 0, 0, 0}));
  EXPECT_EQ(band.high, (std::vector<double>{0.3, 0.3, 0.2, 0.2}));
}

TEST(Histogram, WhatLiesOutsideCountsAsASample) {
  const std::vector<double> samples = {0.5, 2, std::nan(""),
                                       std::numeric_limits<double>::infinity()};
  EXPECT_EQ(histogram("", samples, 0, 1, 1).high, (std::vector<double>{0.25, 0.25}));
  EXPECT_EQ(histogram("", {}, 0, 1, 1).high, (std::vector<double>{0, 0}));
}

TEST(Histogram, RefusesIntervalsThatAreNone) {
  const double nan = std::nan("");
  EXPECT_THROW((void)histogram("", {}, 1, 1, 4), Error);
  EXPECT_THROW((void)histogram("", {}, nan, 1, 4), Error);
  EXPECT_THROW((void)histogram("", {}, -1.7e308, 1.7e308, 4), Error);
  EXPECT_THROW((void)histogram("", {}, 0, 1, 0), Error);
  EXPECT_THROW((void)histogram("", {}, 0, 1, 10'001), Error);
}

}  // namespace
}  // namespace wengert::plot
