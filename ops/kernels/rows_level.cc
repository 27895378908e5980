#include "wengert/ops/kernels/lanes.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/splits.h"

namespace wengert::kernels::WENGERT_LEVEL {
namespace {

constexpr std::int64_t kBlock = 1024;  // elements summed in lanes before pairing
constexpr std::int64_t kNarrow = 64;   // rows up to this length are worked on a lane each

template <class T>
inline T negative_infinity() {
  return static_cast<T>(-__builtin_inf());
}

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
T dot(const T* x, const T* y, std::int64_t n) {
  note_terms<T>(n);
  return sum_terms<T>(
      0, n, [x, y](std::int64_t i, std::int64_t m) { return some(x, i, m) * some(y, i, m); });
}

template <class T>
T sum(const T* x, std::int64_t n) {
  note_terms<T>(n);
  return sum_of(x, n, [](Lanes<T> v) { return v; });
}

template <class T>
T squares(const T* x, std::int64_t n, T center) {
  note_terms<T>(n);
  return sum_of(x, n, [center](Lanes<T> v) {
    const Lanes<T> d = v - Lanes<T>::splat(center);
    return d * d;
  });
}

template <class T>
void sums(const T* x, std::int64_t rows, std::int64_t n, T* to, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T total = sum(x + r * n, n);
    to[r] = accumulate ? to[r] + total : total;
  }
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

template <class T, class Choose>
void extremes(const T* x, std::int64_t rows, std::int64_t n, T* to) {
  WENGERT_SPLIT(ExtremeVectors, n, 2 * Lanes<T>::kCount);
  for (std::int64_t r = 0; r < rows; ++r) to[r] = extreme(x + r * n, n, Choose{});
}

constexpr std::int64_t kRowBlock = 64;  // rows added one after the other before pairing

/// Sums of kVectors vectors of each row, one row after the other.
template <class T, int kVectors>
inline void add_rows(const T* x, std::int64_t rows, std::int64_t stride,
                     Lanes<T> (&total)[kVectors]) {
  for (auto& t : total) t = Lanes<T>::splat(T(0));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (int k = 0; k < kVectors; ++k) {
      total[k] = total[k] + Lanes<T>::load(x + i * stride + k * Lanes<T>::kCount);
    }
  }
}

/// The same of many rows: blocks of them are paired as a binary counter counts, so that errors grow
/// with the logarithm of the rows. waiting[l] holds the sum of 2^l blocks.
template <class T, int kVectors>
__attribute__((noinline)) void pair_rows(const T* x, std::int64_t rows, std::int64_t stride,
                                         Lanes<T> (&total)[kVectors]) {
  constexpr int kLevels = 58;  // 2⁵⁸ blocks of 64 rows are more than there can be
  Lanes<T> waiting[kLevels][kVectors];
  std::uint64_t blocks = 0;
  for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
    const std::int64_t left = rows - begin;
    add_rows(x + begin * stride, left < kRowBlock ? left : kRowBlock, stride, total);
    int level = 0;
    for (std::uint64_t n = blocks++; (n & 1) != 0 && level + 1 < kLevels; n >>= 1, ++level) {
      for (int k = 0; k < kVectors; ++k) total[k] = waiting[level][k] + total[k];
    }
    for (int k = 0; k < kVectors; ++k) waiting[level][k] = total[k];
  }
  bool first = true;
  for (int level = 0; level < kLevels && blocks >> level != 0; ++level) {
    if ((blocks >> level & 1) == 0) continue;
    for (int k = 0; k < kVectors; ++k) {
      total[k] = first ? waiting[level][k] : waiting[level][k] + total[k];
    }
    first = false;
  }
}

template <class T, int kVectors>
inline void sum_strip(const T* x, std::int64_t rows, std::int64_t stride,
                      Lanes<T> (&total)[kVectors]) {
  if (rows <= kRowBlock) {
    add_rows(x, rows, stride, total);
  } else {
    pair_rows(x, rows, stride, total);
  }
}

/// The same of one column.
template <class T>
inline T sum_column(const T* x, std::int64_t rows, std::int64_t stride) {
  if (rows <= kRowBlock) {
    T total = 0;
    for (std::int64_t i = 0; i < rows; ++i) total += x[i * stride];
    return total;
  }
  std::int64_t half = kRowBlock;
  while (half * 2 < rows) half *= 2;
  return sum_column(x, half, stride) + sum_column(x + half * stride, rows - half, stride);
}

/// to[0…count) (+)= the last `count` lanes.
template <class T>
inline void put_last(Lanes<T> lanes, std::int64_t count, T* to, bool accumulate) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  if (count == kCount) {
    (accumulate ? Lanes<T>::load(to) + lanes : lanes).store(to);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const T value = lanes.v[kCount - count + i];
    to[i] = accumulate ? to[i] + value : value;
  }
}

