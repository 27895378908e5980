#include "wengert/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

#include "tests/optim/training_models.h"

namespace wengert::optim {
namespace {

// What every schedule of the table keeps to.
class EverySchedule : public ::testing::TestWithParam<const ScheduleDef*> {};

TEST_P(EverySchedule, GivesFiniteFactorsFromAnyPlace) {
  const ScheduleDef& def = *GetParam();
  EXPECT_FALSE(def.doc.summary.empty() || def.doc.formula.empty() || def.doc.notes.empty() ||
               def.doc.source.empty());
  for (const std::int64_t steps : {1, 2, 7, 1000}) {
    for (const std::int64_t per_epoch : {1, 3}) {
      Schedule schedule = make_schedule(def.name);
      for (std::int64_t step = 0; step <= steps + 1; ++step) {
        const double factor = schedule.factor({step, per_epoch, steps});
        EXPECT_TRUE(std::isfinite(factor) && factor >= 0) << step << " of " << steps;
        if (step % per_epoch == 0) schedule.observe(step % 2 == 0 ? 1.0 : std::nan(""));
      }
    }
  }
}

TEST_P(EverySchedule, GoesOnFromItsState) {
  const ScheduleDef& def = *GetParam();
  EXPECT_EQ(def.state.empty(), def.observe == nullptr);
  Schedule one = make_schedule(def.name), two = make_schedule(def.name);
  for (int epoch = 0; epoch < 15; ++epoch) one.observe(1);
  two.restore(one.state());
  for (int epoch = 15; epoch < 40; ++epoch) {
    EXPECT_EQ(one.factor({epoch, 1, 40}), two.factor({epoch, 1, 40}));
    one.observe(1), two.observe(1);
  }
  EXPECT_EQ(error_of([&] { two.restore({1, 2, 3, 4, 5, 6, 7}); }).kind(), ErrorKind::kValue);
}

INSTANTIATE_TEST_SUITE_P(, EverySchedule, ::testing::ValuesIn(registered_schedules()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(LinearDecay, IsALine) {
  const LinearDecay schedule({.final_share = 0.2});
  EXPECT_EQ(schedule.factor({0, 1, 5}), 1);
  EXPECT_DOUBLE_EQ(schedule.factor({1, 1, 5}), 0.8);
  EXPECT_DOUBLE_EQ(schedule.factor({4, 1, 5}), 0.2);
  EXPECT_DOUBLE_EQ(schedule.factor({9, 1, 5}), 0.2) << "beyond the last";
  EXPECT_EQ(schedule.factor({0, 1, 1}), 1) << "a single step is the first";
}

TEST(ReduceOnPlateau, FallsAfterItsPatience) {
  ReduceOnPlateau schedule({.factor = 0.5, .patience = 1, .threshold = 0.1, .smallest = 0.2});
  const auto after = [&](std::initializer_list<double> losses) {
    for (const double loss : losses) schedule.observe(loss);
    return schedule.factor({});
  };
  EXPECT_EQ(after({10, 8}), 1);
  EXPECT_EQ(after({7.5}), 1) << "no tenth better than 8, but one epoch is waited for";
  EXPECT_EQ(after({7.3}), 0.5);
  EXPECT_EQ(after({7.1}), 0.5) << "better than 8 by a tenth";
  EXPECT_EQ(after({std::nan(""), std::nan("")}), 0.25) << "NaN is no progress";
  EXPECT_EQ(after({9, 9, 9, 9}), 0.2) << "not below the smallest";
}

TEST(ReduceOnPlateau, ForgetsAFirstLossThatIsNotFinite) {
  for (const double first : {std::nan(""), HUGE_VAL}) {
    ReduceOnPlateau schedule({.patience = 0});
    for (const double loss : {first, 4.0, 3.0, 2.0}) schedule.observe(loss);
    EXPECT_EQ(schedule.factor({}), 1) << first;
  }
}

// ------------------------------------------------------------ values by hand

/// The factors of a schedule at these steps of `steps`.
std::vector<double> factors(const Schedule& schedule, std::initializer_list<std::int64_t> at,
                            std::int64_t steps = 1000) {
  std::vector<double> result;
  for (const std::int64_t step : at) result.push_back(schedule.factor({step, 1, steps}));
  return result;
}
void expect_factors(const Schedule& schedule, std::initializer_list<std::int64_t> at,
                    const std::vector<double>& expected, std::int64_t steps = 1000) {
  const std::vector<double> actual = factors(schedule, at, steps);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], 1e-15) << schedule.name() << " at " << data(at)[i];
  }
}

TEST(Exponential, LeavesAShareAStep) {
  expect_factors(Exponential({.gamma = 0.5}), {0, 1, 3}, {1, 0.5, 0.125});
  expect_factors(DecadeDecay({.steps = 10}), {0, 5, 10, 20}, {1, std::sqrt(0.1), 0.1, 0.01});
}

TEST(Power, IsHalvedAfterItsSteps) {
  expect_factors(Power({.steps = 4}), {0, 1, 4, 8, 12}, {1, 0.8, 0.5, 1.0 / 3, 0.25});
  expect_factors(Power({.steps = 4, .power = 2}), {4, 12}, {0.25, 0.0625});
}

TEST(StepDecay, FallsAtItsPeriods) {
  expect_factors(StepDecay({.period = 3, .gamma = 0.5}), {0, 2, 3, 5, 6}, {1, 1, 0.5, 0.5, 0.25});
}

TEST(MultiStep, FallsFromItsMilestonesOn) {
  expect_factors(MultiStep({.milestones = {2, 5}, .gamma = 0.5}), {0, 1, 2, 4, 5, 9},
                 {1, 1, 0.5, 0.5, 0.25, 0.25});
  expect_factors(MultiStep({}), {0, 900}, {1, 1});
}

TEST(PiecewiseConstant, HoldsItsShares) {
  expect_factors(PiecewiseConstant({.boundaries = {2, 5}, .shares = {0.5, 2}}), {0, 1, 2, 4, 5, 9},
                 {1, 1, 0.5, 0.5, 2, 2});
}

TEST(Cosine, IsHalfACosine) {
  // cos π/3 = 1/2.
  expect_factors(Cosine({}), {0, 2, 3, 6, 9}, {1, 0.75, 0.5, 0, 0}, 7);
  expect_factors(Cosine({.final_share = 0.2, .steps = 6}), {0, 2, 3, 6, 9},
                 {1, 0.8, 0.6, 0.2, 0.2});
}

TEST(CosineRestarts, BeginsAgain) {
  expect_factors(CosineRestarts({.period = 6}), {0, 2, 3, 6, 8, 12}, {1, 0.75, 0.5, 1, 0.75, 1});
  // Falls of 3, 6 and 12 steps.
  expect_factors(CosineRestarts({.period = 3, .growth = 2, .final_share = 0.5}),
                 {0, 1, 3, 5, 6, 9, 13, 15, 21}, {1, 0.875, 1, 0.875, 0.75, 1, 0.875, 0.75, 1});
}

TEST(CosineRestarts, CountsItsFallsAsALoopDoes) {
  for (const double growth : {1.0, 1.25, 2.0, 3.0, 10.0}) {
    const CosineRestarts schedule({.period = 5, .growth = growth});
    double begin = 0, length = 5;
    for (std::int64_t step = 0; step < 20000; ++step) {
      const auto t = static_cast<double>(step);
      while (t >= begin + length) begin += length, length *= growth;
      const double expected = (1 + std::cos(std::acos(-1.0) * (t - begin) / length)) / 2;
      ASSERT_NEAR(schedule.factor({step, 1, 1}), expected, 1e-8) << step << " growth " << growth;
    }
  }
}

TEST(Polynomial, IsAPowerOfWhatIsLeft) {
  expect_factors(Polynomial({.power = 2}), {0, 1, 2, 4, 9}, {1, 0.5625, 0.25, 0, 0}, 5);
  expect_factors(Polynomial({.power = 3, .final_share = 0.2, .steps = 4}), {2, 4, 5},
                 {0.3, 0.2, 0.2});
}

TEST(OneCycle, RisesAndFalls) {
  // The top is at 0.5·11 − 1 = 4.5, the end at 10.
  expect_factors(
      OneCycle({.rise = 0.5, .first_share = 0.1, .final_share = 0, .anneal = Anneal::kLinear}),
      {0, 3, 10, 20}, {0.1, 0.7, 0, 0}, 11);
  expect_factors(OneCycle({.rise = 0.4, .first_share = 0.2, .final_share = 0.1}), {0, 1, 3, 6, 9},
                 {0.2, 0.4, 1, 0.55, 0.1}, 10);
  expect_factors(OneCycle({.rise = 0}), {0}, {1}, 10);
  expect_factors(OneCycle({.rise = 1}), {9}, {1}, 10);
}

TEST(LinearWarmUp, RisesAndStays) {
  expect_factors(LinearWarmUp({.steps = 4, .first_share = 0.2}), {0, 1, 2, 4, 9},
                 {0.2, 0.4, 0.6, 1, 1});
}

TEST(Schedules, MultiplyToOne) {
  Schedule joined = LinearWarmUp({.steps = 4, .first_share = 0}) *
                    ReduceOnPlateau({.factor = 0.5, .patience = 0}) *
                    ReduceOnPlateau({.factor = 0.1, .patience = 0});
  EXPECT_EQ(joined.name(), "linear_warm_up*reduce_on_plateau*reduce_on_plateau");
  EXPECT_EQ(joined.factor({1, 1, 9}), 0.25);
  joined.observe(1), joined.observe(1);
  EXPECT_DOUBLE_EQ(joined.factor({1, 1, 9}), 0.25 * 0.05);
  Schedule other = LinearWarmUp({.steps = 4, .first_share = 0}) *
                   ReduceOnPlateau({.factor = 0.5, .patience = 0}) *
                   ReduceOnPlateau({.factor = 0.1, .patience = 9});
  ASSERT_EQ(joined.state().size(), 8u);
  other.restore(joined.state());
  EXPECT_EQ(other.state(), joined.state());
  joined.observe(1), other.observe(1);
  EXPECT_DOUBLE_EQ(joined.factor({4, 1, 9}), 0.25 * 0.01);
  EXPECT_DOUBLE_EQ(other.factor({4, 1, 9}), 0.25 * 0.1);
  EXPECT_EQ(error_of([&] { joined.restore({1, 2, 3, 4}); }).kind(), ErrorKind::kValue);
}

TEST(Schedules, TakeListsAsText) {
  const Schedule made = make_schedule("multi_step", {{"milestones", "2,5"}, {"gamma", "0.5"}});
  EXPECT_EQ(factors(made, {1, 2, 5}), (std::vector<double>{1, 0.5, 0.25}));
  EXPECT_EQ(to_string(made.def().options(), made.option_values()), "milestones = 2,5, gamma = 0.5");
  EXPECT_EQ(made.option_values(), MultiStep({.milestones = {2, 5}, .gamma = 0.5}).option_values());
  EXPECT_EQ(to_string(made.def().options(),
                      make_schedule("multi_step", {{"milestones", "none"}}).option_values()),
            "milestones = none, gamma = 0.1");
  EXPECT_EQ(factors(make_schedule("piecewise_constant", {{"boundaries", "3"}, {"shares", "0.25"}}),
                    {2, 3}),
            (std::vector<double>{1, 0.25}));
  const auto refused = [](const char* text) {
    return error_of([text] { (void)make_schedule("multi_step", {{"milestones", text}}); });
  };
  for (const char* text : {"", ",", "1,", ",1", "1,,2", "1;2", "1, 2", "x", "none,1", "1,nan",
                           "1,inf", "-1", "1,1", "2,1", "1,2,2"}) {
    const Error error = refused(text);
    EXPECT_EQ(error.kind(), ErrorKind::kValue) << text;
    EXPECT_EQ(error.op(), "multi_step");
  }
  EXPECT_EQ(refused("1,x").message(),
            "milestones '1,x' is not a rising list of numbers in [0, ∞), or none");
  EXPECT_EQ(refused("1,-2").message(), "milestones -2 is outside [0, ∞)");
  EXPECT_EQ(refused("3,2").message(), "milestones 2 is not above 3 before it");
  // A list where a number belongs is none.
  EXPECT_EQ(error_of([] {
              (void)make_schedule("step", {{"period", "1,2"}});
            }).kind(),
            ErrorKind::kValue);
}

TEST(Schedules, RefuseBadOptions) {
  const double nan = std::nan("");
  EXPECT_EQ(error_of([&] { MultiStep({.milestones = {nan}}); }).kind(), ErrorKind::kValue);
  EXPECT_EQ(error_of([&] { MultiStep({.milestones = {3, 2}}); }).kind(), ErrorKind::kValue);
  EXPECT_EQ(error_of([&] { PiecewiseConstant({.boundaries = {1}, .shares = {-1}}); }).kind(),
            ErrorKind::kValue);
  EXPECT_EQ(error_of([&] {
              PiecewiseConstant({.boundaries = {1, 2}, .shares = {1}});
            }).message(),
            "2 boundaries and 1 shares");
  EXPECT_EQ(error_of([&] {
              PiecewiseConstant({.boundaries = {1}, .shares = {1, 2}});
            }).kind(),
            ErrorKind::kValue);
  for (const ScheduleDef* def : registered_schedules()) {
    const OptionValues defaults = option_values(def->options(), {}, def->name);
    for (std::size_t k = 0; k < defaults.size(); ++k) {
      if (def->options()[k].list != ListKind::kNone) continue;
      for (const double bad : {nan, -1e-3, static_cast<double>(HUGE_VAL)}) {
        OptionValues values = defaults;
        values[k] = bad;
        EXPECT_EQ(error_of([&] { Schedule(*def, values); }).kind(), ErrorKind::kValue)
            << def->name << " " << def->options()[k].name;
      }
    }
  }
}

// ------------------------------------------------------------ as PyTorch has them

/// The factors that PyTorch gave: tests/data/schedules.py.
TEST(Schedules, AreAsInPyTorch) {
  std::ifstream file(WENGERT_TEST_DATA "/schedules.txt");
  ASSERT_TRUE(file);
  int lines = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string name, setting;
    std::int64_t steps = 0;
    std::size_t options = 0;
    words >> name >> steps >> options;
    std::vector<OptionSetting> settings;
    for (std::size_t i = 0; i < options; ++i) {
      words >> setting;
      const std::size_t sign = setting.find('=');
      settings.push_back({setting.substr(0, sign), setting.substr(sign + 1)});
    }
    const Schedule schedule = make_schedule(name, settings);
    std::int64_t step = 0;
    for (double expected = 0; words >> expected; ++step) {
      ASSERT_NEAR(schedule.factor({step, 1, steps}), expected, 1e-12)
          << name << " at " << step << " of " << steps;
    }
    EXPECT_GE(step, 20) << name;
    ++lines;
  }
  EXPECT_GE(lines, 10);
}

TEST(Schedules, AreMadeByNameWithTheirOptions) {
  EXPECT_DOUBLE_EQ(make_schedule("linear_decay", {{"final_share", "0.5"}}).factor({1, 1, 2}), 0.5);
  EXPECT_EQ(error_of([] { (void)make_schedule("linear_decoy"); }).fix(),
            "did you mean 'linear_decay'?");
  EXPECT_EQ(error_of([] {
              (void)make_schedule("linear_decay", {{"final", "0"}});
            }).kind(),
            ErrorKind::kValue);
}

}  // namespace
}  // namespace wengert::optim
