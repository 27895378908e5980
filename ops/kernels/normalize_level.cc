#include "wengert/ops/kernels/normalize_table.h"
#include "wengert/ops/kernels/sweep.h"

// Sums and the maps of normalization, compiled once for each CPU level. Columns are summed in
// strips, whose sums stay in the first cache; rows in vectors. Either way the terms of a block are
// added in T, the blocks in double.
namespace wengert::kernels::WENGERT_LEVEL {
namespace {

constexpr std::int64_t kStrip = 256;  // columns
constexpr std::int64_t kBlock = 64;   // rows of a strip, or vectors of a row

inline std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

template <int kCount>
struct Rows {
  static constexpr int count = kCount;
};

/// Σ of f(0), f(1), … over rows that are taken together: their sums are loaded and stored once.
template <int kCount, class F>
inline auto over_rows(const F& f) {
  if constexpr (kCount == 4) {
    return (f(0) + f(1)) + (f(2) + f(3));
  } else {
    return f(0);
  }
}

/// Calls add(rows, first column, columns, first row, partial sums) for the rows of each block of a
/// strip; two sums a column.
template <class T, class Add>
inline void in_strips(std::int64_t rows, std::int64_t columns, double* first, double* second,
                      const Add& add) {
  for (std::int64_t c = 0; c < columns; c += kStrip) {
    const std::int64_t n = least(kStrip, columns - c);
    for (std::int64_t r = 0; r < rows; r += kBlock) {
      alignas(64) T sums[2][kStrip] = {};
      const std::int64_t end = least(rows, r + kBlock);
      std::int64_t row = r;
      for (; row + 4 <= end; row += 4) add(Rows<4>{}, c, n, row, sums[0], sums[1]);
      for (; row < end; ++row) add(Rows<1>{}, c, n, row, sums[0], sums[1]);
      for (std::int64_t j = 0; j < n; ++j) first[c + j] += static_cast<double>(sums[0][j]);
      if (second == nullptr) continue;
      for (std::int64_t j = 0; j < n; ++j) second[c + j] += static_cast<double>(sums[1][j]);
    }
  }
}

template <class T>
void column_sums(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                 double* sums) {
  in_strips<T>(rows, columns, sums, nullptr,
               [=](auto together, std::int64_t c, std::int64_t n, std::int64_t row, T* sum, T*) {
                 const T* at = x + row * stride + c;
                 sweep<T>(n, [&](std::int64_t j, std::int64_t count) {
                   const Lanes<T> terms = over_rows<together.count>(
                       [&](std::int64_t i) { return load<T>(at + i * stride, j, count); });
                   store(load<T>(sum, j, count) + terms, sum, j, count);
                 });
               });
}

/// Two terms that are summed side by side.
template <class T>
struct Pair {
  Lanes<T> first, second;
  friend Pair operator+(Pair a, Pair b) { return {a.first + b.first, a.second + b.second}; }
};

/// Adds term(row, j, count), a pair, over the rows of each column.
template <class T, class Term>
inline void pairs_in_strips(std::int64_t rows, std::int64_t columns, double* first, double* second,
                            const Term& term) {
  in_strips<T>(
      rows, columns, first, second,
      [&](auto together, std::int64_t c, std::int64_t n, std::int64_t row, T* sum, T* other) {
        sweep<T>(n, [&](std::int64_t j, std::int64_t count) {
          const Pair<T> terms = over_rows<together.count>(
              [&](std::int64_t i) { return term(row + i, c + j, count); });
          store(load<T>(sum, j, count) + terms.first, sum, j, count);
          store(load<T>(other, j, count) + terms.second, other, j, count);
        });
      });
}

template <class T>
void column_moments(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                    const T* center, double* sums, double* squares) {
  pairs_in_strips<T>(
      rows, columns, sums, squares, [=](std::int64_t row, std::int64_t j, std::int64_t count) {
        const Lanes<T> d = load<T>(x + row * stride, j, count) - load<T>(center, j, count);
        return Pair<T>{d, d * d};
      });
}

template <class T>
void column_products(const T* g, const T* x, std::int64_t rows, std::int64_t stride,
                     std::int64_t columns, const T* center, double* sums, double* products) {
  pairs_in_strips<T>(
      rows, columns, sums, products, [=](std::int64_t row, std::int64_t j, std::int64_t count) {
        const Lanes<T> d = load<T>(x + row * stride, j, count) - load<T>(center, j, count);
        const Lanes<T> cotangent = load<T>(g + row * stride, j, count);
        return Pair<T>{cotangent, cotangent * d};
      });
}

template <class T>
void column_affine(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                   const T* center, const T* scale, const T* offset, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sweep<T>(columns, [&](std::int64_t j, std::int64_t count) {
      const Lanes<T> d = load<T>(x + row * stride, j, count) - load<T>(center, j, count);
      store(d * load<T>(scale, j, count) + load<T>(offset, j, count), y + row * stride, j, count);
    });
  }
}

template <class T>
bool column_statistics(std::int64_t columns, double count, double epsilon, const double* means,
                       const double* sums, double* squares, double* lacks, double* scales) {
  const double share = 1 / count;
  Lanes<double> wrong = Lanes<double>::splat(0);  // NaN or infinite where anything is
  sweep<double>(columns, [&](std::int64_t j, std::int64_t n) {
    const Lanes<double> off = load<double>(sums, j, n) * share;
    const Lanes<double> raw = load<double>(squares, j, n) * share - off * off;
    const Lanes<double> variance = where(raw < 0.0, 0.0, raw);
    wrong = wrong + (load<double>(means, j, n) + variance) * 0.0;
    store(off, lacks, j, n);
    store(variance, squares, j, n);
    store(1.0 / sqrt(variance + epsilon), scales, j, n);
  });
  bool finite = true;
  for (int k = 0; k < Lanes<double>::kCount; ++k) finite = finite && wrong.v[k] == 0;
  return finite;
}

/// to (+)= value.
template <class T>
inline void put(Lanes<T> value, T* to, std::int64_t i, std::int64_t count, bool accumulate) {
  store(accumulate ? load<T>(to, i, count) + value : value, to, i, count);
}

template <class T>
void column_gradient(const T* g, const T* x, std::int64_t rows, std::int64_t stride,
                     std::int64_t columns, const T* center, const T* scale, const T* slope,
                     const T* offset, T* gx, bool accumulate) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sweep<T>(columns, [&](std::int64_t j, std::int64_t count) {
      const Lanes<T> d = load<T>(x + row * stride, j, count) - load<T>(center, j, count);
      const Lanes<T> rest = load<T>(g + row * stride, j, count) - load<T>(offset, j, count);
      put((rest - d * load<T>(slope, j, count)) * load<T>(scale, j, count), gx + row * stride, j,
          count, accumulate);
    });
  }
}

