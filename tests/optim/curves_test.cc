#include "wengert/optim/curves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "wengert/graph/error.h"

namespace wengert::optim {
namespace {

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string chart_of(std::vector<Curve> curves) {
  return line_chart("t", {{"p", "x", "y", std::move(curves)}});
}

TEST(LineChart, CurvesLieWhereTheAxesSay) {
  // Axes from 0 to 10 and from 0 to 1: the plot is 380 × 260 pixels at (70, 92).
  const std::string svg = chart_of({{"a", {0, 5, 10}, {0, 0.5, 1}}});
  EXPECT_NE(svg.find("d=\"M70.00 352.00L260.00 222.00L450.00 92.00\""), std::string::npos) << svg;
  for (const char* label : {">0<", ">2<", ">10<", ">0.0<", ">0.2<", ">1.0<", ">a<"}) {
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  }
  EXPECT_EQ(svg, chart_of({{"a", {0, 5, 10}, {0, 0.5, 1}}}));
}

TEST(LineChart, AxesReachBeyondTheLargestAndTheSmallest) {
  for (const double most : {0.95, 1.05, 3.0, 7.3, 99.0, 0.0123}) {
    const std::string svg = chart_of({{"a", {0, 1}, {-most, most}}});
    const auto begin = svg.find("d=\"M") + 4;
    double x[2], y[2];
    ASSERT_EQ(std::sscanf(svg.c_str() + begin, "%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1]), 4);
    EXPECT_GE(y[1], 92) << most;  // the plot is 260 pixels high, from 92 on
    EXPECT_LE(y[0], 352) << most;
  }
}

TEST(LineChart, GapsWhereValuesAreNotFinite) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const std::string svg = chart_of({{"a", {0, 1, 2, 3, 4, 5}, {1, nan, 2, 3, -inf, 1}}});
  EXPECT_NE(svg.find("d=\"M"), std::string::npos);
  const auto begin = svg.find("d=\"M") + 3;
  const std::string path = svg.substr(begin, svg.find('"', begin) - begin);
  EXPECT_EQ(count_of(path, "M"), 3);
  EXPECT_EQ(count_of(path, "L"), 1);
  EXPECT_EQ(count_of(svg, "<circle"), 4);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(LineChart, RangesThatAreHardToScale) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> cases = {{},
                                                  {3},
                                                  {0, 0},
                                                  {nan, nan},
                                                  {inf, -inf},
                                                  {-5, -5},
                                                  {1e300, -1e300},
                                                  {1e308, 1},
                                                  {1e-300, 2e-300},
                                                  {5e-324, 0},
                                                  {1e15, 1e15 + 1},
                                                  {1, 1 + 1e-15},
                                                  {-1e-9, 1e-9}};
  for (const std::vector<double>& y : cases) {
    std::vector<double> x(y.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
    for (const std::string& svg : {chart_of({{"a", x, y}}), chart_of({{"a", y, x}})}) {
      EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
      EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
      EXPECT_LT(svg.size(), 20'000u);
      EXPECT_GE(count_of(svg, "text-anchor=\"end\""), 2) << svg;
    }
  }
  EXPECT_NE(chart_of({}).find(">no data<"), std::string::npos);
}

TEST(LineChart, TextIsEscaped) {
  const std::string svg =
      line_chart("a<b & \"c\" ü \xff \x01 \xed\xa0\x80", {{"<p>", "&x", "y", {{"<c>", {1}, {1}}}}});
  EXPECT_NE(svg.find("a&lt;b &amp; \"c\" ü ?   ???"), std::string::npos) << svg;
  EXPECT_NE(svg.find("&lt;p&gt;"), std::string::npos);
  EXPECT_NE(svg.find("&amp;x"), std::string::npos);
  EXPECT_NE(svg.find("&lt;c&gt;"), std::string::npos);
}

TEST(LineChart, EveryCurveIsInTheLegend) {
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
}

TEST(LineChart, LengthsMustAgree) { EXPECT_THROW(chart_of({{"a", {1, 2}, {1}}}), Error); }

TEST(LearningCurves, TwoPanelsWithAndWithoutValidation) {
  std::vector<EpochRecord> history(3);
  for (int i = 0; i < 3; ++i) {
    const Metric right[] = {{"accuracy", 0.5 + 0.1 * i, 1}};
    EpochRecord& record = history[static_cast<std::size_t>(i)];
    record.epoch = i + 1;
    record.train = Totals(1.0 / (i + 1), 1, right);
    record.validation = Totals(1.2 / (i + 1), 1, right);
  }
  const std::string svg = learning_curves("model", history);
  EXPECT_EQ(count_of(svg, "<path"), 4);
  EXPECT_EQ(count_of(svg, ">validation<"), 2);
  EXPECT_NE(svg.find(">Loss<"), std::string::npos);
  EXPECT_NE(svg.find(">Accuracy<"), std::string::npos);
  for (EpochRecord& record : history) {
    record.validation.reset();
  }
  const std::string without = learning_curves("model", history);
  EXPECT_EQ(count_of(without, "<path"), 2);
  EXPECT_EQ(count_of(without, ">validation<"), 0);
  EXPECT_NE(learning_curves("model", {}).find("no data"), std::string::npos);
}

}  // namespace
}  // namespace wengert::optim
