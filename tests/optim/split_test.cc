#include "wengert/optim/training/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "tests/optim/training_models.h"

namespace wengert::optim {
namespace {

using Examples = std::vector<std::int64_t>;

Examples sorted(Examples values) {
  std::sort(values.begin(), values.end());
  return values;
}
Examples all_of(std::int64_t count) {
  Examples values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}
Examples together(const Split& split) {
  Examples all = split.train;
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  all.insert(all.end(), split.test.begin(), split.test.end());
  return sorted(all);
}

/// 1000 examples: 700 of label 3, 250 of −1, 49 of 8 and one of 9, mixed.
Examples labels() {
  Examples result;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const std::int64_t place = i * 387 % 1000;
    result.push_back(place < 700 ? 3 : place < 950 ? -1 : place < 999 ? 8 : 9);
  }
  return result;
}

std::map<std::int64_t, int> counts(const Examples& examples, const Examples& labels) {
  std::map<std::int64_t, int> result;
  for (const std::int64_t i : examples) ++result[labels[static_cast<std::size_t>(i)]];
  return result;
}

TEST(Split, IsDisjointAndComplete) {
  for (const HeldOut held_out : {HeldOut{0, 0}, HeldOut{1, 0}, HeldOut{30, 20}, HeldOut{99, 0},
                                 HeldOut{0, 99}, HeldOut{49, 50}}) {
    for (const Split& split :
         {split_examples(100, held_out, 5), split_stratified(Examples(100, 7), held_out, 5)}) {
      EXPECT_EQ(split.validation.size(), static_cast<std::size_t>(held_out.validation));
      EXPECT_EQ(split.test.size(), static_cast<std::size_t>(held_out.test));
      EXPECT_EQ(together(split), all_of(100));
    }
  }
}

TEST(Split, DependsOnTheSeedAlone) {
  const auto expect = [](const auto& make) {
    const Split a = make(5), b = make(5), c = make(6);
    EXPECT_EQ(a.train, b.train);
    EXPECT_EQ(a.validation, b.validation);
    EXPECT_EQ(a.test, b.test);
    EXPECT_NE(sorted(a.validation), sorted(c.validation));
    EXPECT_EQ(sorted(a.test) == sorted(c.test), a.test.empty());
    EXPECT_NE(sorted(a.validation), all_of(300)) << "not random";
  };
  expect([](std::uint64_t seed) { return split_examples(1000, {300, 100}, seed); });
  expect([](std::uint64_t seed) { return split_stratified(labels(), {300, 100}, seed); });
  expect([](std::uint64_t seed) { return k_folds(1000, 3, seed)[1]; });
  expect([](std::uint64_t seed) { return stratified_k_folds(labels(), 3, seed)[1]; });
}

TEST(Split, HoldsOutEachPartEqually) {
  // Of 10000, 5000 held out: about half of every tenth, four standard deviations wide.
  const Split split = split_examples(10000, {5000}, 9);
  std::vector<int> tenths(10);
  for (const std::int64_t i : split.validation) ++tenths[static_cast<std::size_t>(i / 1000)];
  for (const int count : tenths) EXPECT_NEAR(count, 500, 4 * 15);
}

TEST(Split, StratifiedKeepsEveryLabelsShare) {
  const Split split = split_stratified(labels(), {200, 100}, 5);
  EXPECT_EQ(together(split), all_of(1000));
  for (const auto& [label, all] : counts(all_of(1000), labels())) {
    EXPECT_NEAR(counts(split.validation, labels())[label], 0.2 * all, 2) << label;
    EXPECT_NEAR(counts(split.test, labels())[label], 0.1 * all, 2) << label;
    EXPECT_NEAR(counts(split.train, labels())[label], 0.7 * all, 1) << label;
  }
}

TEST(Split, StratifiedKeepsSharesOfFewExamplesToo) {
  // Of some hundred sets of small labels, whatever is held out.
  int seed = 0;
  for (std::int64_t classes = 2; classes < 6; ++classes) {
    for (std::int64_t validation = 0; validation < 8; ++validation) {
      for (std::int64_t test = 0; test < 4; ++test) {
        Examples mixed;
        for (std::int64_t label = 0; label < classes; ++label) {
          const std::int64_t count = 3 + (label * 5 + validation * 3 + test) % 6;
          mixed.insert(mixed.end(), static_cast<std::size_t>(count), label);
        }
        const auto all = static_cast<std::int64_t>(mixed.size());
        if (validation + test >= all) continue;
        const Split split =
            split_stratified(mixed, {validation, test}, static_cast<std::uint64_t>(++seed));
        EXPECT_EQ(together(split), all_of(all));
        EXPECT_EQ(split.validation.size(), static_cast<std::size_t>(validation));
        auto left = counts(split.train, mixed), tested = counts(split.test, mixed);
        for (const auto& [label, count] : counts(all_of(all), mixed)) {
          const double share = static_cast<double>(count) / static_cast<double>(all);
          const auto rest = static_cast<double>(all - validation - test);
          EXPECT_LT(std::fabs(left[label] - share * rest), 1) << label;
          EXPECT_LT(std::fabs(tested[label] - share * static_cast<double>(test)), 2) << label;
        }
      }
    }
  }
}

TEST(Split, RefusesWhatCannotBeHeldOut) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const auto& [count, held_out] :
       std::vector<std::pair<std::int64_t, HeldOut>>{{10, {10}},
                                                     {10, {11}},
                                                     {10, {-1}},
                                                     {0, {0}},
                                                     {10, {0, -1}},
                                                     {10, {5, 5}},
                                                     {10, {kMost, kMost}},
                                                     {10, {1, kMost}}}) {
    const std::int64_t n = count;
    const HeldOut held = held_out;
    EXPECT_EQ(error_of([&] { (void)split_examples(n, held, 1); }).kind(), ErrorKind::kValue) << n;
    const Examples same(static_cast<std::size_t>(n), 1);
    EXPECT_EQ(error_of([&] { (void)split_stratified(same, held, 1); }).kind(), ErrorKind::kValue);
  }
}

