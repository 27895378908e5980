#include "wengert/nn/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert::nn {
namespace {

constexpr std::int64_t kRows = 200, kColumns = 300;
constexpr double kCount = kRows * kColumns;
constexpr Fans kFans{kRows, kColumns};

std::vector<double> draws(const Initializer& initializer, std::uint64_t seed = 1,
                          DType dtype = DType::kFloat64) {
  ParameterSet parameters(seed);
  std::vector<double> values = parameters.declare("w", {kRows, kColumns}, dtype, initializer, kFans)
                                   .value()
                                   .to_vector<double>();
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}
double variance_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(values.size() - 1);
}

/// Kolmogorov's distance between a sample and a distribution function, times √n.
template <class Cdf>
double kolmogorov(std::vector<double> values, Cdf&& cdf) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(values[i]), k = static_cast<double>(i);
    distance = std::max({distance, p - k / n, (k + 1) / n - p});
  }
  return distance * std::sqrt(n);
}

/// Beyond 1.95 a true sample lies with probability 0.001; the seeds here are fixed.
constexpr double kFar = 1.95;

void expect_normal(const Initializer& initializer, double mean, double variance) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const auto values = draws(initializer, 1, dtype);
    const double stddev = std::sqrt(variance);
    EXPECT_NEAR(mean_of(values), mean, 4 * stddev / std::sqrt(kCount));
    EXPECT_NEAR(variance_of(values), variance, 4 * variance * std::sqrt(2 / kCount));
    EXPECT_LT(kolmogorov(values,
                         [=](double x) {
                           return 0.5 * std::erfc((mean - x) / (stddev * std::sqrt(2.0)));
                         }),
              kFar);
  }
}

void expect_uniform(const Initializer& initializer, double low, double high) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const auto values = draws(initializer, 1, dtype);
    const double variance = (high - low) * (high - low) / 12;
    EXPECT_NEAR(mean_of(values), (low + high) / 2, 4 * std::sqrt(variance / kCount));
    EXPECT_NEAR(variance_of(values), variance, 4 * variance * std::sqrt(0.8 / kCount));
    const double edge = 1e-6 * (high - low);
    EXPECT_GE(*std::min_element(values.begin(), values.end()), low - edge);
    EXPECT_LE(*std::max_element(values.begin(), values.end()), high + edge);
    EXPECT_LT(kolmogorov(values, [=](double x) { return (x - low) / (high - low); }), kFar);
  }
}

TEST(Initializers, Normal) {
  expect_normal(normal(0, 1), 0, 1);
  expect_normal(normal(-3, 0.5), -3, 0.25);
}
TEST(Initializers, Uniform) {
  expect_uniform(uniform(0, 1), 0, 1);
  expect_uniform(uniform(-2, 5), -2, 5);
}
TEST(Initializers, Xavier) {
  expect_normal(xavier_normal(), 0, 2.0 / (kRows + kColumns));
  const double r = std::sqrt(6.0 / (kRows + kColumns));
  expect_uniform(xavier_uniform(), -r, r);
}
TEST(Initializers, He) {
  expect_normal(he_normal(), 0, 2.0 / kRows);
  const double r = std::sqrt(6.0 / kRows);
  expect_uniform(he_uniform(), -r, r);
}
TEST(Initializers, TheDistanceTellsOtherDistributionsApart) {
  // The same mean and variance as he_normal, the wrong shape: the test above would fail.
  const double stddev = std::sqrt(2.0 / kRows);
  EXPECT_GT(kolmogorov(draws(he_uniform()),
                       [=](double x) { return 0.5 * std::erfc(-x / (stddev * std::sqrt(2.0))); }),
            kFar);
}

TEST(Initializers, Constant) {
  for (const double v : draws(constant(-0.75))) ASSERT_EQ(v, -0.75);
}

TEST(Initializers, DegenerateSpreadsAreTheirOneValue) {
  for (const double v : draws(normal(2, 0))) ASSERT_EQ(v, 2);
  for (const double v : draws(uniform(3, 3))) ASSERT_EQ(v, 3);
}

