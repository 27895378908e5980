#include "wengert/ops/kernels/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace wengert::kernels {
namespace {

template <class T>
class RowKernelsTest : public testing::Test {};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(RowKernelsTest, Floats);

template <class T>
std::vector<T> random_numbers(std::int64_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x) value = static_cast<T>(static_cast<int>(random() % 2001) - 1000) / 7;
  return x;
}

// Lengths below, at and across the lanes of every level, and several blocks of 1024.
constexpr std::int64_t kLengths[] = {0,  1,  2,  3,  4,  5,  7,  8,   9,   15,   16,   17,  31,
                                     32, 33, 47, 63, 64, 65, 70, 127, 500, 1024, 1025, 5000};

TYPED_TEST(RowKernelsTest, SumsAreThoseOfEachRowAlone) {
  using T = TypeParam;
  const auto& kernels = row_kernels<T>();
  for (const std::int64_t n : kLengths) {
    for (const std::int64_t rows : {0, 1, 3, 70}) {
      const std::vector<T> x = random_numbers<T>(rows * n);
      std::vector<T> to(static_cast<std::size_t>(rows + 1), T(5)), added = to;
      kernels.sums(x.data(), rows, n, to.data(), false);
      kernels.sums(x.data(), rows, n, added.data(), true);
      for (std::int64_t r = 0; r < rows; ++r) {
        const T* row = x.data() + r * n;
        const auto at = static_cast<std::size_t>(r);
        EXPECT_EQ(to[at], kernels.sum(row, n));
        EXPECT_EQ(added[at], T(5) + to[at]);
        double right = 0, magnitude = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          right += static_cast<double>(row[i]);
          magnitude += std::fabs(static_cast<double>(row[i]));
        }
        // Blocks of lanes, then pairs: far fewer than n roundings on the way of any element.
        const double bound = std::numeric_limits<T>::epsilon() * magnitude * 40;
        EXPECT_NEAR(static_cast<double>(to[at]), right, bound) << n;
      }
      EXPECT_EQ(to.back(), T(5));
    }
  }
}

TYPED_TEST(RowKernelsTest, ExtremesOfEachRow) {
  using T = TypeParam;
  const auto& kernels = row_kernels<T>();
  for (const std::int64_t n : kLengths) {
    if (n == 0) continue;
    constexpr std::int64_t kRows = 35;
    std::vector<T> x = random_numbers<T>(kRows * n);
    const std::int64_t with_nan = 3;
    x[static_cast<std::size_t>(with_nan * n + n / 2)] = std::numeric_limits<T>::quiet_NaN();
    std::vector<T> largest(kRows), smallest(kRows);
    kernels.maxima(x.data(), kRows, n, largest.data());
    kernels.minima(x.data(), kRows, n, smallest.data());
    for (std::int64_t r = 0; r < kRows; ++r) {
      const auto at = static_cast<std::size_t>(r);
      if (r == with_nan) {
        EXPECT_TRUE(std::isnan(largest[at]) && std::isnan(smallest[at])) << n;
        continue;
      }
      T high = x[at * static_cast<std::size_t>(n)], low = high;
      for (std::int64_t i = 1; i < n; ++i) {
        high = std::max(high, x[static_cast<std::size_t>(r * n + i)]);
        low = std::min(low, x[static_cast<std::size_t>(r * n + i)]);
      }
      EXPECT_EQ(largest[at], high) << n;
      EXPECT_EQ(smallest[at], low) << n;
    }
  }
}

TYPED_TEST(RowKernelsTest, NanWinsAtAnyPlace) {
  using T = TypeParam;
  const auto& kernels = row_kernels<T>();
  for (const std::int64_t n : {1, 2, 5, 16, 33, 70}) {
    for (std::int64_t place = 0; place < n; ++place) {
      std::vector<T> x = random_numbers<T>(n);
      x[static_cast<std::size_t>(place)] = std::numeric_limits<T>::quiet_NaN();
      T largest = 0, smallest = 0;
      kernels.maxima(x.data(), 1, n, &largest);
      kernels.minima(x.data(), 1, n, &smallest);
      EXPECT_TRUE(std::isnan(largest)) << n << " " << place;
      EXPECT_TRUE(std::isnan(smallest)) << n << " " << place;
    }
  }
}

}  // namespace
}  // namespace wengert::kernels