TEST(KFolds, HoldOutEachExampleOnce) {
  for (const std::int64_t count : {2, 10, 11, 100}) {
    for (const std::int64_t folds : {2, 3, 10}) {
      if (folds > count) continue;
      const Examples same(static_cast<std::size_t>(count), 1);
      for (const auto& splits : {k_folds(count, folds, 4), stratified_k_folds(same, folds, 4)}) {
        ASSERT_EQ(splits.size(), static_cast<std::size_t>(folds));
        Examples held_out;
        for (const Split& split : splits) {
          EXPECT_EQ(together(split), all_of(count));
          EXPECT_TRUE(split.test.empty());
          const auto size = static_cast<std::int64_t>(split.validation.size());
          EXPECT_TRUE(size == count / folds || size == (count + folds - 1) / folds) << size;
          held_out.insert(held_out.end(), split.validation.begin(), split.validation.end());
        }
        EXPECT_EQ(sorted(held_out), all_of(count));
      }
    }
  }
}

TEST(KFolds, StratifiedOnesHaveTheSameLabels) {
  for (const Split& split : stratified_k_folds(labels(), 7, 4)) {
    for (const auto& [label, all] : counts(all_of(1000), labels())) {
      EXPECT_NEAR(counts(split.validation, labels())[label], all / 7.0, 1) << label;
    }
  }
}

TEST(KFolds, RefuseMoreFoldsThanExamplesAndFewerThanTwo) {
  for (const auto& [count, folds] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {3, 4}, {3, 1}, {3, 0}, {3, -1}, {0, 2}}) {
    const std::int64_t n = count, k = folds;
    const Error error = error_of([&] { (void)k_folds(n, k, 1); });
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    EXPECT_EQ(error.message(), std::to_string(k) + " folds of " + std::to_string(n) + " examples");
    const Examples same(static_cast<std::size_t>(n), 1);
    EXPECT_EQ(error_of([&] { (void)stratified_k_folds(same, k, 1); }).kind(), ErrorKind::kValue);
  }
}

}  // namespace
}  // namespace wengert::optim