TEST(Initializers, DependOnSeedAndNameAndNothingElse) {
  EXPECT_EQ(draws(he_normal(), 7), draws(he_normal(), 7));
  EXPECT_NE(draws(he_normal(), 7), draws(he_normal(), 8));
  ParameterSet one(7), other(7);
  const auto declare = [](ParameterSet& set, const char* name) {
    return set.declare(name, {4, 5}, DType::kFloat32, he_normal(), {4, 5})
        .value()
        .to_vector<double>();
  };
  const auto a = declare(one, "a"), b = declare(one, "b");
  EXPECT_NE(a, b);
  EXPECT_EQ(declare(other, "b"), b) << "the order of creation matters";
  EXPECT_EQ(declare(other, "a"), a);
  const Scope scope("layer");
  EXPECT_NE(declare(other, "a"), a) << "the scope is part of the name";
}

TEST(Initializers, RefuseBadNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(normal(0, -1), kValue, "the standard deviation is negative");
  EXPECT_ERROR(uniform(1, 0), kValue, "high is below low");
  for (const double bad : {nan, infinity, -infinity}) {
    EXPECT_ERROR(normal(bad, 1), kValue, "its numbers must be finite");
    EXPECT_ERROR(normal(0, bad), kValue, "its numbers must be finite");
    EXPECT_ERROR(uniform(bad, 1), kValue, "its numbers must be finite");
    EXPECT_ERROR(uniform(0, bad), kValue, "its numbers must be finite");
    EXPECT_ERROR(constant(bad), kValue, "its numbers must be finite");
  }
}

TEST(Initializers, ThatScaleByFansNeedThem) {
  ParameterSet parameters;
  const auto declare = [&](const Initializer& initializer, const Shape& shape, const Fans& fans) {
    parameters.declare("w", shape, DType::kFloat32, initializer, fans);
  };
  EXPECT_ERROR(declare(he_normal(), {2, 3}, {}), kValue,
               "its scale comes from the fans, which are fan_in=0, fan_out=0");
  EXPECT_ERROR(declare(he_uniform(), {2, 3}, {0, 3}), kValue,
               "its scale comes from the fans, which are fan_in=0, fan_out=3");
  EXPECT_ERROR(declare(xavier_normal(), {2, 3}, {}), kValue,
               "its scale comes from the fans, which are fan_in=0, fan_out=0");
  EXPECT_ERROR(declare(xavier_uniform(), {2, 3}, {}), kValue,
               "its scale comes from the fans, which are fan_in=0, fan_out=0");
  EXPECT_EQ(parameters.size(), 0u);
  declare(he_normal(), {0, 3}, {0, 3});  // nothing to fill
  EXPECT_EQ(parameters.size(), 1u);
}

TEST(Initializers, DrawFloatingNumbersAlone) {
  ParameterSet parameters;
  for (const Initializer& initializer : {normal(0, 1), uniform(0, 1), he_normal(), he_uniform(),
                                         xavier_normal(), xavier_uniform()}) {
    try {
      parameters.declare("w", {2}, DType::kInt64, initializer, {2, 2});
      ADD_FAILURE() << initializer.name << " drew integers";
    } catch (const Error& error) {
      EXPECT_EQ(error.op(), initializer.name);
      EXPECT_EQ(error.message(), "draws float32 or float64, the parameter is i64[2]");
    }
  }
  EXPECT_ERROR(parameters.declare("w", {2}, DType::kInt64, constant(0.5), {}), kValue,
               "0.5 is no int64");
  EXPECT_EQ(parameters.declare("w", {2}, DType::kInt64, constant(3), {}).value().at(1), 3);
}

TEST(Fans, AreReadOffTheConsumingOp) {
  const auto fans = [](const char* op, const Shape& x, const Shape& w) {
    const Shape shapes[] = {x, w};
    return fans_of(*find_op(op), DType::kFloat32, shapes, 1);
  };
  for (const char* op : {"linear", "matmul"}) {
    const Fans of_matrix = fans(op, {64, 784}, {784, 300});
    EXPECT_EQ(of_matrix.fan_in, 784) << op;
    EXPECT_EQ(of_matrix.fan_out, 300) << op;
  }
  const Shape alike[] = {{3}, {3}};
  EXPECT_THROW(fans_of(*find_op("add"), DType::kFloat32, alike, 1), Error);
}

}  // namespace
}  // namespace wengert::nn
