#include "wengert/ops/kernels/measure_table.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/sweep.h"

// Compiled once for each CPU level.
namespace wengert::kernels::WENGERT_LEVEL {
namespace {

template <class T>
bool all_finite(const void* x, std::int64_t n) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  const auto* values = static_cast<const T*>(x);
  // x − x is 0 for finite x and NaN otherwise; NaN survives every sum. Four sums, since one would
  // wait for itself.
  Lanes<T> totals[4];
  for (auto& total : totals) total = Lanes<T>::splat(T(0));
  std::int64_t i = 0;
  for (; i + 4 * kCount <= n; i += 4 * kCount) {
    for (int k = 0; k < 4; ++k) {
      const Lanes<T> v = Lanes<T>::load(values + i + k * kCount);
      totals[k] = totals[k] + (v - v);
    }
  }
  sweep<T>(n - i, [&](std::int64_t j, std::int64_t m) {
    const Lanes<T> v = load<T>(values + i, j, m);
    totals[0] = totals[0] + (v - v);
  });
  const Lanes<T> total = (totals[0] + totals[1]) + (totals[2] + totals[3]);
  for (int k = 0; k < kCount; ++k) {
    if (total.v[k] != T(0)) return false;
  }
  return true;
}

/// Σx² in lanes of T: eight sums side by side, then a tree.
template <class T>
T squares_in_lanes(const T* x, std::int64_t n) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  constexpr int kSums = 8;  // as many as additions are under way
  Lanes<T> totals[kSums];
  for (auto& total : totals) total = Lanes<T>::splat(T(0));
  std::int64_t i = 0;
  for (; i + kSums * kCount <= n; i += kSums * kCount) {
    for (int k = 0; k < kSums; ++k) {
      const Lanes<T> v = Lanes<T>::load(x + i + k * kCount);
      totals[k] = totals[k] + v * v;
    }
  }
  T rest = 0;
  for (; i + kCount <= n; i += kCount) {
    const Lanes<T> v = Lanes<T>::load(x + i);
    totals[0] = totals[0] + v * v;
  }
  for (; i < n; ++i) rest += x[i] * x[i];
  for (int width = kSums / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) totals[k] = totals[k] + totals[k + width];
  }
  return sum_across(totals[0]) + rest;
}

double squares_one_by_one(const float* x, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return total;
}

/// In pairs of halves, so that the error grows with the logarithm of n.
double squares_in_pairs(const double* x, std::int64_t n) {
  constexpr std::int64_t kBlock = 1024;
  if (n <= kBlock) return squares_in_lanes(x, n);
  std::int64_t half = kBlock;
  while (half * 2 < n) half *= 2;
  return squares_in_pairs(x, half) + squares_in_pairs(x + half, n - half);
}

double sum_of_squares_f64(const void* x, std::int64_t n) {
  WENGERT_SPLIT(SquareBlocks, n, 1024);
  return squares_in_pairs(static_cast<const double*>(x), n);
}

/// Blocks in float32, twice as many lanes as float64 has, added in float64. A block whose sum came
/// near float32's ends, where squares overflow or lose their digits, is added again in float64.
double sum_of_squares_f32(const void* x, std::int64_t n) {
  constexpr std::int64_t kBlock = 4096;
  const auto* values = static_cast<const float*>(x);
  WENGERT_SPLIT(SquareBlocks, n, kBlock);
  double total = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t count = n - i < kBlock ? n - i : kBlock;
    const float part = squares_in_lanes(values + i, count);
    total += part > 1e-24f && part < 1e37f ? static_cast<double>(part)
                                           : squares_one_by_one(values + i, count);
  }
  return total;
}

template <class T>
void scaled(const void* x, std::int64_t n, double factor, void* y, bool accumulate) {
  const Lanes<T> by = Lanes<T>::splat(static_cast<T>(factor));
  if (accumulate) {
    sweep<T>(n, [&](std::int64_t i, std::int64_t m) {
      store<T>(load<T>(y, i, m) + load<T>(x, i, m) * by, y, i, m);
    });
  } else {
    sweep<T>(n, [&](std::int64_t i, std::int64_t m) { store<T>(load<T>(x, i, m) * by, y, i, m); });
  }
}

}  // namespace

extern const MeasureTable measure_table;
constinit const MeasureTable measure_table = {
    {all_finite<float>, all_finite<double>},
    {sum_of_squares_f32, sum_of_squares_f64},
    {scaled<float>, scaled<double>},
};

}  // namespace wengert::kernels::WENGERT_LEVEL
