#pragma once

#include <array>
#include <cstdint>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"

namespace wengert::kernels {

/// Philox4x32 with 10 rounds: four random words for each counter under a key.
/// Source: J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Which random numbers: the key of a stream and the number of the draw. Element i of a draw
/// depends on these and i alone.
struct RandomDraw {
  std::uint64_t key = 0;
  std::uint64_t counter = 0;
  /// 64 random bits for element i.
  std::uint64_t bits(std::int64_t i) const;
};

/// 53 of the bits, as a number in [0, 1).
inline double unit_interval(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// The standard normal quantile, 0 < p < 1, relative error about 1e-15. Only the four operations
/// and the square root are used, so that every machine gives the same bits.
/// Source: M. Wichura, Algorithm AS 241, Applied Statistics 37, 1988.
double normal_quantile(double p);

/// Fills n elements of a floating dtype, uniform in [low, high).
void fill_uniform(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double low,
                  double high);
/// The same, normal with this mean and standard deviation.
void fill_normal(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw, double mean,
                 double stddev);
/// 1 with probability p, else 0, in any dtype; p = 0 and p = 1 are exact.
WENGERT_API void fill_bernoulli(DType dtype, std::byte* to, std::int64_t n, const RandomDraw& draw,
                                double p);
/// The bytes of a mask of n elements, a bit each.
constexpr std::int64_t mask_bytes(std::int64_t n) { return n / 8 + (n % 8 != 0 ? 1 : 0); }
/// to = from/(1 − p) of n elements of a floating dtype, 0 where the draw's bernoulli(p) is 1,
/// whatever stands there; `mask` gets a 1 there, in bit i%8 of byte i/8.
void draw_dropout(DType dtype, const std::byte* from, std::byte* to, std::int64_t n,
                  const RandomDraw& draw, double p, std::uint8_t* mask);
/// The same under a mask that was drawn; added to `to` when `accumulate`.
void apply_dropout(DType dtype, const std::byte* from, std::byte* to, std::int64_t n,
                   const std::uint8_t* mask, double p, bool accumulate);
/// A random order of 0 … n − 1, each equally likely up to ties of 64-bit keys.
void fill_permutation(std::int64_t* to, std::int64_t n, const RandomDraw& draw);

}  // namespace wengert::kernels
