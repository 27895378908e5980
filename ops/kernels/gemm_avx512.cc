// Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512. Must
// define no symbol that other files might share (see gemm_internal.h).
#include <immintrin.h>

#include "wengert/ops/kernels/gemm_internal.h"
#include "wengert/ops/kernels/splits.h"

namespace wengert::kernels::internal {
namespace {

// Lanes that hold blocks of size S alternately from a and b: S = 1 gives a0 b0 a2 b2 ... (low) and
// a1 b1 a3 b3 ... (high), the step of a matrix transpose.
template <class Index, int kWidth, int S, bool kHigh>
struct BlockIndex {
  alignas(64) Index at[kWidth];
  constexpr BlockIndex() : at() {
    for (int i = 0; i < kWidth; ++i) {
      const bool from_b = (i & S) != 0;
      const int lane = kHigh ? (from_b ? i : i + S) : (from_b ? i - S : i);
      at[i] = static_cast<Index>(lane + (from_b ? kWidth : 0));
    }
  }
};
template <class Index, int kWidth, int S, bool kHigh>
constexpr BlockIndex<Index, kWidth, S, kHigh> kBlockIndex{};

struct LanesF32 {
  using T = float;
  using V = __m512;
  using Mask = __mmask16;
  static constexpr int kWidth = 16;
  static constexpr int kMaxRows = 14;
  static constexpr int kAccumulators = 28;
  static constexpr bool kFreeMask = true;
  static V zero() { return _mm512_setzero_ps(); }
  static V load(const T* p) { return _mm512_loadu_ps(p); }
  static V load_masked(const T* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
  static void store(T* p, V v) { _mm512_storeu_ps(p, v); }
  static void store_masked(T* p, V v, Mask mask) { _mm512_mask_storeu_ps(p, mask, v); }
  static V broadcast(const T* p) { return _mm512_set1_ps(*p); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static Mask mask(int count) { return static_cast<Mask>((1u << count) - 1u); }
  template <int S>
  static V blocks_low(V a, V b) {
    return _mm512_permutex2var_ps(a, _mm512_load_si512(kBlockIndex<int, 16, S, false>.at), b);
  }
  template <int S>
  static V blocks_high(V a, V b) {
    return _mm512_permutex2var_ps(a, _mm512_load_si512(kBlockIndex<int, 16, S, true>.at), b);
  }
};

struct LanesF64 {
  using T = double;
  using V = __m512d;
  using Mask = __mmask8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxRows = 14;
  static constexpr int kAccumulators = 28;
  static constexpr bool kFreeMask = true;
  static V zero() { return _mm512_setzero_pd(); }
  static V load(const T* p) { return _mm512_loadu_pd(p); }
  static V load_masked(const T* p, Mask mask) { return _mm512_maskz_loadu_pd(mask, p); }
  static void store(T* p, V v) { _mm512_storeu_pd(p, v); }
  static void store_masked(T* p, V v, Mask mask) { _mm512_mask_storeu_pd(p, mask, v); }
  static V broadcast(const T* p) { return _mm512_set1_pd(*p); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  static V add(V a, V b) { return _mm512_add_pd(a, b); }
  static Mask mask(int count) { return static_cast<Mask>((1u << count) - 1u); }
  template <int S>
  static V blocks_low(V a, V b) {
    return _mm512_permutex2var_pd(a, _mm512_load_si512(kBlockIndex<long long, 8, S, false>.at), b);
  }
  template <int S>
  static V blocks_high(V a, V b) {
    return _mm512_permutex2var_pd(a, _mm512_load_si512(kBlockIndex<long long, 8, S, true>.at), b);
  }
};

#include "wengert/ops/kernels/gemm_tile.inc"
// The loops use the tiles, so the order matters.
#include "wengert/ops/kernels/gemm_blocks.inc"

}  // namespace

void gemm_own_avx512(const GemmProblem<float>& problem) { multiply<LanesF32>(problem); }
void gemm_own_avx512(const GemmProblem<double>& problem) { multiply<LanesF64>(problem); }

}  // namespace wengert::kernels::internal
