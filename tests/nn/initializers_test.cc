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
TEST(Initializers, NearZero) {
  expect_normal(near_zero_normal(), 0, 1e-4);
  expect_uniform(near_zero_uniform(), -0.01, 0.01);
}
TEST(Initializers, LeCun) {
  expect_normal(lecun_normal(), 0, 1.0 / kRows);
  expect_normal(lecun_normal(3), 0, 9.0 / kRows);
  const double r = std::sqrt(3.0 / kRows);
  expect_uniform(lecun_uniform(), -r, r);
  expect_uniform(lecun_uniform(3), -3 * r, 3 * r);
}
TEST(Initializers, Xavier) {
  expect_normal(xavier_normal(), 0, 2.0 / (kRows + kColumns));
  expect_normal(xavier_normal(3), 0, 18.0 / (kRows + kColumns));
  const double r = std::sqrt(6.0 / (kRows + kColumns));
  expect_uniform(xavier_uniform(), -r, r);
  expect_uniform(xavier_uniform(3), -3 * r, 3 * r);
}
TEST(Initializers, He) {
  expect_normal(he_normal(), 0, 2.0 / kRows);
  expect_normal(he_normal(0.5), 0, 1.6 / kRows);
  const double r = std::sqrt(6.0 / kRows);
  expect_uniform(he_uniform(), -r, r);
  expect_uniform(he_uniform(0.5), -std::sqrt(0.8) * r, std::sqrt(0.8) * r);
}

/// The distribution function of N(0, 1) cut to ±2.
double cut_normal(double x) {
  const auto phi = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  return (phi(std::clamp(x, -2.0, 2.0)) - phi(-2)) / (phi(2) - phi(-2));
}

TEST(Initializers, TruncatedNormalHasTheDeviationThatIsTold) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const auto values = draws(truncated_normal(1, 0.5), 1, dtype);
    EXPECT_NEAR(mean_of(values), 1, 4 * 0.5 / std::sqrt(kCount));
    EXPECT_NEAR(variance_of(values), 0.25, 4 * 0.25 * std::sqrt(2 / kCount));
    constexpr double kScale = 0.5 / 0.8796256610342398;
    for (const double v : values) ASSERT_LE(std::fabs(v - 1), 2 * kScale * (1 + 1e-6));
    EXPECT_LT(kolmogorov(values, [](double x) { return cut_normal((x - 1) / kScale); }), kFar);
  }
  EXPECT_EQ(draws(truncated_normal(2, 0))[7], 2);
}

TEST(Initializers, SparseLeavesEachUnitItsShare) {
  const auto values = draws(sparse(0.25, 0.5));
  std::vector<double> others;
  for (std::int64_t unit = 0; unit < kColumns; ++unit) {
    int zeros = 0;
    for (std::int64_t i = 0; i < kRows; ++i) {
      const double v = values[static_cast<std::size_t>(i * kColumns + unit)];
      zeros += v == 0;
      if (v != 0) others.push_back(v);
    }
    ASSERT_EQ(zeros, kRows / 4) << unit;
  }
  EXPECT_NEAR(variance_of(others), 0.25, 4 * 0.25 * std::sqrt(2 / (0.75 * kCount)));
  // Not the same inputs of every unit, nor the first ones.
  int first = 0;
  for (std::int64_t unit = 0; unit < kColumns; ++unit) {
    first += values[static_cast<std::size_t>(unit)] == 0;
  }
  EXPECT_NEAR(first, 0.25 * kColumns, 4 * std::sqrt(kColumns * 0.25 * 0.75));
  for (const double v : draws(sparse(1))) ASSERT_EQ(v, 0);
  for (const double v : draws(sparse(0))) ASSERT_NE(v, 0);
}

TEST(Initializers, Identity) {
  ParameterSet parameters;
  const auto filled = [&](const char* name, const Shape& shape) {
    return parameters.declare(name, shape, DType::kFloat32, identity(2), {})
        .value()
        .to_vector<double>();
  };
  EXPECT_EQ(filled("high", {3, 2}), (std::vector<double>{2, 0, 0, 2, 0, 0}));
  EXPECT_EQ(filled("wide", {2, 3}), (std::vector<double>{2, 0, 0, 0, 2, 0}));
  EXPECT_ERROR(filled("vector", {3}), kShape, "the parameter is f32[3]");
}

/// The largest deviation of m·mᵀ (rows) or mᵀ·m from gain²·I.
double deviation(const std::vector<double>& m, std::int64_t rows, std::int64_t columns,
                 double gain) {
  const bool by_rows = rows <= columns;
  const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
  const auto at = [&](std::int64_t k, std::int64_t i) {
    return m[static_cast<std::size_t>(by_rows ? k * columns + i : i * columns + k)];
  };
  double worst = 0;
  for (std::int64_t a = 0; a < count; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      double dot = 0;
      for (std::int64_t i = 0; i < length; ++i) dot += at(a, i) * at(b, i);
      worst = std::max(worst, std::fabs(dot - (a == b ? gain * gain : 0)));
    }
  }
  return worst;
}