/// Two sums over a row: term(i, count, first, second) gives what vector i adds to each. The lanes
/// beyond a short vector are left out.
template <class T, class Term>
inline void over_row(std::int64_t n, double* first, double* second, const Term& term) {
  constexpr std::int64_t kWidth = Lanes<T>::kCount, kStep = kBlock * kWidth;
  double totals[2] = {0, 0};
  for (std::int64_t begin = 0; begin < n; begin += kStep) {
    const std::int64_t end = least(n, begin + kStep);
    Lanes<T> sums[2][2] = {};
    std::int64_t i = begin;
    for (; i + 2 * kWidth <= end; i += 2 * kWidth) {
      for (int k = 0; k < 2; ++k) {
        Lanes<T> a, b;
        term(i + k * kWidth, kWidth, a, b);
        sums[k][0] = sums[k][0] + a;
        sums[k][1] = sums[k][1] + b;
      }
    }
    for (; i < end; i += kWidth) {
      const std::int64_t count = least(kWidth, end - i);
      Lanes<T> a, b;
      term(i, count, a, b);
      for (std::int64_t lane = count; lane < kWidth; ++lane) a.v[lane] = b.v[lane] = 0;
      sums[0][0] = sums[0][0] + a;
      sums[0][1] = sums[0][1] + b;
    }
    for (int k = 0; k < 2; ++k) {
      totals[k] += static_cast<double>(sum_across(sums[0][k] + sums[1][k]));
    }
  }
  *first = totals[0];
  if (second != nullptr) *second = totals[1];
}

