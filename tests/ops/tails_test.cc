#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "wengert/wengert.h"

// Losses of what is nearly certain, and their gradients: small numbers that lie beside 1, which a
// difference from 1 would lose. Narrow and wide rows have kernels of their own.
namespace wengert {
namespace {

constexpr double kFar = 40;
const double kSmall = std::exp(-kFar);  // 4.2e-18

class Tails : public ::testing::TestWithParam<DType> {
 protected:
  Tensor tensor(std::vector<double> values) const {
    const auto n = static_cast<std::int64_t>(values.size());
    return Tensor::from(values, {n}).to(GetParam());
  }
  /// One class that has all but n − 1 times kSmall, at place `sure`.
  Tensor row(std::int64_t n, std::int64_t sure) const {
    std::vector<double> values(static_cast<std::size_t>(n), -kFar);
    values[static_cast<std::size_t>(sure)] = 0;
    return tensor(values);
  }
  void expect_near(double actual, double right) const {
    const double epsilon = GetParam() == DType::kFloat32 ? std::numeric_limits<float>::epsilon()
                                                         : std::numeric_limits<double>::epsilon();
    EXPECT_LE(std::fabs(actual - right), 64 * epsilon * std::fabs(right))
        << actual << ", right " << right;
  }
};

TEST_P(Tails, RowsOfNearlyOneClass) {
  for (const std::int64_t n : {2, 5, 70}) {
    for (const std::int64_t sure : {std::int64_t{0}, n - 1}) {
      SCOPED_TRACE(::testing::Message() << n << " classes, " << sure);
      const double others = static_cast<double>(n - 1) * kSmall;
      Tape tape;
      const Var x = variable(row(n, sure));
      expect_near(logsumexp(x).value().at(0), others);
      expect_near(log_softmax(x).value().at(sure), -others);
      const Var loss = softmax_cross_entropy(x, Tensor::scalar(sure));
      expect_near(loss.value().at(0), others);
      const Tensor of_loss = grad(loss, x, {.retain = true}).value();
      const Tensor of_log = grad(log_softmax(x)[sure], x).value();
      for (std::int64_t i = 0; i < n; ++i) {
        expect_near(of_loss.at(i), i == sure ? -others : kSmall);
        expect_near(of_log.at(i), i == sure ? others : -kSmall);
      }
      // Gradients that add to others.
      const Var both = loss + softmax_cross_entropy(x, Tensor::scalar(sure));
      expect_near(grad(both, x).value().at(sure), -2 * others);
    }
  }
}

TEST_P(Tails, TiesForTheMaximum) {
  for (const std::int64_t n : {3, 70}) {
    std::vector<double> values(static_cast<std::size_t>(n), 7);
    values[1] = -1000;
    Tape tape;
    const Var x = variable(tensor(values));
    expect_near(logsumexp(x).value().at(0), 7 + std::log(static_cast<double>(n - 1)));
    const Var loss = softmax_cross_entropy(x, Tensor::scalar(std::int64_t{0}));
    const double share = 1 / static_cast<double>(n - 1);
    expect_near(grad(loss, x).value().at(0), share - 1);
  }
}

TEST_P(Tails, SureLogits) {
  for (const double sign : {1.0, -1.0}) {
    Tape tape;
    const Var x = variable(tensor({sign * kFar}));
    const Var loss = bce_with_logits(x, tensor({sign > 0 ? 1.0 : 0.0}));
    expect_near(loss.value().at(0), kSmall);
    const Var first = grad(loss, x, {.create_graph = true});
    expect_near(first.value().at(0), -sign * kSmall);
    expect_near(grad(first, x).value().at(0), kSmall);
  }
}

/// A row's bits are its own, whatever rows lie beside it.
TEST_P(Tails, RowsDoNotFeelTheirNeighbours) {
  constexpr std::int64_t kRows = 21, kClasses = 3;
  std::vector<double> values;
  for (std::int64_t r = 0; r < kRows; ++r) {
    const double far = r % 3 == 0 ? -kFar : -0.1 - 0.07 * static_cast<double>(r);
    values.insert(values.end(), {0, far, -3 + 0.1 * static_cast<double>(r)});
  }
  const Tensor rows = Tensor::from(values, {kRows, kClasses}).to(GetParam());
  const auto all = [](const Var& x) {
    Tape tape;
    const Var leaf = variable(x.value());
    const Tensor classes = Tensor::zeros({leaf.size(0)}, DType::kInt64);
    const Var loss = softmax_cross_entropy(leaf, classes, Reduction::kSum);
    const Var found[] = {logsumexp(leaf, {1}, true), log_softmax(leaf), softmax(leaf),
                         grad(loss, leaf, {.retain = true})};
    return concat(found, 1).value().to_vector<double>();
  };
  const std::vector<double> together = all(rows);
  const auto width = static_cast<std::ptrdiff_t>(together.size() / kRows);
  for (std::int64_t r = 0; r < kRows; ++r) {
    const std::vector<double> alone = all(rows.rows(r, r + 1));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + r * width)) << r;
  }
}

INSTANTIATE_TEST_SUITE_P(, Tails, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace wengert
