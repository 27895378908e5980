#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/program/child.h"

// `wengert plot`: what the tables hold is in its pictures.
namespace wengert {
namespace {

using nlohmann::json;

json numbers_of(const std::string& what) {
  const Outcome outcome = run_wengert({"plot", what, "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return json::parse(outcome.out);
}

/// The first words of the panels' titles.
std::set<std::string> titles_of(const json& figure) {
  std::set<std::string> titles;
  for (const json& panel : figure.at("panels")) {
    const std::string title = panel.at("title");
    titles.insert(title.substr(0, title.find_first_of(",: ")));
  }
  return titles;
}

std::set<std::string> names_of(const std::string& command) {
  std::set<std::string> names;
  for (const json& each : json::parse(run_wengert({command, "--json"}).out)) {
    names.insert(each.at("name").get<std::string>());
  }
  return names;
}

const json& panel_of(const json& figure, const std::string& title) {
  for (const json& panel : figure.at("panels")) {
    if (panel.at("title") == title) return panel;
  }
  ADD_FAILURE() << "no panel " << title;
  return figure.at("panels")[0];
}

TEST(PlotCommand, DrawsEveryActivationOfTheTechniques) {
  std::set<std::string> wanted;
  for (const json& row : json::parse(run_wengert({"techniques", "activation", "--json"}).out)) {
    if (!row.at("planned").get<bool>()) wanted.insert(row.at("symbol").get<std::string>());
  }
  const json figure = numbers_of("activations");
  EXPECT_GE(wanted.size(), 23u);
  EXPECT_EQ(titles_of(figure), wanted);
  // tanh, its slope 1 − y² and −2y(1 − y²).
  const json& curves = panel_of(figure, "tanh").at("curves");
  ASSERT_EQ(curves.size(), 3u);
  for (std::size_t i = 0; i < 241; i += 16) {
    const double x = curves[0].at("x")[i], y = std::tanh(x), slope = 1 - y * y;
    EXPECT_NEAR(curves[0].at("y")[i].get<double>(), y, 1e-12) << x;
    EXPECT_NEAR(curves[1].at("y")[i].get<double>(), slope, 1e-12) << x;
    EXPECT_NEAR(curves[2].at("y")[i].get<double>(), -2 * y * slope, 1e-12) << x;
  }
  // A share of two is a sigmoid of their difference; the flat part of ReLU is its left half.
  EXPECT_EQ(panel_of(figure, "softmax, of (x, 0), the first").at("curves")[0].at("y")[120], 0.5);
  const json& flat = panel_of(figure, "relu").at("bands")[0];
  EXPECT_EQ(flat.at("high")[0], 6);
  EXPECT_EQ(flat.at("high")[200], 0);
}

TEST(PlotCommand, DrawsEveryLossOfOneElement) {
  const json figure = numbers_of("losses");
  const std::set<std::string> titles = titles_of(figure);
  for (const char* name :
       {"mean_squared_error", "half_squared_error", "mean_absolute_error", "hinge_loss",
        "squared_hinge_loss", "kl_divergence", "binary_cross_entropy", "bce_with_logits",
        "smooth_l1_loss", "huber_loss"}) {
    EXPECT_TRUE(titles.contains(name)) << name;
  }
  const json& curves = panel_of(figure, "mean_squared_error").at("curves");
  EXPECT_EQ(curves[2].at("name"), "target 1");
  EXPECT_EQ(curves[2].at("y")[0], 16);  // (−3 − 1)²
  EXPECT_EQ(curves[3].at("y")[0], -8);
  const json& probabilities = panel_of(figure, "binary_cross_entropy").at("curves")[0].at("x");
  EXPECT_EQ(probabilities.size(), 101u);  // 0 to 1 by hundredths: a share has no other values
}

TEST(PlotCommand, DrawsEveryScheduleAndInitializer) {
  const json schedules = numbers_of("schedules");
  EXPECT_EQ(titles_of(schedules), names_of("schedules"));
  for (const json& panel : schedules.at("panels")) {
    std::set<double> factors;
    for (const json& y : panel.at("curves")[0].at("y")) factors.insert(y.get<double>());
    EXPECT_GE(factors.size(), 4u) << panel.at("title") << " shows nothing";
  }
  const json initializers = numbers_of("initializers");
  EXPECT_EQ(titles_of(initializers), names_of("initializers"));
  for (const json& panel : initializers.at("panels")) {
    const json& band = panel.at("bands")[0];
    double area = 0;
    for (std::size_t i = 0; i + 1 < band.at("x").size(); i += 2) {
      area += (band.at("x")[i + 1].get<double>() - band.at("x")[i].get<double>()) *
              band.at("high")[i].get<double>();
    }
    EXPECT_NEAR(area, 1, 1e-9) << panel.at("title");
  }
}

TEST(PlotCommand, WritesAPictureOrPrintsIt) {
  const TemporaryFolder folder;
  const Outcome file = run_wengert({"plot", "losses", "-o", folder / "losses.svg"});
  ASSERT_EQ(file.status, 0) << file.err;
  EXPECT_EQ(file.out, "");
  const std::string picture = bytes_at(folder / "losses.svg");
  EXPECT_TRUE(picture.starts_with("<?xml"));
  EXPECT_TRUE(holds(picture, ">huber_loss<"));
  EXPECT_EQ(run_wengert({"plot", "losses"}).out, picture);
}

TEST(PlotCommand, WhatIsNotThereIsWrongUsage) {
  for (const auto& [word, advice] : std::vector<std::pair<std::string, std::string>>{
           {"loses", "did you mean 'losses'?"},
           {"qqqqqqqqqqq", "choose activations, losses, schedules or initializers"}}) {
    const Outcome outcome = run_wengert({"plot", word});
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(holds(outcome.err, advice)) << outcome.err;
  }
  EXPECT_EQ(run_wengert({"plot"}).status, 2);
  EXPECT_EQ(run_wengert({"plot", "losses", "-o", "/nonexistent/x.svg"}).status, 1);
}

}  // namespace
}  // namespace wengert
