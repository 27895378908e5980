#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/philox_table.h"
#include "wengert/ops/kernels/splits.h"

#if defined(__x86_64__)
#include <immintrin.h>  // its functions are always inlined: no symbol of theirs is shared
#endif

// Philox4x32-10 over the lanes of one CPU level, and the numbers made of it: the bits that philox.h
// describes, as many blocks at a time as a vector has 64-bit lanes.
namespace wengert::kernels::WENGERT_LEVEL {
namespace {

typedef std::uint64_t Words __attribute__((vector_size(WENGERT_LANE_BYTES)));
typedef std::uint64_t UnalignedWords
    __attribute__((vector_size(WENGERT_LANE_BYTES), aligned(1), may_alias));
using Doubles = Lanes<double>;

constexpr int kBlocks = WENGERT_LANE_BYTES / 8;  // in a vector; each makes two elements
constexpr int kStep = 2 * kBlocks;               // elements made at a time
constexpr std::uint64_t kLow = 0xffffffffu;

Words splat(std::uint64_t x) { return Words{} + x; }

/// Products of the lanes' lower halves with m; the upper halves may hold anything.
inline Words product(Words a, std::uint32_t m) {
#if WENGERT_LANE_BYTES == 64
  // Of the forms that give the same, the one that GCC 12 does not warn about.
  return reinterpret_cast<Words>(_mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a),
                                                        reinterpret_cast<__m512i>(splat(m))));
#elif WENGERT_LANE_BYTES == 32
  return reinterpret_cast<Words>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(splat(m))));
#elif defined(__x86_64__)
  return reinterpret_cast<Words>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(splat(m))));
#else
  return (a & kLow) * m;
#endif
}

constexpr int even_lane(int i) { return i % 2 == 0 ? i : kBlocks + i - 1; }
constexpr int odd_lane(int i) { return i % 2 == 0 ? i + 1 : kBlocks + i; }
/// a[0], b[0], a[2], b[2], …
inline Words even_lanes(Words a, Words b) { return shuffle<even_lane, kBlocks>(a, b); }
/// a[1], b[1], a[3], b[3], …
inline Words odd_lanes(Words a, Words b) { return shuffle<odd_lane, kBlocks>(a, b); }

/// The bits of kStep elements in order.
struct Bits {
  Words v[2];
};

/// One draw's blocks. Their four words lie in the lower halves of the lanes of four vectors.
class Stream {
 public:
  Stream(std::uint64_t key, std::uint64_t counter)
      : low_(splat(counter)), high_(splat(counter >> 32)) {
    auto first = static_cast<std::uint32_t>(key), second = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      keys_[round][0] = splat(first);
      keys_[round][1] = splat(second);
      first += 0x9E3779B9u;
      second += 0xBB67AE85u;
    }
  }

  /// The blocks whose indices the lanes hold; see order(). kMany groups of them, each of the
  /// kBlocks that follow: side by side, since one round waits for the one before.
  template <int kMany>
  void at(Words index, Bits (&bits)[kMany]) const {
    Words w[kMany][4];
    for (int k = 0; k < kMany; ++k, index += kBlocks) {
      w[k][0] = index;
      w[k][1] = index >> 32;
      w[k][2] = low_;
      w[k][3] = high_;
    }
    for (int round = 0; round < 10; ++round) {
      for (int k = 0; k < kMany; ++k) {
        const Words a = product(w[k][0], 0xD2511F53u), b = product(w[k][2], 0xCD9E8D57u);
        w[k][0] = (b >> 32) ^ w[k][1] ^ keys_[round][0];
        w[k][1] = b;
        w[k][2] = (a >> 32) ^ w[k][3] ^ keys_[round][1];
        w[k][3] = a;
      }
    }
    for (int k = 0; k < kMany; ++k) {
      const Words even = (w[k][1] << 32) | (w[k][0] & kLow);
      const Words odd = (w[k][3] << 32) | (w[k][2] & kLow);
      bits[k] = {even_lanes(even, odd), odd_lanes(even, odd)};
    }
  }
  Bits at(Words index) const {
    Bits bits[1];
    at(index, bits);
    return bits[0];
  }

  /// Blocks first, first + 1, … as lanes of an index: dealt so that interleaving neighbouring
  /// lanes puts the elements in order.
  static Words order(std::int64_t first) {
    Words index = {};
    for (int i = 0; i < kBlocks; ++i) {
      index[i] = static_cast<std::uint64_t>(first + (i % 2 == 0 ? i / 2 : kBlocks / 2 + i / 2));
    }
    return index;
  }

 private:
  Words low_, high_;
  Words keys_[10][2];
};

constexpr int kMany = 2;  // steps worked side by side

/// write(bits, to) puts kStep elements of T; the last ones pass through a buffer of that size.
template <class T, class Write>
inline void fill(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
                 T* to, Write write) {
  const Stream stream(key, counter);
  Words index = Stream::order(begin / 2);
  std::int64_t i = 0;
  for (; i + kMany * kStep <= n; i += kMany * kStep, index += kMany * kBlocks) {
    Bits many[kMany];
    stream.at(index, many);
    for (int k = 0; k < kMany; ++k) write(many[k], to + i + k * kStep);
  }
  for (; i + kStep <= n; i += kStep, index += kBlocks) write(stream.at(index), to + i);
  if (i < n) {
    T rest[kStep];
    write(stream.at(index), rest);
    __builtin_memcpy(to + i, rest, static_cast<std::size_t>(n - i) * sizeof(T));
  }
}

