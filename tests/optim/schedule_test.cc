#include "wengert/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

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
