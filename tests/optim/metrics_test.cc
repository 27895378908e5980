#include "wengert/optim/training/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "wengert/graph/tensor.h"

namespace wengert::optim {
namespace {

TEST(Accuracy, TakesTheFirstOfEqualClasses) {
  const Tensor scores = Tensor::from({1., 1., 0., 2., 3., 3., -1., -1., -1.}, {3, 3});
  const auto right = [&](std::vector<std::int64_t> targets) {
    const auto rows = static_cast<std::int64_t>(targets.size());
    return accuracy(scores, Tensor::from(targets, {rows})).sum;
  };
  EXPECT_EQ(right({0, 1, 0}), 3);
  EXPECT_EQ(right({1, 2, 2}), 0);
}

TEST(Accuracy, CountsWhatIsNotIgnored) {
  const Tensor scores = Tensor::from({1., 0., 0., 1., 1., 0.}, {3, 2});
  const Metric metric =
      accuracy(scores, Tensor::from(std::vector<std::int64_t>{0, -1, 1}, {3}), -1);
  EXPECT_EQ(metric.sum, 1);
  EXPECT_EQ(metric.weight, 2);
  EXPECT_EQ(metric.value(), 0.5);
  const Metric none = accuracy(scores, Tensor::from(std::vector<std::int64_t>{7, 7, 7}, {3}), 7);
  EXPECT_TRUE(std::isnan(none.value()));
}

TEST(Totals, AddNumeratorsAndDenominators) {
  Totals totals(2.0, 3, std::vector<Metric>{{"m", 1, 2}});
  totals += Totals(5.0, 1, std::vector<Metric>{{"m", 3, 1}, {"n", 1, 1}});
  EXPECT_EQ(totals.loss(), (2.0 * 3 + 5) / 4);
  EXPECT_EQ(totals.value("m"), 4.0 / 3);
  EXPECT_EQ(totals.value("n"), 1);
}

}  // namespace
}  // namespace wengert::optim
