// For every CPU of the architecture: 128-bit vectors in the compiler's own notation, no FMA.
#include <cstddef>
#include <utility>

#include "wengert/ops/kernels/gemm_internal.h"
#include "wengert/ops/kernels/splits.h"

namespace wengert::kernels::internal {
namespace {

// A 16-byte vector of kLanes elements.
template <class Element, int kLanes>
struct Lanes {
  using T = Element;
  using Mask = int;  // the number of lanes
  static constexpr int kWidth = kLanes;
  static constexpr int kMaxRows = 6;
  static constexpr int kAccumulators = 12;
  static constexpr bool kFreeMask = false;
  typedef Element V __attribute__((vector_size(16)));
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
    return shuffle<low<S>>(a, b, std::make_index_sequence<kWidth>());
  }
  template <int S>
  static V blocks_high(V a, V b) {
    return shuffle<high<S>>(a, b, std::make_index_sequence<kWidth>());
  }

 private:
  // Which element goes to place i: one of a's, or of b's counted on from kWidth.
  template <int S>
  static constexpr int low(int i) {
    return (i & S) != 0 ? kWidth + i - S : i;
  }
  template <int S>
  static constexpr int high(int i) {
    return (i & S) != 0 ? kWidth + i : i + S;
  }
  template <int (*kChoose)(int), std::size_t... kPlaces>
  static V shuffle(V a, V b, std::index_sequence<kPlaces...>) {
    return __builtin_shufflevector(a, b, kChoose(kPlaces)...);
  }
};

using LanesF32 = Lanes<float, 4>;
using LanesF64 = Lanes<double, 2>;

#include "wengert/ops/kernels/gemm_tile.inc"
// The loops use the tiles, so the order matters.
#include "wengert/ops/kernels/gemm_blocks.inc"

}  // namespace

void gemm_own_baseline(const GemmProblem<float>& problem) { multiply<LanesF32>(problem); }
void gemm_own_baseline(const GemmProblem<double>& problem) { multiply<LanesF64>(problem); }

}  // namespace wengert::kernels::internal
