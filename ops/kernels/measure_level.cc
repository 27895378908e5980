#include "wengert/ops/kernels/measure_table.h"
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

/// A vector of float32 or float64 as one vector of doubles.
inline Lanes<double> doubles_at(const double* x) { return Lanes<double>::load(x); }
inline Lanes<double> doubles_at(const float* x) {
  typedef float Half __attribute__((vector_size(WENGERT_LANE_BYTES / 2), aligned(1), may_alias));
  return {__builtin_convertvector(*reinterpret_cast<const Half*>(x), Lanes<double>::Vector)};
}

template <class T>
double sum_of_squares(const void* x, std::int64_t n) {
  constexpr std::int64_t kCount = Lanes<double>::kCount;
  const auto* values = static_cast<const T*>(x);
  Lanes<double> totals[4];
  for (auto& total : totals) total = Lanes<double>::splat(0);
  std::int64_t i = 0;
  for (; i + 4 * kCount <= n; i += 4 * kCount) {
    for (int k = 0; k < 4; ++k) {
      const Lanes<double> v = doubles_at(values + i + k * kCount);
      totals[k] = totals[k] + v * v;
    }
  }
  double rest = 0;
  for (; i < n; ++i) rest += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum_across((totals[0] + totals[1]) + (totals[2] + totals[3])) + rest;
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
    {sum_of_squares<float>, sum_of_squares<double>},
    {scaled<float>, scaled<double>},
};

}  // namespace wengert::kernels::WENGERT_LEVEL
