#pragma once

// Private to the library.

#include "wengert/ops/kernels/sweep.h"
#include "wengert/optim/optimizers/update_kernels.h"

// Loops that make kernels of one CPU level from update formulas.
namespace wengert::kernels::WENGERT_LEVEL {

template <int...>
struct Indices {};
template <int kCount, int... I>
struct FirstIndices : FirstIndices<kCount - 1, kCount - 1, I...> {};
template <int... I>
struct FirstIndices<0, I...> {
  using type = Indices<I...>;
};

template <class F>
constexpr int sums_of() {
  if constexpr (requires { F::sums; }) return F::sums;
  return 0;
}

template <class F, bool kDecays, class T, int... I>
inline void run_update(T* w, const T* g, void* const* slots, std::int64_t n, const void* numbers,
                       [[maybe_unused]] double decay, Indices<I...>) {
  // Copies, which stores of lanes cannot reach: what is made of them stays in registers.
  const typename F::Numbers k = *static_cast<const typename F::Numbers*>(numbers);
  void* const at[] = {slots[I]..., nullptr};
  sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
    Lanes<T> weight = load<T>(w, i, m);
    Lanes<T> kept[] = {load<T>(at[I], i, m)..., Lanes<T>{}};
    Lanes<T> gradient = load<T>(g, i, m);
    if constexpr (kDecays) gradient = gradient + weight * decay;
    F::update(weight, gradient, kept[I]..., k);
    store<T>(weight, w, i, m);
    if constexpr (sums_of<F>() == 0) (store<T>(kept[I], at[I], i, m), ...);
  });
}

template <class F, class T>
void update(void* w, const void* g, void* const* slots, std::int64_t n, const void* numbers) {
  run_update<F, false>(static_cast<T*>(w), static_cast<const T*>(g), slots, n, numbers, 0,
                       typename FirstIndices<F::slots>::type{});
}

template <class F, class T>
void update_decayed(void* w, const void* g, void* const* slots, std::int64_t n, const void* numbers,
                    double decay) {
  run_update<F, true>(static_cast<T*>(w), static_cast<const T*>(g), slots, n, numbers, decay,
                      typename FirstIndices<F::slots>::type{});
}

constexpr std::int64_t kSumBlock = 1024;  // elements summed in lanes before float64 takes over

template <class F, class T, int... I, int... J>
inline void run_measure(const T* w, const T* g, void* const* slots, std::int64_t n,
                        const void* numbers, double* sums, Indices<I...>, Indices<J...>) {
  const typename F::Numbers k = *static_cast<const typename F::Numbers*>(numbers);
  for (std::int64_t begin = 0; begin < n; begin += kSumBlock) {
    const std::int64_t end = begin + kSumBlock < n ? begin + kSumBlock : n;
    Lanes<T> totals[] = {((void)J, Lanes<T>::splat(T(0)))...};
    sweep<T>(end - begin, [&](std::int64_t i, std::int64_t m) {
      i += begin;
      Lanes<T> kept[] = {load<T>(slots[I], i, m)..., Lanes<T>{}};
      Lanes<T> terms[] = {((void)J, Lanes<T>::splat(T(0)))...};
      F::measure(load<T>(w, i, m), load<T>(g, i, m), kept[I]..., k, terms[J]...);
      (store<T>(kept[I], slots[I], i, m), ...);
      for (int j = static_cast<int>(m); j < Lanes<T>::kCount; ++j) {  // lanes beyond the end
        ((terms[J].v[j] = T(0)), ...);
      }
      ((totals[J] = totals[J] + terms[J]), ...);
    });
    ((sums[J] += static_cast<double>(sum_across(totals[J]))), ...);
  }
}

template <class F, class T>
void measure(const void* w, const void* g, void* const* slots, std::int64_t n, const void* numbers,
             double* sums) {
  run_measure<F>(static_cast<const T*>(w), static_cast<const T*>(g), slots, n, numbers, sums,
                 typename FirstIndices<F::slots>::type{}, typename FirstIndices<F::sums>::type{});
}

template <class F>
constexpr UpdateKernels update_kernels() {
  static_assert(F::slots <= kMostSlots);
  static_assert(sums_of<F>() <= kMostSums);
  if constexpr (sums_of<F>() > 0) {
    return {{update<F, float>, update<F, double>},
            {},
            {measure<F, float>, measure<F, double>},
            F::slots,
            F::sums};
  } else {
    return {{update<F, float>, update<F, double>},
            {update_decayed<F, float>, update_decayed<F, double>},
            {},
            F::slots,
            0};
  }
}

}  // namespace wengert::kernels::WENGERT_LEVEL

#define WENGERT_UPDATES namespace wengert::kernels::WENGERT_LEVEL
#define WENGERT_UPDATE(name, ...)                                              \
  namespace wengert::kernels::WENGERT_LEVEL {                                  \
  extern const UpdateKernels name##_update;                                    \
  constinit const UpdateKernels name##_update = update_kernels<__VA_ARGS__>(); \
  }
