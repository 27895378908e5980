#include "wengert/ops/kernels/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/philox_table.h"
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

TEST(Philox, ElementsAreWhatTheDrawSays) {
  const RandomDraw draw = {9, 1};
  std::vector<double> values(40000);
  fill_uniform(DType::kFloat64, reinterpret_cast<std::byte*>(values.data()), 40000, draw, 0, 1);
  for (std::int64_t i : {0, 1, 2, 16383, 16384, 16385, 39999}) {
    EXPECT_EQ(values[static_cast<std::size_t>(i)], unit_interval(draw.bits(i))) << i;
  }
}

// What the kernels of every level must give, element by element.

template <class T>
T uniform_element(const RandomDraw& draw, std::int64_t i, double low, double high) {
  const double u = sizeof(T) == 4 ? static_cast<double>(draw.bits(i) >> 40) * 0x1p-24
                                  : unit_interval(draw.bits(i));
  const T first = static_cast<T>(low), last = std::nextafter(static_cast<T>(high), first);
  return std::clamp(static_cast<T>(low + 2 * (u * (high * 0.5 - low * 0.5))), first,
                    std::max(first, last));
}

template <class T>
T normal_element(const RandomDraw& draw, std::int64_t i, double mean, double stddev) {
  const double p = (static_cast<double>(draw.bits(i) >> 12) + 0.5) * 0x1p-52;
  return static_cast<T>(mean + stddev * normal_quantile(p));
}

template <class T>
T bernoulli_element(const RandomDraw& draw, std::int64_t i, double p) {
  return static_cast<T>(unit_interval(draw.bits(i)) < p);
}

constexpr std::int64_t kSizes[] = {0,  1,  2,  3,   4,   5,   7,    8,     9,     15,    16,
                                   17, 31, 33, 511, 512, 513, 1055, 16383, 16384, 16385, 50003};

/// Fills sizes that cross lanes, chunks and tasks with 1, 2 and 3 threads; nothing beyond the end
/// may be touched.
template <class T, class Fill, class Element>
void expect_elements(Fill fill, Element element) {
  std::vector<T> right(50003);
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = element(static_cast<std::int64_t>(i));
  for (int threads : {1, 2, 3}) {
    set_thread_count(threads);
    for (std::int64_t n : kSizes) {
      const auto count = static_cast<std::size_t>(n);
      std::vector<T> got(count + 8, T(77));
      fill(dtype_of<T>, reinterpret_cast<std::byte*>(got.data()), n);
      ASSERT_EQ(std::memcmp(got.data(), right.data(), count * sizeof(T)), 0) << n;
      ASSERT_EQ(std::count(got.begin() + n, got.end(), T(77)), 8) << n;
    }
  }
  set_thread_count(0);
}

template <class T>
void expect_floating() {
  const RandomDraw draw = {0x123456789abcdefu, 0xfedcba9876543210u};
  for (auto [low, high] : {std::pair(0.0, 1.0), {-0.05, 0.05}, {1.0, 1.0 + 0x1p-22}, {2.0, 2.0}}) {
    expect_elements<T>([&](DType dtype, std::byte* to,
                           std::int64_t n) { fill_uniform(dtype, to, n, draw, low, high); },
                       [&](std::int64_t i) { return uniform_element<T>(draw, i, low, high); });
  }
  for (auto [mean, stddev] : {std::pair(0.0, 1.0), {3.5, 0.02}}) {
    expect_elements<T>([&](DType dtype, std::byte* to,
                           std::int64_t n) { fill_normal(dtype, to, n, draw, mean, stddev); },
                       [&](std::int64_t i) { return normal_element<T>(draw, i, mean, stddev); });
  }
}

TEST(Philox, UniformAndNormalAtEverySize) {
  expect_floating<float>();
  expect_floating<double>();
}

template <class T>
void expect_bernoulli() {
  const RandomDraw draw = {77, 3};
  // The last p lies between two of the numbers that 53 bits make.
  for (double p : {0.0, 0x1p-60, 0.1, 0.5, 1 - 0x1p-53, 1.0, 1.0 / 3}) {
    expect_elements<T>(
        [&](DType dtype, std::byte* to, std::int64_t n) { fill_bernoulli(dtype, to, n, draw, p); },
        [&](std::int64_t i) { return bernoulli_element<T>(draw, i, p); });
  }
}

TEST(Philox, BernoulliAtEverySizeAndDType) {
  expect_bernoulli<float>();
  expect_bernoulli<double>();
  expect_bernoulli<std::int32_t>();
  expect_bernoulli<std::int64_t>();
  expect_bernoulli<std::uint8_t>();
}