template <class T>
void sum_wide_columns(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                      T* to, bool accumulate) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  WENGERT_SPLIT(ColumnBlocks, rows, kRowBlock);
  WENGERT_SPLIT(ColumnVectors, columns, 4 * kCount);
  std::int64_t j = 0;
  for (; j + 4 * kCount <= columns; j += 4 * kCount) {
    Lanes<T> totals[4];
    sum_strip(x + j, rows, stride, totals);
    for (int k = 0; k < 4; ++k) put_last(totals[k], kCount, to + j + k * kCount, accumulate);
  }
  for (; j < columns && columns >= kCount; j += kCount) {
    // The last vector overlaps the one before, whose columns are left alone.
    const std::int64_t count = columns - j < kCount ? columns - j : kCount;
    Lanes<T> totals[1];
    sum_strip(x + j + count - kCount, rows, stride, totals);
    put_last(totals[0], count, to + j, accumulate);
  }
  for (; j < columns; ++j) {
    const T total = sum_column(x + j, rows, stride);
    to[j] = accumulate ? to[j] + total : total;
  }
}

template <class T>
void sum_columns(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, T* to,
                 bool accumulate) {
  constexpr std::int64_t kWide = 4 * Lanes<T>::kCount;
  if (rows < 8 || columns < 1 || columns >= kWide || stride != columns) {
    return sum_wide_columns(x, rows, columns, stride, to, accumulate);
  }
  const std::int64_t merged = (kWide + columns - 1) / columns;
  if (rows < 4 * merged) return sum_wide_columns(x, rows, columns, stride, to, accumulate);
  // Several narrow rows that lie together are one wide row of which each column comes again.
  const std::int64_t width = merged * columns, whole = rows / merged;
  WENGERT_SPLIT(ColumnMerged, rows, merged);
  T folded[2 * kWide];
  sum_wide_columns(x, whole, width, width, folded, false);
  for (std::int64_t j = 0; j < columns; ++j) {
    const T total = sum_column(folded + j, merged, columns) +
                    sum_column(x + whole * width + j, rows - whole * merged, columns);
    to[j] = accumulate ? to[j] + total : total;
  }
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
void cross_entropy_backward(const T* g, const T* x, const std::int64_t* target, std::int64_t rows,
                            std::int64_t n, T* gx, bool accumulate) {
  if (n <= kNarrow) {
    for_groups<T>(rows, [&](std::int64_t first, std::int64_t count) {
      Tile<T> tile;
      tile.read(x + first * n, count, n);
      const Lanes<T> total = tile.exponentiate(n, tile.shift(n)), rest = tile.less_one(total, n);
      for (std::int64_t r = 0; r < count; ++r) {  // p − 1 as what the others have
        T& e = tile.data[target[first + r] * Tile<T>::kRows + r];
        e = e == T(1) ? -rest.v[r] : e - total.v[r];
      }
      for (std::int64_t j = 0; j < n; ++j) tile.set(j, tile.column(j) / total);
      const Lanes<T> by = some(g, first, count);
      for (std::int64_t j = 0; j < n; ++j) {
        tile.set(j, where(equal(by, 0.0), 0.0, tile.column(j) * by));
      }
      tile.write(gx + first * n, count, n, accumulate);
    });
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    T* to = gx + r * n;
    if (g[r] == T(0)) {
      if (!accumulate) __builtin_memset(to, 0, static_cast<std::size_t>(n) * sizeof(T));
      continue;
    }
    const T* row = x + r * n;
    const T shift = shift_of(row, n);
    const Lanes<T> by = Lanes<T>::splat(shift);
    const T rest = sum_exp_less_one(row, n, shift), scale = g[r] / (rest + T(1));
    const T before = accumulate ? to[target[r]] : T(0), e = exp_of(row[target[r]] - shift);
    map_row(n, to, accumulate,
            [&](std::int64_t i, std::int64_t m) { return exp(some(row, i, m) - by) * scale; });
    // p − 1 as what the others have.
    to[target[r]] = before - (e == T(1) ? rest : rest + T(1) - e) * scale;
  }
}

template <class T>
constexpr RowKernels<T> kernels_of() {
  return {sum<T>,
          sums<T>,
          extremes<T, Larger>,
          extremes<T, Smaller>,
          squares<T>,
          dot<T>,
          sum_columns<T>,
          logsumexp<T>,
          softmax<T>,
          log_softmax<T>,
          softmax_backward<T>,
          log_softmax_backward<T>,
          cross_entropy_backward<T>};
}

}  // namespace

extern const RowKernels<float> rows_float;
extern const RowKernels<double> rows_double;
constinit const RowKernels<float> rows_float = kernels_of<float>();
constinit const RowKernels<double> rows_double = kernels_of<double>();

}  // namespace wengert::kernels::WENGERT_LEVEL
