#pragma once

#include "wengert/ops/kernels/lanes.h"

// Walking dense arrays a vector at a time, in code compiled for one CPU level.
namespace wengert::kernels::WENGERT_LEVEL {

/// Runs body(i, n) over [0, n) a vector at a time; n < Lanes::kCount only for the last.
template <class T, class Body>
inline void sweep(std::int64_t n, Body&& body) {
  constexpr std::int64_t kWidth = Lanes<T>::kCount;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) body(i, kWidth);
  if (i < n) body(i, n - i);
}

template <class T>
inline Lanes<T> load(const void* from, std::int64_t i, std::int64_t n) {
  const T* at = static_cast<const T*>(from) + i;
  return n == Lanes<T>::kCount ? Lanes<T>::load(at) : Lanes<T>::load_some(at, n);
}

template <class T>
inline void store(Lanes<T> lanes, void* to, std::int64_t i, std::int64_t n) {
  T* at = static_cast<T*>(to) + i;
  if (n == Lanes<T>::kCount) {
    lanes.store(at);
  } else {
    lanes.store_some(at, n);
  }
}

/// Σ of the lanes in a tree of fixed shape.
template <class T>
inline T sum_across(Lanes<T> lanes) {
  for (int width = Lanes<T>::kCount / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes.v[i] += lanes.v[i + width];
  }
  return lanes.v[0];
}

}  // namespace wengert::kernels::WENGERT_LEVEL