TEST(Initializers, OrthogonalVectorsAreOrthonormal) {
  for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {1, 1}, {1, 7}, {7, 1}, {64, 64}, {200, 60}, {60, 200}}) {
    for (const double gain : {1.0, 1.5}) {
      ParameterSet parameters(3);
      const auto w = parameters.declare("w", {rows, columns}, DType::kFloat64, orthogonal(gain), {})
                         .value()
                         .to_vector<double>();
      EXPECT_LT(deviation(w, rows, columns, gain), 1e-12) << rows << "x" << columns;
    }
  }
  ParameterSet parameters(3);
  const auto kernel = parameters.declare("k", {4, 3, 2, 2}, DType::kFloat32, orthogonal(), {})
                          .value()
                          .to_vector<double>();
  EXPECT_LT(deviation(kernel, 4, 12, 1), 1e-6);
  EXPECT_ERROR(parameters.declare("b", {3}, DType::kFloat32, orthogonal(), {}), kShape,
               "the parameter is f32[3]");
}

TEST(Initializers, OrthogonalDirectionsAreAllAlike) {
  // The first row of the first of many 3×3 matrices is uniform on the sphere: so is its first
  // coordinate in [−1, 1] (Archimedes), and so are signs.
  std::vector<double> first;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    ParameterSet parameters(seed);
    first.push_back(
        parameters.declare("w", {3, 3}, DType::kFloat64, orthogonal(), {}).value().at(0));
  }
  EXPECT_LT(kolmogorov(first, [](double x) { return (x + 1) / 2; }), kFar);
}

TEST(Initializers, GainsKeepTheVarianceBehindAnActivation) {
  EXPECT_DOUBLE_EQ(gain("identity"), 1);
  EXPECT_DOUBLE_EQ(gain("sigmoid"), 1);
  EXPECT_DOUBLE_EQ(gain("tanh"), 5.0 / 3);
  EXPECT_DOUBLE_EQ(gain("relu"), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(gain("leaky_relu"), std::sqrt(2 / 1.0001));
  EXPECT_DOUBLE_EQ(gain("leaky_relu", 0.5), std::sqrt(1.6));
  EXPECT_DOUBLE_EQ(gain("selu"), 0.75);
  EXPECT_EQ(draws(lecun_normal(gain("relu"))), draws(he_normal()));
  EXPECT_ERROR(static_cast<void>(gain("rellu")), kValue, "no gain is known for 'rellu'");
  EXPECT_ERROR(static_cast<void>(gain("leaky_relu", std::nan(""))), kValue, "the slope is nan");
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
  EXPECT_ERROR(truncated_normal(0, -1), kValue, "the standard deviation is negative");
  EXPECT_ERROR(sparse(-0.1), kValue, "the share of zeros is outside [0, 1]");
  EXPECT_ERROR(sparse(1.1), kValue, "the share of zeros is outside [0, 1]");
  EXPECT_ERROR(sparse(0.5, -1), kValue, "the standard deviation is negative");
  EXPECT_ERROR(lecun_normal(-1), kValue, "the gain is negative");
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

// ------------------------------------------------------------ what every initializer keeps to

class EveryInitializer : public ::testing::TestWithParam<const InitializerDef*> {
 protected:
  static Initializer made() {
    const InitializerDef& def = *GetParam();
    return make_initializer(def, def.numbers[0].example, def.numbers[1].example);
  }
};

TEST_P(EveryInitializer, HasAPageAndNumbers) {
  const InitializerDef& def = *GetParam();
  for (const std::string_view text :
       {def.doc.summary, def.doc.formula, def.doc.notes, def.doc.source}) {
    EXPECT_FALSE(text.empty());
  }
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_ERROR(make_initializer(def, bad, 0), kValue, "its numbers must be finite");
    EXPECT_ERROR(make_initializer(def, 0, bad), kValue, "its numbers must be finite");
  }
}

TEST_P(EveryInitializer, DependsOnSeedAndNameAndNothingElse) {
  const auto filled = [](std::uint64_t seed, const char* name, DType dtype) {
    ParameterSet parameters(seed);
    const Tensor w = parameters.declare(name, {12, 9}, dtype, made(), {12, 9}).value();
    EXPECT_EQ(w.dtype(), dtype);
    return w.to_vector<double>();
  };
  const auto w = filled(7, "w", DType::kFloat64);
  EXPECT_EQ(w, filled(7, "w", DType::kFloat64));
  const bool draws = filled(8, "w", DType::kFloat64) != w;
  EXPECT_EQ(filled(7, "v", DType::kFloat64) != w, draws);
  EXPECT_EQ(draws, made().name != "constant" && made().name != "identity");
  for (const double v : filled(7, "w", DType::kFloat32)) EXPECT_TRUE(std::isfinite(v));
}

TEST_P(EveryInitializer, FillsWhatHasNoElements) {
  ParameterSet parameters;
  EXPECT_EQ(parameters.declare("a", {0, 3}, DType::kFloat32, made(), {0, 3}).value().shape(),
            (Shape{0, 3}));
  EXPECT_EQ(parameters.declare("b", {3, 0}, DType::kFloat64, made(), {3, 0}).value().shape(),
            (Shape{3, 0}));
}

TEST_P(EveryInitializer, DrawsFloatingNumbersAlone) {
  if (made().name == "constant") return;  // of any dtype
  ParameterSet parameters;
  try {
    parameters.declare("w", {2, 2}, DType::kInt64, made(), {2, 2});
    ADD_FAILURE() << "integers were drawn";
  } catch (const Error& error) {
    EXPECT_EQ(error.op(), made().name);
    EXPECT_EQ(error.message(), "draws float32 or float64, the parameter is i64[2,2]");
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryInitializer, ::testing::ValuesIn(registered_initializers()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Initializers, ConstantFillsAnyDtypeThatHoldsItsNumber) {
  ParameterSet parameters;
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
