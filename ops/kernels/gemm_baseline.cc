// For every CPU of the architecture: 128-bit vectors in the compiler's own notation, no FMA.
#include "wengert/ops/kernels/gemm_internal.h"

namespace wengert::kernels::internal {
namespace {

// A 16-byte vector of kLanes elements; Integer has the size of Element and indexes shuffles.
template <class Element, class Integer, int kLanes>
struct Lanes {
  using T = Element;
  using Mask = int;  // the number of lanes
  static constexpr int kWidth = kLanes;
  static constexpr int kMaxRows = 6;
  static constexpr int kAccumulators = 12;
  static constexpr bool kFreeMask = false;
  typedef Element V __attribute__((vector_size(16)));
  typedef Integer Index __attribute__((vector_size(16)));
  typedef Element Unaligned __attribute__((vector_size(16), aligned(sizeof(Element)), may_alias));
  static V zero() { return V{}; }
  static V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static V load_masked(const T* p, Mask count) {
    V v{};
    for (int i = 0; i < count; ++i) v[i] = p[i];
    return v;
  }
  static void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static void store_masked(T* p, V v, Mask count) {
    for (int i = 0; i < count; ++i) p[i] = v[i];
  }
  static V broadcast(const T* p) { return *p - V{}; }
  static V fma(V a, V b, V c) { return a * b + c; }
  static V add(V a, V b) { return a + b; }
  static Mask mask(int count) { return count; }
  template <int S>
  static V blocks_low(V a, V b) {
    Index index{};
    for (int i = 0; i < kWidth; ++i) index[i] = (i & S) != 0 ? kWidth + i - S : i;
    return __builtin_shuffle(a, b, index);
  }
  template <int S>
  static V blocks_high(V a, V b) {
    Index index{};
    for (int i = 0; i < kWidth; ++i) index[i] = (i & S) != 0 ? kWidth + i : i + S;
    return __builtin_shuffle(a, b, index);
  }
};

using LanesF32 = Lanes<float, std::int32_t, 4>;
using LanesF64 = Lanes<double, std::int64_t, 2>;

#include "wengert/ops/kernels/gemm_tile.inc"
// The loops use the tiles, so the order matters.
#include "wengert/ops/kernels/gemm_blocks.inc"

}  // namespace

void gemm_own_baseline(const GemmProblem<float>& problem) { multiply<LanesF32>(problem); }
void gemm_own_baseline(const GemmProblem<double>& problem) { multiply<LanesF64>(problem); }

}  // namespace wengert::kernels::internal