void bits(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
          std::uint64_t* to) {
  fill(key, counter, begin, n, to, [](const Bits& b, std::uint64_t* at) {
    for (int half = 0; half < 2; ++half) {
      *reinterpret_cast<UnalignedWords*>(at + half * kBlocks) = b.v[half];
    }
  });
}

/// Exact, for x < 2⁵²: the number's bits under the exponent of 2⁵².
inline Doubles to_double(Words x) {
  return Doubles{reinterpret_cast<Doubles::Vector>(x | 0x4330000000000000u)} - 0x1p52;
}

template <class T>
inline void store_as(Doubles x, T* to) {
  if constexpr (sizeof(T) == 8) {
    x.store(to);
  } else {
    typedef float Floats __attribute__((vector_size(WENGERT_LANE_BYTES / 2)));
    const Floats narrow = __builtin_convertvector(x.v, Floats);
    __builtin_memcpy(to, &narrow, sizeof narrow);
  }
}

// ---------------------------------------------------------------------------- uniform

template <class T>
void uniform(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n, void* to,
             const UniformNumbers& numbers) {
  const double low = numbers.low, half_width = numbers.half_width;
  const Doubles first = Doubles::splat(numbers.first), last = Doubles::splat(numbers.last);
  fill(key, counter, begin, n, static_cast<T*>(to), [&](const Bits& b, T* at) {
    for (int half = 0; half < 2; ++half) {
      Doubles u;
      if constexpr (sizeof(T) == 4) {
        u = to_double(b.v[half] >> 40) * 0x1p-24;
      } else {  // 53 bits: the upper 32 and the lower 21 are exact, and so is their sum
        u = (to_double(b.v[half] >> 32) * 0x1p21 + to_double(b.v[half] >> 11 & 0x1fffffu)) *
            0x1p-53;
      }
      Doubles value = u * half_width * 2 + low;
      // Both ends are numbers of T, and rounding to T keeps the order: the result is the same as
      // if the rounded value were brought into the interval.
      value = where(value < first, first, value);
      store_as(where(value > last, last, value), at + half * kBlocks);
    }
  });
}

// ---------------------------------------------------------------------------- normal

inline Doubles ratio(const double (&above)[8], const double (&below)[8], Doubles r) {
  Doubles p = Doubles::splat(above[7]), q = Doubles::splat(below[7]);
  for (int k = 6; k >= 0; --k) {
    p = p * r + above[k];
    q = q * r + below[k];
  }
  return p / q;
}

/// log_portable of philox.cc, operation by operation.
inline Doubles log_portable(Doubles x) {
  const Words word = reinterpret_cast<Words>(x.v);
  // Exponents lie in [0, 1024) here: small enough for the conversion.
  Doubles exponent = to_double(word >> 52) - 1023.0;
  Doubles m = {
      reinterpret_cast<Doubles::Vector>((word & 0x000fffffffffffffu) | 0x3ff0000000000000u)};
  const auto large = m > 1.4142135623730951;
  m = where(large, m * 0.5, m);
  exponent = where(large, exponent + 1.0, exponent);
  const Doubles s = (m - 1.0) / (m + 1.0), s2 = s * s;
  Doubles series = Doubles::splat(0);
  for (int k = 10; k >= 0; --k) series = series * s2 + 1.0 / (2 * k + 1);
  return 2.0 * s * series + exponent * 0.69314718055994530942;
}

/// The quantile at 1/2 + q for |q| > 0.425.
inline Doubles tail(Doubles q) {
  const Doubles r = sqrt(-log_portable(0.5 - abs(q)));
  const Doubles x = ratio(kTailAbove, kTailBelow, r - 1.6);
  Doubles signed_x = where(q < 0.0, -x, x);
  for (int i = 0; i < kBlocks; ++i) {
    if (r.v[i] > 5) signed_x.v[i] = normal_quantile(0.5 + q.v[i]);
  }
  return signed_x;
}

/// The standard normal numbers of at most kChunk elements. Five in six lie in the middle, whose
/// formula is worked for all; the others are then picked out and done again, a vector at a time.
constexpr std::int64_t kChunk = 512;
struct Chunk {
  alignas(64) double q[kChunk], x[kChunk];
  std::int32_t tails[kChunk];

