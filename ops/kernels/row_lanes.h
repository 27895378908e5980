#pragma once

#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/splits.h"

// Private to the library.

// Sums and extremes of a row in the lanes of one CPU level. Included as lanes.h is.
namespace wengert::kernels::WENGERT_LEVEL {

constexpr std::int64_t kBlock = 1024;  // elements summed in lanes before pairing

template <class T>
inline Lanes<T> larger(Lanes<T> a, Lanes<T> b) {
  return where(b > a || is_nan(b), b, a);  // a NaN in `a` stays, since nothing is above it
}
template <class T>
inline Lanes<T> smaller(Lanes<T> a, Lanes<T> b) {
  return where(b < a || is_nan(b), b, a);
}

inline float larger(float a, float b) { return b > a || b != b ? b : a; }
inline double larger(double a, double b) { return b > a || b != b ? b : a; }
inline float smaller(float a, float b) { return b < a || b != b ? b : a; }
inline double smaller(double a, double b) { return b < a || b != b ? b : a; }

/// The upper half of the first 2·kWidth lanes comes to lie below.
template <int kWidth>
constexpr int fold_lane(int i) {
  return i < kWidth ? i + kWidth : i;
}

/// The lanes combined in a tree of fixed shape.
template <int kWidth, class T, class Combine>
inline T across_first(Lanes<T> lanes, Combine combine) {
  if constexpr (kWidth == 0) {
    return lanes.v[0];
  } else {
    const auto folded = shuffle<fold_lane<kWidth>, Lanes<T>::kCount>(lanes.v, lanes.v);
    return across_first<kWidth / 2>(combine(lanes, Lanes<T>{folded}), combine);
  }
}
template <class T, class Combine>
inline T across(Lanes<T> lanes, Combine combine) {
  return across_first<Lanes<T>::kCount / 2>(lanes, combine);
}

template <class T>
inline Lanes<T> plus(Lanes<T> a, Lanes<T> b) {
  return a + b;
}

/// n elements from x + i on in the first lanes.
template <class T>
inline Lanes<T> some(const T* x, std::int64_t i, std::int64_t n) {
  return n == Lanes<T>::kCount ? Lanes<T>::load(x + i) : Lanes<T>::load_some(x + i, n);
}

/// Σ of a block [i, end) of at most kBlock terms, four vectors of sums and then a tree; at(i,
/// count) gives the term of a whole vector or of one element.
template <class T, class At>
T sum_block(std::int64_t i, std::int64_t end, const At& at) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  T tail = 0;
  if (end - i < kCount) {  // the sums of lanes would all be 0
    for (; i < end; ++i) tail += at(i, 1).v[0];
    return tail;
  }
  Lanes<T> totals[4];
  for (auto& total : totals) total = Lanes<T>::splat(T(0));
  for (; i + 4 * kCount <= end; i += 4 * kCount) {
    for (int k = 0; k < 4; ++k) totals[k] = totals[k] + at(i + k * kCount, kCount);
  }
  for (; i + kCount <= end; i += kCount) totals[0] = totals[0] + at(i, kCount);
  for (; i < end; ++i) tail += at(i, 1).v[0];
  return across((totals[0] + totals[1]) + (totals[2] + totals[3]), plus<T>) + tail;
}

template <class T, class At>
T sum_terms(std::int64_t begin, std::int64_t end, const At& at) {
  if (end - begin <= kBlock) return sum_block<T>(begin, end, at);
  std::int64_t half = kBlock;
  while (half * 2 < end - begin) half *= 2;
  return sum_terms<T>(begin, begin + half, at) + sum_terms<T>(begin + half, end, at);
}

/// Counts how a sum of n terms is cut, where a test asks.
template <class T>
inline void note_terms(std::int64_t n) {
  WENGERT_SPLIT(TermBlocks, n, kBlock);
  WENGERT_SPLIT(TermVectors, n, 4 * Lanes<T>::kCount);
}

template <class T, class F>
T sum_of(const T* x, std::int64_t n, F f) {
  return sum_terms<T>(0, n, [x, f](std::int64_t i, std::int64_t m) { return f(some(x, i, m)); });
}

template <class T>
T sum(const T* x, std::int64_t n) {
  note_terms<T>(n);
  return sum_of(x, n, [](Lanes<T> v) { return v; });
}

/// With `choose` that keeps the first of two equal ones, and NaN.
template <class T, class Choose>
inline T extreme(const T* x, std::int64_t n, Choose choose) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  if (n < 2 * kCount) {
    T best = x[0];
    for (std::int64_t i = 1; i < n; ++i) best = choose(best, x[i]);
    return best;
  }
  Lanes<T> best = Lanes<T>::splat(x[0]), second = best;
  std::int64_t i = 0;
  for (; i + 2 * kCount <= n; i += 2 * kCount) {
    best = choose(best, Lanes<T>::load(x + i));
    second = choose(second, Lanes<T>::load(x + i + kCount));
  }
  best = choose(best, second);
  for (; i < n; ++i) best = choose(best, Lanes<T>::splat(x[i]));
  return across(best, choose);
}

/// larger() and smaller() of lanes and of numbers.
struct Larger {
  template <class V>
  V operator()(V a, V b) const {
    return larger(a, b);
  }
};
struct Smaller {
  template <class V>
  V operator()(V a, V b) const {
    return smaller(a, b);
  }
};

template <class T>
T max(const T* x, std::int64_t n) {
  return extreme(x, n, Larger{});
}

}  // namespace wengert::kernels::WENGERT_LEVEL
