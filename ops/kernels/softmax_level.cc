#include "wengert/ops/kernels/row_lanes.h"
#include "wengert/ops/kernels/softmax.h"

namespace wengert::kernels::WENGERT_LEVEL {
namespace {

constexpr std::int64_t kNarrow = 64;  // rows up to this length are worked on a lane each

template <class T>
inline T negative_infinity() {
  return static_cast<T>(-__builtin_inf());
}

// ---------------------------------------------------------------------------- narrow rows

/// Below it a sum of exponentials loses digits with its 1.
template <class T>
constexpr T kSmallTotal = T(1.5);

/// As many rows as there are lanes, a row each: column j of all of them is one vector.
template <class T>
struct Tile {
  static constexpr std::int64_t kRows = Lanes<T>::kCount;
  alignas(64) T data[kNarrow * kRows];

  void read(const T* x, std::int64_t rows, std::int64_t n) {
    for (std::int64_t r = 0; r < kRows; ++r) {
      const T* row = x + (r < rows ? r : 0) * n;  // lanes without a row repeat the first
      for (std::int64_t j = 0; j < n; ++j) data[j * kRows + r] = row[j];
    }
  }
  void write(T* y, std::int64_t rows, std::int64_t n, bool accumulate) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < n; ++j) {
        const T value = data[j * kRows + r];
        y[r * n + j] = accumulate ? y[r * n + j] + value : value;
      }
    }
  }
  Lanes<T> column(std::int64_t j) const { return Lanes<T>::load(data + j * kRows); }
  void set(std::int64_t j, Lanes<T> v) { v.store(data + j * kRows); }

  /// What is taken off before exp: the row's maximum, or 0 where that is infinite, so that
  /// −∞ − −∞ never arises.
  Lanes<T> shift(std::int64_t n) const {
    Lanes<T> most = column(0);
    for (std::int64_t j = 1; j < n; ++j) most = larger(most, column(j));
    return where(equal(abs(most), __builtin_inf()), 0.0, most);
  }
  /// Replaces x by exp(x − shift); gives the rows' sums.
  Lanes<T> exponentiate(std::int64_t n, Lanes<T> by) {
    Lanes<T> total = Lanes<T>::splat(T(0));
    for (std::int64_t j = 0; j < n; ++j) {
      const Lanes<T> e = exp(column(j) - by);
      set(j, e);
      total = total + e;
    }
    return total;
  }
  /// These sums less 1. Beside the maximum's own 1 what is small is lost: there it is added anew
  /// without it, for each row by itself, so that its bits do not depend on its neighbours.
  Lanes<T> less_one(Lanes<T> total, std::int64_t n) const {
    bool small = false;
    for (std::int64_t r = 0; r < kRows; ++r) small |= total.v[r] < kSmallTotal<T>;
    if (!small) return total - 1.0;
    Lanes<T> rest = Lanes<T>::splat(T(0)), ones = Lanes<T>::splat(T(-1));
    for (std::int64_t j = 0; j < n; ++j) {
      const Lanes<T> e = column(j);
      const auto most = equal(e, 1.0);
      rest = rest + where(most, 0.0, e);
      ones = ones + where(most, like(e, 1.0), like(e, 0.0));
    }
    return where(total < static_cast<double>(kSmallTotal<T>), rest + ones, total - 1.0);
  }
};

/// Calls body(first row, rows) for each group of as many rows as there are lanes.
template <class T, class Body>
inline void for_groups(std::int64_t rows, Body body) {
  constexpr std::int64_t kRows = Tile<T>::kRows;
  WENGERT_SPLIT(NarrowRows, rows, kRows);
  for (std::int64_t r = 0; r < rows; r += kRows) body(r, rows - r < kRows ? rows - r : kRows);
}

// ---------------------------------------------------------------------------- wide rows

template <class T>
inline T shift_of(const T* x, std::int64_t n) {
  const T most = max(x, n);
  return __builtin_isinf(most) ? T(0) : most;
}