TEST(Philox, BernoulliComparesAtTheEdge) {
  const RandomDraw draw = {5, 6};
  for (std::int64_t i : {0, 3, 10}) {
    const double u = unit_interval(draw.bits(i));
    std::vector<float> values(16);
    for (double p : {u, std::nextafter(u, 1.0), std::nextafter(u, 0.0)}) {
      fill_bernoulli(DType::kFloat32, reinterpret_cast<std::byte*>(values.data()), 16, draw, p);
      EXPECT_EQ(values[static_cast<std::size_t>(i)], u < p ? 1.0f : 0.0f) << p;
    }
  }
}

}  // namespace

namespace baseline {
extern const PhiloxTable philox_table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const PhiloxTable philox_table;
}
namespace avx512 {
extern const PhiloxTable philox_table;
}
#endif

namespace {

/// The tables that this CPU, as WENGERT_CPU_LEVEL limits it, can run.
std::vector<const PhiloxTable*> runnable_tables() {
  std::vector<const PhiloxTable*> tables = {&baseline::philox_table};
#if defined(__x86_64__)
  if (cpu_level() >= CpuLevel::kAvx2) tables.push_back(&avx2::philox_table);
  if (cpu_level() >= CpuLevel::kAvx512) tables.push_back(&avx512::philox_table);
#endif
  return tables;
}

TEST(Philox, LevelsGiveTheSameBitsFromAnyEvenElementOn) {
  const RandomDraw draw = {31, 0x500000007u};
  for (const PhiloxTable* table : runnable_tables()) {
    for (std::int64_t begin : {std::int64_t{0}, std::int64_t{6}, (std::int64_t{1} << 33) - 10}) {
      for (std::int64_t n : {1, 16, 47, 1029}) {
        const auto count = static_cast<std::size_t>(n);
        std::vector<std::uint64_t> bits(count), right(count);
        std::vector<double> normal(count), right_normal(count);
        for (std::int64_t i = 0; i < n; ++i) {
          right[static_cast<std::size_t>(i)] = draw.bits(begin + i);
          right_normal[static_cast<std::size_t>(i)] = normal_element<double>(draw, begin + i, 0, 1);
        }
        table->bits(draw.key, draw.counter, begin, n, bits.data());
        table->normal[1](draw.key, draw.counter, begin, n, normal.data(), 0, 1);
        EXPECT_EQ(bits, right) << begin << " " << n;
        EXPECT_EQ(normal, right_normal) << begin << " " << n;
      }
    }
  }
}

/// The counter whose block is `words`.
Words inverse_philox(Words words, std::array<std::uint32_t, 2> key) {
  const auto reciprocal = [](std::uint32_t odd) {  // modulo 2³², by Newton's iteration
    std::uint32_t r = odd;
    for (int i = 0; i < 5; ++i) r *= 2 - odd * r;
    return r;
  };
  for (std::uint32_t round = 10; round-- > 0;) {
    const std::uint32_t k0 = key[0] + round * 0x9E3779B9u, k1 = key[1] + round * 0xBB67AE85u;
    const std::uint32_t c0 = words[3] * reciprocal(0xD2511F53u);
    const std::uint32_t c2 = words[1] * reciprocal(0xCD9E8D57u);
    const auto high = [](std::uint32_t m, std::uint32_t c) {
      return static_cast<std::uint32_t>(std::uint64_t{m} * c >> 32);
    };
    words = {c0, words[0] ^ high(0xCD9E8D57u, c2) ^ k0, c2, words[2] ^ high(0xD2511F53u, c0) ^ k1};
  }
  return words;
}

TEST(Philox, FarTailsOfNormalNumbersAtEveryLevel) {
  // Numbers beyond 6.6 deviations come up once in 10¹¹: draws that hold some are found backward.
  int found = 0;
  for (std::uint32_t salt = 0; salt < 200; ++salt) {
    const std::uint32_t far = salt * 0x01234567u;
    // The first element's p is below 2⁻³⁷, the second's as near to 1.
    const Words block = {far, salt & 15u, ~far, ~(salt & 15u)};
    const Words counter = inverse_philox(block, {7, 0});
    ASSERT_EQ(philox(counter, {7, 0}), block);
    if (counter[1] >> 28 != 0) continue;  // not an element that 63 bits can number
    ++found;
    const RandomDraw draw = {7, std::uint64_t{counter[3]} << 32 | counter[2]};
    const auto begin = static_cast<std::int64_t>(std::uint64_t{counter[1]} << 32 | counter[0]) * 2;
    for (const PhiloxTable* table : runnable_tables()) {
      double values[2];
      table->normal[1](draw.key, draw.counter, begin, 2, values, 0, 1);
      EXPECT_EQ(values[0], normal_element<double>(draw, begin, 0, 1));
      EXPECT_EQ(values[1], normal_element<double>(draw, begin + 1, 0, 1));
      EXPECT_LT(values[0], -5.5);
      EXPECT_GT(values[1], 5.5);
    }
  }
  EXPECT_GT(found, 3);
}

}  // namespace
}  // namespace wengert::kernels