  void read(Words index, const Stream& stream, std::int64_t steps) {
    for (std::int64_t s = 0; s < steps; ++s, index += kBlocks) {
      const Bits b = stream.at(index);
      for (int half = 0; half < 2; ++half) {
        // 52 bits and a half step: never 0 or 1, and symmetric. Every step is exact.
        const Doubles p = (to_double(b.v[half] >> 12) + 0.5) * 0x1p-52, c = p - 0.5;
        const std::int64_t at = s * kStep + half * kBlocks;
        c.store(q + at);
        (c * ratio(kCenterAbove, kCenterBelow, 0.180625 - c * c)).store(x + at);
      }
    }
  }
  void redo_tails(std::int64_t n) {
    int count = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      tails[count] = static_cast<std::int32_t>(i);
      count += __builtin_fabs(q[i]) > 0.425 ? 1 : 0;
    }
    for (int first = 0; first < count; first += kBlocks) {
      const int lanes = count - first < kBlocks ? count - first : kBlocks;
      Doubles at = Doubles::splat(q[tails[first]]);
      for (int k = 1; k < lanes; ++k) at.v[k] = q[tails[first + k]];
      const Doubles values = tail(at);
      for (int k = 0; k < lanes; ++k) x[tails[first + k]] = values.v[k];
    }
  }
};

template <class T>
void normal(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n, void* to,
            double mean, double stddev) {
  const Stream stream(key, counter);
  Chunk chunk;
  WENGERT_SPLIT(NormalChunks, n, kChunk);
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t count = n - first < kChunk ? n - first : kChunk;
    const std::int64_t steps = (count + kStep - 1) / kStep;
    chunk.read(Stream::order((begin + first) / 2), stream, steps);
    chunk.redo_tails(steps * kStep);
    T* at = static_cast<T*>(to) + first;
    std::int64_t i = 0;
    for (; i + kBlocks <= count; i += kBlocks) {
      store_as(Doubles::load(chunk.x + i) * stddev + mean, at + i);
    }
    for (; i < count; ++i) at[i] = static_cast<T>(mean + stddev * chunk.x[i]);
  }
}

// ---------------------------------------------------------------------------- Bernoulli

template <class T>
void bernoulli(std::uint64_t key, std::uint64_t counter, std::int64_t begin, std::int64_t n,
               void* to, std::int64_t threshold, std::uint64_t one) {
  typedef T Narrow __attribute__((vector_size(kBlocks * sizeof(T))));
  typedef long Signed __attribute__((vector_size(WENGERT_LANE_BYTES)));
  fill(key, counter, begin, n, static_cast<T*>(to), [&](const Bits& b, T* at) {
    for (int half = 0; half < 2; ++half) {
      const Signed below = reinterpret_cast<Signed>(b.v[half] >> 11) < (Signed{} + threshold);
      const Narrow ones = __builtin_convertvector(reinterpret_cast<Words>(below) & one, Narrow);
      __builtin_memcpy(at + half * kBlocks, &ones, sizeof ones);
    }
  });
}

// ---------------------------------------------------------------------------- masks

void pack(const std::uint8_t* bytes, std::int64_t n, std::uint8_t* mask) {
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t eight;
    __builtin_memcpy(&eight, bytes + i, 8);
    if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) eight = __builtin_bswap64(eight);
    // Byte k of the eight lands in bit 56 + k, and no two sums meet there.
    mask[i / 8] = static_cast<std::uint8_t>(eight * 0x0102040810204080u >> 56);
  }
  if (i == n) return;
  std::uint8_t last = 0;
  for (std::int64_t k = 0; i + k < n; ++k) {
    last = static_cast<std::uint8_t>(last | bytes[i + k] << k);
  }
  mask[i / 8] = last;
}

/// A vector's bits, of element i on: i is a multiple of the lanes.
template <class T>
inline Mask<T> bits_at(const std::uint8_t* mask, std::int64_t i) {
  using Vector = typename Mask<T>::Vector;
  constexpr int kCount = Lanes<T>::kCount;
  typename Mask<T>::Element some = 0;
  if constexpr (kCount > 8) {
    some = mask[i / 8] | mask[i / 8 + 1] << 8;
  } else {
    some = mask[i / 8] >> (i % 8);
  }
  Vector own;
  for (int k = 0; k < kCount; ++k) own[k] = static_cast<typename Mask<T>::Element>(1) << k;
  return {((Vector{} + some) & own) != Vector{}};
}

template <class T>
void masked(const void* from, const std::uint8_t* mask, std::int64_t n, double scale, void* to,
            bool accumulate) {
  constexpr int kCount = Lanes<T>::kCount;
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(to);
  std::int64_t i = 0;
  for (; i + kCount <= n; i += kCount) {
    const Lanes<T> kept = where(bits_at<T>(mask, i), 0.0, Lanes<T>::load(x + i) * scale);
    (accumulate ? Lanes<T>::load(y + i) + kept : kept).store(y + i);
  }
  for (; i < n; ++i) {
    const T kept = (mask[i / 8] >> (i % 8) & 1) != 0 ? T(0) : x[i] * static_cast<T>(scale);
    y[i] = accumulate ? y[i] + kept : kept;
  }
}

}  // namespace

extern const PhiloxTable philox_table;
constinit const PhiloxTable philox_table = {
    bits,
    {uniform<float>, uniform<double>},
    {normal<float>, normal<double>},
    {bernoulli<std::uint8_t>, bernoulli<std::uint32_t>, bernoulli<std::uint64_t>},
    pack,
    {masked<float>, masked<double>},
};

}  // namespace wengert::kernels::WENGERT_LEVEL