/// As the lanes compute them.
template <class T>
inline T log1p_of(T x) {
  return log1p(Lanes<T>::splat(x)).v[0];
}
template <class T>
inline T exp_of(T x) {
  return exp(Lanes<T>::splat(x)).v[0];
}

/// Σ exp(x − by) less 1, as in Tile::exponentiate.
template <class T>
inline T sum_exp_less_one(const T* x, std::int64_t n, T by) {
  const Lanes<T> most = Lanes<T>::splat(by), one = Lanes<T>::splat(T(1));
  const T total = sum_of(x, n, [&](Lanes<T> v) { return exp(v - most); });
  if (!(total < kSmallTotal<T>)) return total - T(1);
  const T rest =
      sum_of(x, n, [&](Lanes<T> v) { return where(equal(v, most), 0.0, exp(v - most)); });
  return rest + (sum_of(x, n, [&](Lanes<T> v) { return where(equal(v, most), one, 0.0); }) - T(1));
}

/// body(vector) stored over a row; the last, short vector included.
template <class T, class Body>
inline void map_row(std::int64_t n, T* to, bool accumulate, Body body) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  WENGERT_SPLIT(WideRows, n, kCount);
  std::int64_t i = 0;
  for (; i + kCount <= n; i += kCount) {
    Lanes<T> v = body(i, kCount);
    if (accumulate) v = Lanes<T>::load(to + i) + v;
    v.store(to + i);
  }
  if (i < n) {
    Lanes<T> v = body(i, n - i);
    if (accumulate) v = Lanes<T>::load_some(to + i, n - i) + v;
    v.store_some(to + i, n - i);
  }
}

// ---------------------------------------------------------------------------- the kernels

template <class T>
void logsumexp(const T* x, std::int64_t rows, std::int64_t n, T* to) {
  if (n == 0) {
    for (std::int64_t r = 0; r < rows; ++r) to[r] = negative_infinity<T>();
  } else if (n <= kNarrow) {
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> by = tile.shift(n);
      (log1p(tile.less_one(tile.exponentiate(n, by), n)) + by).store_some(to + first, count);
    });
  } else {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T by = shift_of(x + r * n, n);
      to[r] = log1p_of(sum_exp_less_one(x + r * n, n, by)) + by;
    }
  }
}

template <class T>
void softmax(const T* x, std::int64_t rows, std::int64_t n, T* y) {
  if (n <= kNarrow) {
    if (n == 0) return;
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> total = tile.exponentiate(n, tile.shift(n));
      for (std::int64_t j = 0; j < n; ++j) tile.set(j, tile.column(j) / total);
      tile.write(y + first * n, count, n, false);
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const Lanes<T> by = Lanes<T>::splat(shift_of(row, n));
    map_row(n, y + r * n, false,
            [&](std::int64_t i, std::int64_t m) { return exp(some(row, i, m) - by); });
    const Lanes<T> total = Lanes<T>::splat(sum(y + r * n, n));
    map_row(n, y + r * n, false,
            [&](std::int64_t i, std::int64_t m) { return some(y + r * n, i, m) / total; });
  }
}

template <class T>
void log_softmax(const T* x, std::int64_t rows, std::int64_t n, T* y) {
  if (n <= kNarrow) {
    if (n == 0) return;
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> by = tile.shift(n);
      const Lanes<T> logarithm = log1p(tile.less_one(tile.exponentiate(n, by), n));
      tile.read(x + first * n, count, n);
      for (std::int64_t j = 0; j < n; ++j) tile.set(j, (tile.column(j) - by) - logarithm);
      tile.write(y + first * n, count, n, false);
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const T shift = shift_of(row, n);
    const Lanes<T> by = Lanes<T>::splat(shift);
    const Lanes<T> logarithm = Lanes<T>::splat(log1p_of(sum_exp_less_one(row, n, shift)));
    map_row(n, y + r * n, false,
            [&](std::int64_t i, std::int64_t m) { return (some(row, i, m) - by) - logarithm; });
  }
}

