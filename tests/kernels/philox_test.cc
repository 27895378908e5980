#include "wengert/ops/kernels/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox, KnownAnswersOfRandom123) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, QuantileInvertsTheDistribution) {
  for (double p = 1e-15; p < 0.5; p *= 1.7) {
    const double x = normal_quantile(p);
    // d(log Φ)/dx ≈ −x in the tail: a relative error e of x moves p by x²·e.
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)) / p, 1, 4e-15 * (1 + x * x)) << p;
    if (p > 1e-3) {
      EXPECT_NEAR(normal_quantile(1 - p), -x, 1e-12) << p;
    }
  }
  EXPECT_EQ(normal_quantile(0.5), 0);
}

TEST(Philox, SameBitsAtAnyThreadCount) {
  const RandomDraw draw = {123, 45};
  std::vector<float> first(100001), again(100001);
  set_thread_count(1);
  fill_normal(DType::kFloat32, reinterpret_cast<std::byte*>(first.data()), 100001, draw, 0, 1);
  for (int threads : {2, 3, 8}) {
    set_thread_count(threads);
    fill_normal(DType::kFloat32, reinterpret_cast<std::byte*>(again.data()), 100001, draw, 0, 1);
    EXPECT_EQ(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)), 0);
  }
  set_thread_count(0);
}

TEST(Philox, ElementsAreWhatTheDrawSays) {
  const RandomDraw draw = {9, 1};
  std::vector<double> values(40000);
  fill_uniform(DType::kFloat64, reinterpret_cast<std::byte*>(values.data()), 40000, draw, 0, 1);
  for (std::int64_t i : {0, 1, 2, 16383, 16384, 16385, 39999}) {
    EXPECT_EQ(values[static_cast<std::size_t>(i)], unit_interval(draw.bits(i))) << i;
  }
}

}  // namespace
}  // namespace wengert::kernels
