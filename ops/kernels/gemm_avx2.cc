// Compiled with -mavx2 -mfma. Must define no symbol that other files might share (see
// gemm_internal.h).
#include <immintrin.h>

#include "wengert/ops/kernels/gemm_internal.h"
#include "wengert/ops/kernels/splits.h"

namespace wengert::kernels::internal {
namespace {

// Eight elements from here on are the mask of `count` lanes when read from 8 - count.
constexpr int kMaskWords[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr long long kMaskQuads[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

// A masked store is slow on several CPUs, so stores go by the count.
struct LaneMask {
  __m256i lanes;
  int count;
};

struct LanesF32 {
  using T = float;
  using V = __m256;
  using Mask = LaneMask;
  static constexpr int kWidth = 8;
  static constexpr int kMaxRows = 6;
  static constexpr int kAccumulators = 12;
  static constexpr bool kFreeMask = false;
  static V zero() { return _mm256_setzero_ps(); }
  static V load(const T* p) { return _mm256_loadu_ps(p); }
  static V load_masked(const T* p, Mask mask) { return _mm256_maskload_ps(p, mask.lanes); }
  static void store(T* p, V v) { _mm256_storeu_ps(p, v); }
  static void store_masked(T* p, V v, Mask mask) {
    if (mask.count == 8) return store(p, v);
    __m128 part = _mm256_castps256_ps128(v);
    if ((mask.count & 4) != 0) {
      _mm_storeu_ps(p, part);
      part = _mm256_extractf128_ps(v, 1);
      p += 4;
    }
    if ((mask.count & 2) != 0) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
      part = _mm_movehl_ps(part, part);
      p += 2;
    }
    if ((mask.count & 1) != 0) _mm_store_ss(p, part);
  }
  static V broadcast(const T* p) { return _mm256_broadcast_ss(p); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static Mask mask(int count) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWords + 8 - count)), count};
  }
  template <int S>
  static V blocks_low(V a, V b) {
    if constexpr (S == 1) return _mm256_blend_ps(a, _mm256_moveldup_ps(b), 0xaa);
    if constexpr (S == 2) return _mm256_shuffle_ps(a, b, 0x44);
    if constexpr (S == 4) return _mm256_permute2f128_ps(a, b, 0x20);
  }
  template <int S>
  static V blocks_high(V a, V b) {
    if constexpr (S == 1) return _mm256_blend_ps(_mm256_movehdup_ps(a), b, 0xaa);
    if constexpr (S == 2) return _mm256_shuffle_ps(a, b, 0xee);
    if constexpr (S == 4) return _mm256_permute2f128_ps(a, b, 0x31);
  }
};

struct LanesF64 {
  using T = double;
  using V = __m256d;
  using Mask = LaneMask;
  static constexpr int kWidth = 4;
  static constexpr int kMaxRows = 6;
  static constexpr int kAccumulators = 12;
  static constexpr bool kFreeMask = false;
  static V zero() { return _mm256_setzero_pd(); }
  static V load(const T* p) { return _mm256_loadu_pd(p); }
  static V load_masked(const T* p, Mask mask) { return _mm256_maskload_pd(p, mask.lanes); }
  static void store(T* p, V v) { _mm256_storeu_pd(p, v); }
  static void store_masked(T* p, V v, Mask mask) {
    if (mask.count == 4) return store(p, v);
    __m128d part = _mm256_castpd256_pd128(v);
    if ((mask.count & 2) != 0) {
      _mm_storeu_pd(p, part);
      part = _mm256_extractf128_pd(v, 1);
      p += 2;
    }
    if ((mask.count & 1) != 0) _mm_store_sd(p, part);
  }
  static V broadcast(const T* p) { return _mm256_broadcast_sd(p); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  static V add(V a, V b) { return _mm256_add_pd(a, b); }
  static Mask mask(int count) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskQuads + 4 - count)), count};
  }
  template <int S>
  static V blocks_low(V a, V b) {
    if constexpr (S == 1) return _mm256_unpacklo_pd(a, b);
    if constexpr (S == 2) return _mm256_permute2f128_pd(a, b, 0x20);
  }
  template <int S>
  static V blocks_high(V a, V b) {
    if constexpr (S == 1) return _mm256_unpackhi_pd(a, b);
    if constexpr (S == 2) return _mm256_permute2f128_pd(a, b, 0x31);
  }
};

#include "wengert/ops/kernels/gemm_tile.inc"
// The loops use the tiles, so the order matters.
#include "wengert/ops/kernels/gemm_blocks.inc"

}  // namespace

void gemm_own_avx2(const GemmProblem<float>& problem) { multiply<LanesF32>(problem); }
void gemm_own_avx2(const GemmProblem<double>& problem) { multiply<LanesF64>(problem); }

}  // namespace wengert::kernels::internal
