#include "wengert/ops/kernels/philox.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace {

std::array<std::uint32_t, 4> block(const RandomDraw& draw, std::uint64_t index) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  return philox({low(index), high(index), low(draw.counter), high(draw.counter)},
                {low(draw.key), high(draw.key)});
}

/// Calls body(i, bits) for each element; two elements share a block of four words.
template <class Body>
void for_each_element(std::int64_t n, const RandomDraw& draw, Body&& body) {
  constexpr std::int64_t kPart = 16384;  // even, so that blocks do not straddle tasks
  parallel_for((n + kPart - 1) / kPart, [&](std::int64_t task) {
    const std::int64_t end = std::min(n, (task + 1) * kPart);
    for (std::int64_t i = task * kPart; i < end; i += 2) {
      const auto words = block(draw, static_cast<std::uint64_t>(i) / 2);
      body(i, std::uint64_t{words[1]} << 32 | words[0]);
      if (i + 1 < end) body(i + 1, std::uint64_t{words[3]} << 32 | words[2]);
    }
  });
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

constexpr double kCenterAbove[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                    1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                    4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                    3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr double kCenterBelow[8] = {1.0,
                                    4.2313330701600911252e+1,
                                    6.8718700749205790830e+2,
                                    5.3941960214247511077e+3,
                                    2.1213794301586595867e+4,
                                    3.9307895800092710610e+4,
                                    2.8729085735721942674e+4,
                                    5.2264952788528545610e+3};
constexpr double kTailAbove[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                  5.76949722146069140550e0,  3.64784832476320460504e0,
                                  1.27045825245236838258e0,  2.41780725177450611770e-1,
                                  2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kTailBelow[8] = {1.0,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
constexpr double kFarAbove[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                 1.78482653991729133580e0,  2.96560571828504891230e-1,
                                 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kFarBelow[8] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};

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
    T* out = reinterpret_cast<T*>(to);
    // Rounding may reach the upper end, which does not belong to the interval.
    const T first = static_cast<T>(low), last = std::nextafter(static_cast<T>(high), first);
    for_each_element(n, draw, [&](std::int64_t i, std::uint64_t bits) {
      const double u =
          sizeof(T) == 4 ? static_cast<double>(bits >> 40) * 0x1p-24 : unit_interval(bits);
      // Halves, so that a range above the largest number does not overflow.
      const double value = low + 2 * (u * (high * 0.5 - low * 0.5));
      out[i] = std::clamp(static_cast<T>(value), first, std::max(first, last));
    });
  });
}

void fill_normal(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double mean,
                 double stddev) {
  dispatch_floating(dtype, [&]<class T>(T) {
    T* out = reinterpret_cast<T*>(to);
    for_each_element(n, draw, [&](std::int64_t i, std::uint64_t bits) {
      // 52 bits and a half step: never 0 or 1, and symmetric.
      const double p = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
      out[i] = static_cast<T>(mean + stddev * normal_quantile(p));
    });
  });
}

void fill_bernoulli(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double p) {
  dispatch(dtype, [&]<class T>(T) {
    T* out = reinterpret_cast<T*>(to);
    for_each_element(n, draw, [&](std::int64_t i, std::uint64_t bits) {
      out[i] = static_cast<T>(unit_interval(bits) < p);
    });
  });
}

void fill_permutation(std::int64_t* to, std::int64_t n, const RandomDraw& draw) {
  std::vector<std::pair<std::uint64_t, std::int64_t>> keys(static_cast<std::size_t>(n));
  for_each_element(n, draw, [&](std::int64_t i, std::uint64_t bits) {
    keys[static_cast<std::size_t>(i)] = {bits, i};
  });
  std::sort(keys.begin(), keys.end());
  for (std::int64_t i = 0; i < n; ++i) to[i] = keys[static_cast<std::size_t>(i)].second;
}

}  // namespace wengert::kernels