template <class T>
void softmax_backward(const T* g, const T* y, std::int64_t rows, std::int64_t n, T* gx,
                      bool accumulate) {
  const auto product = [](Lanes<T> a, Lanes<T> b) { return where(equal(a, 0.0), 0.0, a * b); };
  if (n <= kNarrow) {
    if (n == 0) return;
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> cotangents, values;
      cotangents.read(g + first * n, count, n);
      values.read(y + first * n, count, n);
      Lanes<T> total = Lanes<T>::splat(T(0));
      for (std::int64_t j = 0; j < n; ++j) {
        total = total + product(cotangents.column(j), values.column(j));
      }
      for (std::int64_t j = 0; j < n; ++j) {
        values.set(j, product(cotangents.column(j) - total, values.column(j)));
      }
      values.write(gx + first * n, count, n, accumulate);
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T *gr = g + r * n, *yr = y + r * n;
    const auto at = [&](std::int64_t i, std::int64_t m) {
      return product(some(gr, i, m), some(yr, i, m));
    };
    const Lanes<T> off = Lanes<T>::splat(sum_terms<T>(0, n, at));
    map_row(n, gx + r * n, accumulate, [&](std::int64_t k, std::int64_t m) {
      return product(some(gr, k, m) - off, some(yr, k, m));
    });
  }
}

/// The logarithm of a share of one half.
constexpr double kNearOne = -0.6931;

template <class T>
void log_softmax_backward(const T* g, const T* y, std::int64_t rows, std::int64_t n, T* gx,
                          bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T *gr = g + r * n, *yr = y + r * n;
    const Lanes<T> total = Lanes<T>::splat(sum(gr, n));
    if (n == 0 || !(max(yr, n) > T(kNearOne))) {
      map_row(n, gx + r * n, accumulate, [&](std::int64_t i, std::int64_t m) {
        return some(gr, i, m) - where(equal(total, 0.0), 0.0, total * exp(some(yr, i, m)));
      });
      continue;
    }
    map_row(n, gx + r * n, accumulate, [&](std::int64_t i, std::int64_t m) {
      // g − total·p, where p is near 1 as (g − total) + total·(1 − p): what g holds is taken off
      // before 1 − p, which is small there.
      const Lanes<T> gi = some(gr, i, m), yi = some(yr, i, m);
      const auto near_one = yi > kNearOne;
      const Lanes<T> start = where(near_one, gi - total, gi);
      const Lanes<T> factor = where(near_one, expm1(yi), exp(yi));
      return start - where(equal(total, 0.0), 0.0, total * factor);
    });
  }
}

template <class T>
void log_softmax_of(const T* x, const std::int64_t* target, std::int64_t rows, std::int64_t n, T* h,
                    T* shifts, T* rests) {
  if (n <= kNarrow) {
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> by = tile.shift(n);
      const Lanes<T> rest = tile.less_one(tile.exponentiate(n, by), n);
      by.store_some(shifts + first, count);
      rest.store_some(rests + first, count);
      const Lanes<T> logarithm = log1p(rest);
      for (std::int64_t r = first; r < first + count; ++r) {
        h[r] = (x[r * n + target[r]] - by.v[r - first]) - logarithm.v[r - first];
      }
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    shifts[r] = shift_of(row, n);
    rests[r] = sum_exp_less_one(row, n, shifts[r]);
    h[r] = (row[target[r]] - shifts[r]) - log1p_of(rests[r]);
  }
}

template <class T>
inline void fill_zeros(T* to, std::int64_t n) {
  __builtin_memset(to, 0, static_cast<std::size_t>(n) * sizeof(T));
}