template <class T>
void row_sum(const T* x, std::int64_t n, double* sum) {
  over_row<T>(n, sum, nullptr, [=](std::int64_t i, std::int64_t count, Lanes<T>& a, Lanes<T>& b) {
    a = b = load<T>(x, i, count);
  });
}

template <class T>
void row_moments(const T* x, std::int64_t n, T center, double* sum, double* squares) {
  const Lanes<T> m = Lanes<T>::splat(center);
  over_row<T>(n, sum, squares, [=](std::int64_t i, std::int64_t count, Lanes<T>& a, Lanes<T>& b) {
    a = load<T>(x, i, count) - m;
    b = a * a;
  });
}

/// Rows as their normalization sees them: h = (x − center)·scale − offset.
template <class T>
struct Normalized {
  const T* x;
  Lanes<T> center, scale, offset;
  Normalized(const T* row, T m, T r, T o)
      : x(row), center(Lanes<T>::splat(m)), scale(Lanes<T>::splat(r)), offset(Lanes<T>::splat(o)) {}
  Lanes<T> at(std::int64_t i, std::int64_t count) const {
    return (load<T>(x, i, count) - center) * scale - offset;
  }
};

template <class T>
inline Lanes<T> times(Lanes<T> value, const T* gain, std::int64_t i, std::int64_t count) {
  return gain == nullptr ? value : value * load<T>(gain, i, count);
}

template <class T>
void row_affine(const T* x, std::int64_t n, T center, T scale, T offset, const T* gain,
                const T* bias, T* y) {
  const Normalized<T> h(x, center, scale, offset);
  sweep<T>(n, [&](std::int64_t i, std::int64_t count) {
    Lanes<T> value = times(h.at(i, count), gain, i, count);
    if (bias != nullptr) value = value + load<T>(bias, i, count);
    store(value, y, i, count);
  });
}

template <class T>
void row_products(const T* g, const T* x, std::int64_t n, T center, T scale, T offset,
                  const T* gain, double* sum, double* products) {
  const Normalized<T> h(x, center, scale, offset);
  over_row<T>(n, sum, products, [&](std::int64_t i, std::int64_t count, Lanes<T>& a, Lanes<T>& b) {
    a = times(load<T>(g, i, count), gain, i, count);
    b = a * h.at(i, count);
  });
}

template <class T>
void row_gradient(const T* g, const T* x, std::int64_t n, T center, T scale, T offset,
                  const T* gain, T mean, T slope, T* gx, bool accumulate) {
  const Normalized<T> h(x, center, scale, offset);
  const Lanes<T> m = Lanes<T>::splat(mean), k = Lanes<T>::splat(slope);
  sweep<T>(n, [&](std::int64_t i, std::int64_t count) {
    const Lanes<T> cotangent = times(load<T>(g, i, count), gain, i, count);
    put((cotangent - m - h.at(i, count) * k) * h.scale, gx, i, count, accumulate);
  });
}

template <class T>
void gain_products(const T* g, const T* x, std::int64_t rows, std::int64_t n, const T* center,
                   const T* scale, const T* offset, double* gains, double* biases) {
  pairs_in_strips<T>(rows, n, gains, biases,
                     [=](std::int64_t row, std::int64_t j, std::int64_t count) {
                       const Normalized<T> h(x + row * n, center[row], scale[row], offset[row]);
                       const Lanes<T> cotangent = load<T>(g + row * n, j, count);
                       return Pair<T>{cotangent * h.at(j, count), cotangent};
                     });
}

template <class T>
constexpr NormalizeKernels<T> kKernels = {
    column_sums<T>,       column_moments<T>,  column_products<T>, column_affine<T>,
    column_statistics<T>, column_gradient<T>, row_sum<T>,         row_moments<T>,
    row_affine<T>,        row_products<T>,    row_gradient<T>,    gain_products<T>};

}  // namespace

extern const NormalizeTable normalize_table;
constinit const NormalizeTable normalize_table = {kKernels<float>, kKernels<double>};

}  // namespace wengert::kernels::WENGERT_LEVEL
