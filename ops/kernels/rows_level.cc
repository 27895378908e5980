#include "wengert/ops/kernels/row_lanes.h"
#include "wengert/ops/kernels/rows.h"

namespace wengert::kernels::WENGERT_LEVEL {
namespace {

template <class T>
T dot(const T* x, const T* y, std::int64_t n) {
  note_terms<T>(n);
  return sum_terms<T>(
      0, n, [x, y](std::int64_t i, std::int64_t m) { return some(x, i, m) * some(y, i, m); });
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

template <class T>
constexpr RowKernels<T> kernels_of() {
  return {sum<T>,     sums<T>, extremes<T, Larger>, extremes<T, Smaller>,
          squares<T>, dot<T>,  sum_columns<T>};
}

}  // namespace

extern const RowKernels<float> rows_float;
extern const RowKernels<double> rows_double;
constinit const RowKernels<float> rows_float = kernels_of<float>();
constinit const RowKernels<double> rows_double = kernels_of<double>();

}  // namespace wengert::kernels::WENGERT_LEVEL