template <class T>
void cross_entropy_backward(const T* g, const T* x, const std::int64_t* target, const T* shifts,
                            const T* rests, std::int64_t rows, std::int64_t n, T* gx,
                            bool accumulate) {
  if (n <= kNarrow) {
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> by = some(shifts, first, count), rest = some(rests, first, count);
      const Lanes<T> total = rest + 1.0, cotangent = some(g, first, count);
      for (std::int64_t j = 0; j < n; ++j) tile.set(j, exp(tile.column(j) - by));
      for (std::int64_t r = 0; r < count; ++r) {  // p − 1 as what the others have
        T& e = tile.data[target[first + r] * Tile<T>::kRows + r];
        e = e == T(1) ? -rest.v[r] : e - total.v[r];
      }
      for (std::int64_t j = 0; j < n; ++j) {
        tile.set(j, where(equal(cotangent, 0.0), 0.0, tile.column(j) / total * cotangent));
      }
      tile.write(gx + first * n, count, n, accumulate);
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    T* to = gx + r * n;
    if (g[r] == T(0)) {
      if (!accumulate) fill_zeros(to, n);
      continue;
    }
    const T* row = x + r * n;
    const Lanes<T> by = Lanes<T>::splat(shifts[r]);
    const T rest = rests[r], scale = g[r] / (rest + T(1));
    const T before = accumulate ? to[target[r]] : T(0), e = exp_of(row[target[r]] - shifts[r]);
    map_row(n, to, accumulate,
            [&](std::int64_t i, std::int64_t m) { return exp(some(row, i, m) - by) * scale; });
    // p − 1 as what the others have.
    to[target[r]] = before - (e == T(1) ? rest : rest + T(1) - e) * scale;
  }
}

template <class T>
void hinge(const T* x, const std::int64_t* target, T margin, std::int64_t rows, std::int64_t n,
           T* to) {
  const Lanes<T> by = Lanes<T>::splat(margin);
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * n;
    const std::int64_t own = target[r];
    const Lanes<T> at = Lanes<T>::splat(row[own]);
    const auto over = [&](Lanes<T> v) {
      const Lanes<T> m = (v - at) + by;
      return where(m <= 0.0, 0.0, m);
    };
    to[r] = sum_of(row, own, over) + sum_of(row + own + 1, n - own - 1, over);
  }
}

template <class T>
void hinge_backward(const T* g, const T* x, const std::int64_t* target, T margin, std::int64_t rows,
                    std::int64_t n, T* gx, bool accumulate) {
  const Lanes<T> by = Lanes<T>::splat(margin), one = Lanes<T>::splat(T(1));
  for (std::int64_t r = 0; r < rows; ++r) {
    T* to = gx + r * n;
    if (g[r] == T(0)) {
      if (!accumulate) fill_zeros(to, n);
      continue;
    }
    const T* row = x + r * n;
    const std::int64_t own = target[r];
    const Lanes<T> at = Lanes<T>::splat(row[own]), cotangent = Lanes<T>::splat(g[r]);
    // 1 within the margin, 0 beyond it; NaN stays NaN.
    const auto slope = [&](Lanes<T> v) {
      const Lanes<T> m = (v - at) + by;
      return where(m > 0.0, one, where(m <= 0.0, 0.0, m));
    };
    const T before = accumulate ? to[own] : T(0);
    const T within = sum_of(row, own, slope) + sum_of(row + own + 1, n - own - 1, slope);
    map_row(n, to, accumulate,
            [&](std::int64_t i, std::int64_t m) { return slope(some(row, i, m)) * cotangent; });
    to[own] = before - within * g[r];
  }
}

template <class T>
constexpr SoftmaxKernels<T> kernels_of() {
  return {logsumexp<T>,
          softmax<T>,
          log_softmax<T>,
          softmax_backward<T>,
          log_softmax_backward<T>,
          log_softmax_of<T>,
          cross_entropy_backward<T>,
          hinge<T>,
          hinge_backward<T>};
}

}  // namespace

extern const SoftmaxKernels<float> softmax_float;
extern const SoftmaxKernels<double> softmax_double;
constinit const SoftmaxKernels<float> softmax_float = kernels_of<float>();
constinit const SoftmaxKernels<double> softmax_double = kernels_of<double>();

}  // namespace wengert::kernels::WENGERT_LEVEL
