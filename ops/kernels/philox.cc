#include "wengert/ops/kernels/philox.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "wengert/ops/kernels/level.h"
#include "wengert/ops/kernels/philox_table.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(PhiloxTable, philox_table)

namespace {

std::array<std::uint32_t, 4> block(const RandomDraw& draw, std::uint64_t index) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  return philox({low(index), high(index), low(draw.counter), high(draw.counter)},
                {low(draw.key), high(draw.key)});
}

/// Calls body(begin, n) on the pool for parts of [0, n), cut by size alone.
template <class Body>
void in_parts(std::int64_t n, Body&& body) {
  constexpr std::int64_t kPart = 16384;  // some 16 µs; even, so that blocks do not straddle parts
  WENGERT_SPLIT(RandomTasks, n, kPart);
  parallel_for((n + kPart - 1) / kPart,
               [&](std::int64_t task) { body(task * kPart, std::min(kPart, n - task * kPart)); });
}

/// Natural logarithm from the four operations alone; x > 0 and normal.
double log_portable(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  // log m = 2·artanh s with |s| ≤ 0.1716: the eleventh term is below 1e-18.
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double series = 0;
  for (int k = 10; k >= 0; --k) series = series * s2 + 1.0 / (2 * k + 1);
  return 2 * s * series + exponent * 0.69314718055994530942;
}

double ratio(const double (&p)[8], const double (&q)[8], double r) {
  double above = p[7], below = q[7];
  for (int k = 6; k >= 0; --k) {
    above = above * r + p[k];
    below = below * r + q[k];
  }
  return above / below;
}

}  // namespace

std::uint64_t RandomDraw::bits(std::int64_t i) const {
  const auto words = block(*this, static_cast<std::uint64_t>(i) / 2);
  return i % 2 == 0 ? std::uint64_t{words[1]} << 32 | words[0]
                    : std::uint64_t{words[3]} << 32 | words[2];
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) return q * ratio(kCenterAbove, kCenterBelow, 0.180625 - q * q);
  const double r = std::sqrt(-log_portable(q < 0 ? p : 1 - p));
  const double x =
      r <= 5 ? ratio(kTailAbove, kTailBelow, r - 1.6) : ratio(kFarAbove, kFarBelow, r - 5);
  return q < 0 ? -x : x;
}

void fill_uniform(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double low,
                  double high) {
  dispatch_floating(dtype, [&]<class T>(T) {
    // Rounding may reach the upper end, which does not belong to the interval.
    const T first = static_cast<T>(low), last = std::nextafter(static_cast<T>(high), first);
    // Halves, so that a range above the largest number does not overflow.
    const UniformNumbers numbers = {low, high * 0.5 - low * 0.5, first, std::max(first, last)};
    const auto kernel = active_philox_table().uniform[sizeof(T) == 4 ? 0 : 1];
    in_parts(n, [&](std::int64_t begin, std::int64_t count) {
      kernel(draw.key, draw.counter, begin, count, reinterpret_cast<T*>(to) + begin, numbers);
    });
  });
}

void fill_normal(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double mean,
                 double stddev) {
  dispatch_floating(dtype, [&]<class T>(T) {
    const auto kernel = active_philox_table().normal[sizeof(T) == 4 ? 0 : 1];
    in_parts(n, [&](std::int64_t begin, std::int64_t count) {
      kernel(draw.key, draw.counter, begin, count, reinterpret_cast<T*>(to) + begin, mean, stddev);
    });
  });
}

namespace {

/// u < p for u = x·2⁻⁵³ says the same as x < ⌈p·2⁵³⌉; false for a p that is no number.
std::int64_t threshold_of(double p) {
  const double scaled = std::ceil(p * 0x1p53);
  return scaled > 0 ? static_cast<std::int64_t>(std::fmin(scaled, 0x1p53)) : 0;
}

}  // namespace

void fill_bernoulli(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double p) {
  const std::int64_t threshold = threshold_of(p);
  dispatch(dtype, [&]<class T>(T) {
    const T value = static_cast<T>(1);
    std::uint64_t one = 0;
    std::memcpy(&one, &value, sizeof value);
    const auto kernel = active_philox_table().bernoulli[sizeof(T) / 4];
    in_parts(n, [&](std::int64_t begin, std::int64_t count) {
      kernel(draw.key, draw.counter, begin, count, reinterpret_cast<T*>(to) + begin, threshold,
             one);
    });
  });
}

namespace {

/// By what elements are multiplied that are kept; where all are dropped by nothing.
double kept_scale(double p) { return p < 1 ? 1 / (1 - p) : 0; }

}  // namespace

void draw_dropout(DType dtype, const std::byte* from, std::byte* to, std::int64_t n,
                  const RandomDraw& draw, double p, std::uint8_t* mask) {
  constexpr std::int64_t kTile = 2048;
  const std::int64_t threshold = threshold_of(p), size = static_cast<std::int64_t>(size_of(dtype));
  const PhiloxTable& kernels = active_philox_table();
  const auto masked = kernels.masked[dtype == DType::kFloat32 ? 0 : 1];
  in_parts(n, [&](std::int64_t begin, std::int64_t count) {
    WENGERT_SPLIT(DropoutTiles, count, kTile);
    std::uint8_t dropped[kTile];
    for (std::int64_t first = begin; first < begin + count; first += kTile) {
      const std::int64_t here = std::min(kTile, begin + count - first);
      kernels.bernoulli[0](draw.key, draw.counter, first, here, dropped, threshold, 1);
      kernels.pack(dropped, here, mask + first / 8);
      masked(from + first * size, mask + first / 8, here, kept_scale(p), to + first * size, false);
    }
  });
}

void apply_dropout(DType dtype, const std::byte* from, std::byte* to, std::int64_t n,
                   const std::uint8_t* mask, double p, bool accumulate) {
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const auto masked = active_philox_table().masked[dtype == DType::kFloat32 ? 0 : 1];
  in_parts(n, [&](std::int64_t begin, std::int64_t count) {
    masked(from + begin * size, mask + begin / 8, count, kept_scale(p), to + begin * size,
           accumulate);
  });
}

void fill_permutation(std::int64_t* to, std::int64_t n, const RandomDraw& draw) {
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(n));
  in_parts(n, [&](std::int64_t begin, std::int64_t count) {
    active_philox_table().bits(draw.key, draw.counter, begin, count, bits.data() + begin);
  });
  std::vector<std::pair<std::uint64_t, std::int64_t>> keys(bits.size());
  for (std::int64_t i = 0; i < n; ++i)
    keys[static_cast<std::size_t>(i)] = {bits[static_cast<std::size_t>(i)], i};
  std::sort(keys.begin(), keys.end());
  for (std::int64_t i = 0; i < n; ++i) to[i] = keys[static_cast<std::size_t>(i)].second;
}

}  // namespace wengert::kernels
