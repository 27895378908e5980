#include "wengert/ops/kernels/measure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "wengert/ops/kernels/thread_pool.h"

// Runs at every CPU level (tests/CMakeLists.txt).
namespace wengert::kernels {
namespace {

/// Ends that fill no vector or group of vectors, and sizes around that of a task.
constexpr std::int64_t kSizes[] = {0,  1,  2,  7,   8,   9,     31,    33,
                                   63, 64, 65, 127, 129, 65535, 65537, 131072 + 77};

template <class T>
std::vector<T> irregular(std::int64_t n) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i) {
    values.push_back(static_cast<T>(std::sin(1.7 * static_cast<double>(i) + 0.4)));
  }
  return values;
}

template <class T>
class MeasureOf : public ::testing::Test {
 public:
  static constexpr DType kDType = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(MeasureOf, Floats);

TYPED_TEST(MeasureOf, FindsTheOneElementThatIsNotFinite) {
  using T = TypeParam;
  for (const std::int64_t n : kSizes) {
    std::vector<T> x = irregular<T>(n);
    EXPECT_TRUE(all_finite(this->kDType, x.data(), n)) << n;
    for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      if (n == 0) continue;
      for (const T bad : {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN()}) {
        const T good = std::exchange(x[static_cast<std::size_t>(at)], bad);
        EXPECT_FALSE(all_finite(this->kDType, x.data(), n)) << at << " of " << n;
        x[static_cast<std::size_t>(at)] = good;
      }
    }
    if (n > 0) x[0] = std::numeric_limits<T>::max();
    EXPECT_TRUE(all_finite(this->kDType, x.data(), n)) << n;
  }
}

TYPED_TEST(MeasureOf, SumsSquaresToAFewRoundings) {
  using T = TypeParam;
  for (const std::int64_t n : kSizes) {
    const std::vector<T> x = irregular<T>(n);
    long double expected = 0;
    for (const T v : x) expected += static_cast<long double>(v) * static_cast<long double>(v);
    const double total = sum_of_squares(this->kDType, x.data(), n);
    const double tolerance = 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
    EXPECT_NEAR(total, static_cast<double>(expected), tolerance * static_cast<double>(expected))
        << n;
    for (const int threads : {1, 2, 3}) {
      set_thread_count(threads);
      EXPECT_EQ(sum_of_squares(this->kDType, x.data(), n), total) << n << ", " << threads;
    }
    set_thread_count(0);
  }
  // Squares beyond float32's range, and below it where float32 would have lost them.
  for (const double size : {1e30, 1e-12, 1e-16, 1e-25, 1e-30}) {
    const std::vector<T> x(40, static_cast<T>(size));
    EXPECT_NEAR(sum_of_squares(this->kDType, x.data(), 40) / (40 * size * size), 1, 1e-6) << size;
  }
}

TYPED_TEST(MeasureOf, ScalesOverOrOnto) {
  using T = TypeParam;
  for (const std::int64_t n : kSizes) {
    const std::vector<T> x = irregular<T>(n);
    std::vector<T> over(x.size() + 1, T(3)), onto(x.size() + 1, T(3)), in_place = x;
    scaled(this->kDType, x.data(), n, -0.3, over.data(), false);
    scaled(this->kDType, x.data(), n, -0.3, onto.data(), true);
    scaled(this->kDType, in_place.data(), n, -0.3, in_place.data(), false);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T expected = x[i] * static_cast<T>(-0.3);
      ASSERT_EQ(over[i], expected) << i << " of " << n;
      ASSERT_EQ(in_place[i], expected) << i << " of " << n;
      ASSERT_EQ(onto[i], T(3) + expected) << i << " of " << n;
    }
    EXPECT_EQ(over.back(), T(3));
    EXPECT_EQ(onto.back(), T(3));
  }
}

}  // namespace
}  // namespace wengert::kernels
