#include "wengert/plot/figure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/tests/plot/svg.h"

namespace wengert::plot {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

std::string chart_of(std::vector<Curve> curves) {
  return to_svg({.title = "t",
                 .panels = {{.title = "p", .x = {"x"}, .y = {"y"}, .curves = std::move(curves)}}});
}

TEST(Figure, CurvesLieWhereTheAxesSay) {
  // Axes from 0 to 10 and from 0 to 1: the plot is 380 × 260 pixels at (70, 92).
  const std::string svg = chart_of({{"a", {0, 5, 10}, {0, 0.5, 1}}});
  EXPECT_NE(svg.find("d=\"M70.00 352.00L260.00 222.00L450.00 92.00\""), std::string::npos) << svg;
  for (const char* label : {">0<", ">2<", ">10<", ">0.0<", ">0.2<", ">1.0<", ">a<"}) {
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  }
  EXPECT_EQ(svg, chart_of({{"a", {0, 5, 10}, {0, 0.5, 1}}}));
}

TEST(Figure, AxesReachBeyondTheLargestAndTheSmallest) {
  for (const double most : {0.95, 1.05, 3.0, 7.3, 99.0, 0.0123}) {
    const std::string svg = chart_of({{"a", {0, 1}, {-most, most}}});
    const auto begin = svg.find("d=\"M") + 4;
    double x[2], y[2];
    ASSERT_EQ(std::sscanf(svg.c_str() + begin, "%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1]), 4);
    EXPECT_GE(y[1], 92) << most;  // the plot is 260 pixels high, from 92 on
    EXPECT_LE(y[0], 352) << most;
  }
}

TEST(Figure, DecadesAreEquallyFarOnALogarithmicAxis) {
  const std::string svg = to_svg({.panels = {{.x = {.scale = Scale::kLog},
                                              .y = {.scale = Scale::kLog},
                                              .curves = {{"a", {1, 10, 100}, {1e-4, 1e2, 1e8}}}}}});
  EXPECT_NE(svg.find("d=\"M70.00 352.00L260.00 222.00L450.00 92.00\""), std::string::npos) << svg;
  for (const char* label : {">1<", ">10<", ">100<", ">10⁻⁴<", ">10⁸<"}) {
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  }
  // Less than a decade: 1, 2 and 5 are ticks and ends.
  const std::string narrow =
      to_svg({.panels = {{.y = {.scale = Scale::kLog}, .curves = {{"a", {0, 1}, {0.03, 0.04}}}}}});
  EXPECT_NE(narrow.find(">0.02<"), std::string::npos) << narrow;
  EXPECT_NE(narrow.find(">0.05<"), std::string::npos);
  EXPECT_EQ(narrow.find(">0.1<"), std::string::npos);
}

TEST(Figure, GivenEndsStandAndWhatIsBeyondIsCutOff) {
  const std::string svg = to_svg(
      {.panels = {
           {.x = {.low = 0, .high = 5}, .y = {.low = -1}, .curves = {{"a", {0, 10}, {0, 2}}}}}});
  EXPECT_NE(svg.find("<clipPath"), std::string::npos);
  // x = 10 is at 70 + 2·380; y from −1 to 2.
  EXPECT_NE(svg.find("L830.00 92.00"), std::string::npos) << svg;
  EXPECT_EQ(chart_of({{"a", {0, 1}, {0, 1}}}).find("<clipPath"), std::string::npos);
}

TEST(Figure, AGivenEndStaysWhereTheDataHaveOneValue) {
  const std::string svg =
      to_svg({.panels = {{.y = {.low = 1}, .curves = {{"a", {0, 1}, {1 + 2e-16, 1 + 2e-16}}}}}});
  EXPECT_NE(svg.find("d=\"M70.00 352.00L450.00 352.00\""), std::string::npos) << svg;
}

TEST(Figure, NamesAreThinnedAndTilted) {
  std::vector<std::string> names;
  for (int i = 1; i <= 30; ++i) names.push_back("layer " + std::to_string(i));
  const Axis axis{.names = names};
  const std::string svg = to_svg({.panels = {{.x = axis, .y = axis}}});
  // 260 pixels have room for 20 rows of text, 380 for 25 tilted names: every second one.
  EXPECT_EQ(count_of(svg, ">layer 29<"), 2) << svg;
  EXPECT_EQ(count_of(svg, ">layer 30<"), 0);
  EXPECT_EQ(count_of(svg, ">layer "), 30);
  EXPECT_EQ(count_of(svg, "rotate(-35 "), 15);
  const std::string few = to_svg({.panels = {{.x = {.names = {"a", "b"}}}}});
  EXPECT_EQ(count_of(few, "rotate(-35 "), 0);
}

TEST(Figure, GapsWhereValuesAreNotFinite) {
  const std::string svg = chart_of({{"a", {0, 1, 2, 3, 4, 5}, {1, kNan, 2, 3, -kInfinity, 1}}});
  const auto begin = svg.find("d=\"M") + 3;
  const std::string path = svg.substr(begin, svg.find('"', begin) - begin);
  EXPECT_EQ(count_of(path, "M"), 3);
  EXPECT_EQ(count_of(path, "L"), 1);
  EXPECT_EQ(count_of(svg, "<circle"), 4);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_NE(svg.find(">2 values are not finite: gaps<"), std::string::npos) << svg;
  const std::string log =
      to_svg({.panels = {{.y = {.scale = Scale::kLog}, .curves = {{"a", {0, 1, 2}, {1, 0, 2}}}}}});
  EXPECT_NE(log.find(">1 value is not positive: a gap<"), std::string::npos) << log;
}

TEST(Figure, RangesThatAreHardToScale) {
  const std::vector<std::vector<double>> cases = {{},
                                                  {3},
                                                  {0, 0},
                                                  {kNan, kNan},
                                                  {kInfinity, -kInfinity},
                                                  {-5, -5},
                                                  {1e300, -1e300},
                                                  {1e308, 1},
                                                  {1e-300, 2e-300},
                                                  {5e-324, 0},
                                                  {1e15, 1e15 + 1},
                                                  {1, 1 + 1e-15},
                                                  {-1e-9, 1e-9},
                                                  {1e-280, 1e280}};
  for (const std::vector<double>& y : cases) {
    std::vector<double> x(y.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
    for (const Scale scale : {Scale::kLinear, Scale::kLog}) {
      for (const Curve& curve : {Curve{"a", x, y}, Curve{"a", y, x}}) {
        const std::string svg =
            to_svg({.panels = {{.x = {.scale = scale}, .y = {.scale = scale}, .curves = {curve}}}});
        EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
        EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
        EXPECT_LT(svg.size(), 20'000u);
        EXPECT_GE(count_of(svg, "text-anchor=\"end\""), 2) << svg;
      }
    }
  }
  EXPECT_NE(chart_of({}).find(">no data<"), std::string::npos);
}

TEST(Figure, TextIsEscaped) {
  const std::string svg =
      to_svg({.title = "a<b & \"c\" ü \xff \x01 \xed\xa0\x80",
              .panels = {{.title = "<p>", .x = {"&x"}, .curves = {{"<c>", {1}, {1}}}}},
              .caption = "x < y"});
  EXPECT_NE(svg.find("a&lt;b &amp; &quot;c&quot; ü \xEF\xBF\xBD \xEF\xBF\xBD"), std::string::npos)
      << svg;
  EXPECT_EQ(svg.find('\xff'), std::string::npos);
  EXPECT_EQ(svg.find('\x01'), std::string::npos);
  for (const char* text : {">&lt;p&gt;<", ">&amp;x<", ">&lt;c&gt;<", ">x &lt; y<"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
}

TEST(Figure, EveryCurveIsInTheLegend) {
  std::vector<Curve> curves;
  for (int i = 0; i < 12; ++i) {
    curves.push_back({"curve number " + std::to_string(i), {1, 2}, {1, 2}});
  }
  const std::string few = chart_of({curves[0]}), many = chart_of(curves);
  for (const Curve& curve : curves) {
    EXPECT_NE(many.find(">" + curve.name + "<"), std::string::npos) << curve.name;
  }
  // Two names a row, six rows: the plot lies lower by five.
  EXPECT_NE(few.find("height=\"408\""), std::string::npos) << few;
  EXPECT_NE(many.find("height=\"498\""), std::string::npos);
  const std::string wide(200, 'w');
  const std::string shortened = chart_of({{wide, {1, 2}, {1, 2}}});
  EXPECT_EQ(shortened.find(wide), std::string::npos);
  EXPECT_NE(shortened.find("www…www"), std::string::npos);
  EXPECT_EQ(count_of(chart_of({{"", {1, 2}, {1, 2}}}), "text-anchor=\"start\""), 0);
}

TEST(Figure, LongTitlesAndCaptionsAreWrapped) {
  std::string words;
  for (int i = 0; i < 40; ++i) words += "word" + std::to_string(i) + " ";
  const std::string svg = to_svg(
      {.title = words, .panels = {{.title = words, .x = {words}, .y = {words}}}, .caption = words});
  for (const double width : text_widths(svg)) EXPECT_LE(width, 470);
  EXPECT_NE(svg.find(">word0 "), std::string::npos);
  EXPECT_NE(svg.find("word39"), std::string::npos);  // in the caption, which has room
}

TEST(Figure, PanelsStandInRowsOfTheirOwnHeight) {
  const std::vector<Panel> panels(5, Panel{.curves = {{"a", {0, 1}, {0, 1}}}});
  const std::string row = to_svg({.panels = panels}),
                    two = to_svg({.panels = panels, .columns = 2});
  EXPECT_NE(row.find("width=\"2350\" height=\"408\""), std::string::npos) << row.substr(0, 300);
  EXPECT_NE(two.find("width=\"940\" height=\"1168\""), std::string::npos) << two.substr(0, 300);
}

TEST(Figure, BarsHaveTheirSpread) {
  const std::string svg = to_svg({.panels = {{.x = {.names = {"one", "two"}},
                                              .y = {.low = 0, .high = 10},
                                              .bars = {{"b", {5, 10}, {4, 8}, {6, 12}}}}}});
  // Two places of 190 pixels, a bar takes 0.8 of each; half of 260 pixels is 5.
  EXPECT_NE(svg.find("<rect x=\"89.00\" y=\"222.00\" width=\"152.00\" height=\"130.00\""),
            std::string::npos)
      << svg;
  EXPECT_NE(svg.find("M165.00 248.00L165.00 196.00"), std::string::npos) << svg;
  EXPECT_NE(svg.find(">one<"), std::string::npos);
}

TEST(Figure, ABandIsFilledBetweenItsCurves) {
  const std::string svg = to_svg({.panels = {{.bands = {{"b", {0, 10}, {0, 0.5}, {0.5, 1}}}}}});
  EXPECT_NE(svg.find("M70.00 222.00L450.00 92.00L450.00 222.00L70.00 352.00z"), std::string::npos)
      << svg;
}

TEST(Figure, APathTellsItsBeginFromItsEnd) {
  const std::string svg =
      to_svg({.panels = {{.curves = {{"a", {0, 5, 10, kNan}, {0, 0.5, 1, 1}, Mark::kPath}}}}});
  EXPECT_NE(svg.find("<circle cx=\"70.00\" cy=\"352.00\" r=\"4.00\" fill=\"#ffffff\""),
            std::string::npos)
      << svg;
  EXPECT_NE(svg.find("<circle cx=\"450.00\" cy=\"92.00\" r=\"4.00\" fill=\"#0072b2\""),
            std::string::npos);
}

TEST(Figure, AHeatMapsFirstRowIsTheLowest) {
  const HeatMap map{.grid = {.rows = 2, .columns = 2, .values = {0, 0, 1, kNan}}, .label = "value"};
  const std::string svg = to_svg({.panels = {{.heat_map = map}}});
  // Two cells of one colour are one rectangle: 380 × 130 at the bottom.
  EXPECT_NE(svg.find("M70.00 222.00h380.00v130.00h-380.00z\" fill=\"" +
                     map_colour(ColourMap::kSequential, 0.5 / 64)),
            std::string::npos)
      << svg;
  EXPECT_NE(svg.find("M260.00 92.00h190.00v130.00h-190.00z\" fill=\"#bbbbbb\""), std::string::npos);
  EXPECT_NE(svg.find(">1 cell is not finite: grey<"), std::string::npos);
  EXPECT_NE(svg.find(">value<"), std::string::npos);
}

TEST(Figure, TheColoursOfALogarithmicMapAreDecades) {
  const HeatMap map{.grid = {.rows = 1, .columns = 3, .values = {1e-4, 1e-2, 1}},
                    .scale = Scale::kLog};
  const std::string svg = to_svg({.panels = {{.heat_map = map}}});
  EXPECT_NE(svg.find("z\" fill=\"" + map_colour(ColourMap::kSequential, 32.5 / 64) +
                     "\" shape-rendering"),
            std::string::npos);
  EXPECT_NE(svg.find(">10⁻⁴<"), std::string::npos) << svg;
  const HeatMap none{.grid = {.rows = 1, .columns = 2, .values = {0, 1}}, .scale = Scale::kLog};
  EXPECT_NE(to_svg({.panels = {{.heat_map = none}}}).find(">1 cell is not positive: grey<"),
            std::string::npos);
}

TEST(Figure, AStripHasARowForEachListAndGapsBehindShortOnes) {
  const Grid grid = strip({{1, 2, 3}, {4}}, 10);
  EXPECT_EQ(grid.rows, 2);
  EXPECT_EQ(grid.columns, 3);
  EXPECT_EQ(grid.x_low, 9.5);
  EXPECT_EQ(grid.x_high, 12.5);
  EXPECT_EQ(grid.y_high, 1.5);
  EXPECT_EQ(grid.values[3], 4);
  EXPECT_TRUE(std::isnan(grid.values[4]));
}

TEST(Figure, ContoursRunWhereTheGridHasTheirHeight) {
  // Heights 0 and 1 side by side, at a quarter and three quarters of the width: 0.25 is between.
  const Contours lines{.grid = {.rows = 2, .columns = 2, .values = {0, 1, 0, 1}}, .levels = {0.25}};
  const std::string svg = to_svg({.panels = {{.contours = lines}}});
  const double x = 70 + 380 * (0.25 + 0.25 * 0.5);
  char text[64];
  std::snprintf(text, sizeof text, "M%d.50 287.00L%d.50 157.00", static_cast<int>(x),
                static_cast<int>(x));
  EXPECT_NE(svg.find(text), std::string::npos) << svg;
  EXPECT_NE(to_svg({.panels = {{.contours = Contours{.grid = lines.grid}}}}).find("#777777"),
            std::string::npos);
}

TEST(Figure, ContoursAtASaddleCutOffTheCornersBeyondTheMiddle) {
  // High in two opposite corners; the middle is 0.25, below the level: each high corner is cut off.
  const Contours lines{.grid = {.rows = 2, .columns = 2, .values = {0.5, 0, 0, 0.5}},
                       .levels = {0.3}};
  const std::string svg = to_svg({.panels = {{.contours = lines}}});
  const auto begin = svg.find("d=\"M", svg.find("clip-path")) + 4;
  double x[2], y[2];
  ASSERT_EQ(std::sscanf(svg.c_str() + begin, "%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1]), 4);
  // Around the lower left corner's middle, at (165, 287).
  EXPECT_LT(std::max(x[0], x[1]), 260);
  EXPECT_GT(std::min(y[0], y[1]), 222);
}

TEST(Figure, MisuseSaysWhatIsWrongAndWhatToDo) {
  const std::vector<std::pair<Figure, std::string>> cases = {
      {{}, "the figure has no panels; give it one at least"},
      {{.panels = {{.curves = {{"a", {1, 2}, {1}}}}}},
       "the curve a has 2 x for 1 y; give each point both"},
      {{.panels = {{.bands = {{"a", {1, 2}, {1, 2}, {1}}}}}}, "2 x for 1 high ends"},
      {{.panels = {{.bands = {{.name = "a", .opacity = kNan}}}}}, "the opacity nan; give 0 to 1"},
      {{.panels = {{.bars = {{"a", {1, 2}, {1}, {1}}}}}}, "2 heights for 1 low ends"},
      {{.panels = {{.curves = {{"", {}, {}, Mark::kLine, -2}}}}},
       "the curve without a name has the colour -2"},
      {{.panels = {{.title = "p", .x = {.low = 3, .high = 3}}}},
       "the x axis of 'p' goes from 3 to 3"},
      {{.panels = {{.y = {.high = kNan}}}}, "the high end nan"},
      {{.panels = {{.y = {.scale = Scale::kLog, .low = 0}}}}, "finite positive ends"},
      {{.panels = {{.y = {.scale = Scale::kLog, .names = {"a"}}}}},
       "names and a logarithmic scale"},
      {{.panels = {{.title = "p", .x = {.scale = Scale::kLog}, .bars = {{"b", {1}}}}}},
       "the bars of 'p' have a logarithmic x axis"},
      {{.panels = {{.heat_map = HeatMap{}}}}, "0 rows and 0 columns; give 1 of each at least"},
      {{.panels = {{.heat_map = HeatMap{.grid = {.rows = 2, .columns = 2, .values = {1}}}}}},
       "1 values for 4 cells"},
      {{.panels = {{.heat_map = HeatMap{.grid = {.rows = 1LL << 62, .columns = 1LL << 62}}}}},
       "more than a million cells"},
      {{.panels = {{.contours = Contours{.grid = {.rows = 1, .columns = 2, .values = {1, 2}}}}}},
       "give 2 of each at least"},
      {{.panels = {{}}, .columns = -1}, "-1 panels in a row"},
      {{.panels = {{}}, .plot_width = kNan}, "a plot of nan pixels; give 60 to 4000"},
  };
  for (const auto& [figure, part] : cases) {
    try {
      (void)to_svg(figure);
      ADD_FAILURE() << "was drawn: " << part;
    } catch (const Error& error) {
      const std::string told = error.message() + "; " + error.fix();
      EXPECT_NE(told.find(part), std::string::npos) << told << " is not: " << part;
      EXPECT_EQ(error.op(), "to_svg");
      EXPECT_FALSE(error.fix().empty());
    }
  }
}

}  // namespace
}  // namespace wengert::plot
