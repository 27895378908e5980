#include "wengert/ops/kernels/normalize.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "wengert/ops/kernels/level.h"
#include "wengert/ops/kernels/normalize_table.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(NormalizeTable, normalize_table)

namespace {

template <class T>
const NormalizeKernels<T>& kernels_of() {
  if constexpr (std::is_same_v<T, float>) {
    return active_normalize_table().of_float;
  } else {
    return active_normalize_table().of_double;
  }
}

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
std::int64_t parts(std::int64_t size, std::int64_t part) { return (size + part - 1) / part; }

// ---------------------------------------------------------------------------- channels

/// The memory of [outer, channels, inner] as a matrix whose columns belong to one channel each.
/// Narrow rows are merged into wider ones; the rows that are left make one shorter row.
struct Matrix {
  static constexpr std::int64_t kNarrow = 128;    // columns
  static constexpr std::int64_t kStrip = 2048;    // columns a task
  static constexpr std::int64_t kGrain = 32768;   // elements a task, about
  static constexpr std::int64_t kLeastRows = 32;  // rows a task

  ChannelShape shape;
  std::int64_t width;          ///< of an outer element
  std::int64_t merged;         ///< outer elements a row
  std::int64_t columns, rows;  ///< whole rows
  std::int64_t rest;           ///< columns of the shorter row
  std::int64_t strip, block;   ///< columns and rows a task

  explicit Matrix(const ChannelShape& of) : shape(of), width(of.channels * of.inner) {
    merged = std::clamp<std::int64_t>(parts(kNarrow, std::max<std::int64_t>(width, 1)), 1,
                                      std::max<std::int64_t>(of.outer, 1));
    columns = merged * width;
    rows = of.outer / merged;
    rest = of.outer % merged * width;
    strip = std::min(columns, kStrip);
    block = std::max(kLeastRows, kGrain / std::max<std::int64_t>(strip, 1));
  }
  std::int64_t strips() const { return parts(columns, strip); }
  /// The shorter row is a part of the last block, or a block of its own.
  std::int64_t blocks() const { return std::max<std::int64_t>(1, parts(rows, block)); }
  std::int64_t channel(std::int64_t column) const { return column % width / shape.inner; }

  /// Calls body(element, rows, column, columns, block) for the pieces of every task.
  template <class Body>
  void for_pieces(const Body& body) const {
    if (columns == 0) return;
    WENGERT_SPLIT(NormalizeStrips, columns, strip);
    WENGERT_SPLIT(NormalizeBlocks, rows, block);
    if (merged > 1) WENGERT_SPLIT(NormalizeMerged, shape.outer, merged);
    const std::int64_t last = blocks() - 1;
    parallel_for(strips() * blocks(), [&](std::int64_t task) {
      const std::int64_t at = task / strips(), column = task % strips() * strip;
      const std::int64_t first = at * block, wide = std::min(strip, columns - column);
      body(first * columns + column, std::min(block, rows - first), column, wide, at);
      const std::int64_t left = std::min(wide, rest - column);
      if (at == last && left > 0) body(rows * columns + column, 1, column, left, at);
    });
  }

  /// value(channel) of each column.
  template <class T, class Value>
  std::vector<T> by_column(const Value& value) const {
    std::vector<T> all(index(columns));
    T* to = all.data();
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      const T number = static_cast<T>(value(c));
      for (std::int64_t i = 0; i < shape.inner; ++i) *to++ = number;
    }
    for (std::int64_t i = width; i < columns; ++i) all[index(i)] = all[index(i - width)];
    return all;
  }

  /// to[c] = the sum over blocks and columns of channel c, in order.
  void fold(const std::vector<double>& sums, double* to) const {
    std::fill_n(to, shape.channels, 0.0);
    for (std::int64_t b = 0; b < blocks(); ++b) {
      for (std::int64_t m = 0; m < merged; ++m) {
        const double* from = sums.data() + b * columns + m * width;
        if (shape.inner == 1) {
          for (std::int64_t c = 0; c < shape.channels; ++c) to[c] += from[c];
          continue;
        }
        for (std::int64_t c = 0; c < shape.channels; ++c) {
          double sum = 0;
          for (std::int64_t i = 0; i < shape.inner; ++i) sum += from[c * shape.inner + i];
          to[c] += sum;
        }
      }
    }
  }
  std::vector<double> sums() const { return std::vector<double>(index(blocks() * columns)); }
};

/// A mean in two parts, the variance about it and 1/√(variance + ε).
struct Statistics {
  double mean, lacks, variance, scale;
};

/// `off` is the mean of x − center, `squares` that of (x − center)².
Statistics statistics_about(double center, double off, double squares, double epsilon) {
  const double variance = std::fmax(0.0, squares - off * off);
  return {center, off, variance, 1 / std::sqrt(variance + epsilon)};
}

/// Where sums in T have left their range.
template <class T, class Element>
Statistics wide_statistics(std::int64_t n, const Element& element, bool centered, double epsilon) {
  long double mean = 0, squares = 0;
  if (centered) {
    for (std::int64_t i = 0; i < n; ++i) mean += element(i) / static_cast<long double>(n);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const long double d = element(i) - mean;
    squares += d * d / static_cast<long double>(n);
  }
  const auto center = static_cast<double>(static_cast<T>(mean));
  return {center, static_cast<double>(mean - center), static_cast<double>(squares),
          static_cast<double>(1 / std::sqrt(squares + epsilon))};
}

}  // namespace

template <class T>
void channel_statistics(const T* x, const ChannelShape& shape, double epsilon, double* means,
                        double* variances, double* scales) {
  const Matrix matrix(shape);
  const auto& kernels = kernels_of<T>();
  const auto n = static_cast<double>(shape.elements());
  std::vector<double> sums = matrix.sums();
  matrix.for_pieces([&](std::int64_t at, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t block) {
    kernels.column_sums(x + at, rows, matrix.columns, columns,
                        sums.data() + block * matrix.columns + column);
  });
  matrix.fold(sums, means);
  const double share = 1 / n;
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    means[c] = static_cast<double>(static_cast<T>(means[c] * share));
  }
  const std::vector<T> center = matrix.by_column<T>([&](std::int64_t c) { return means[c]; });
  std::fill(sums.begin(), sums.end(), 0.0);
  std::vector<double> squares = matrix.sums();
  matrix.for_pieces([&](std::int64_t at, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t block) {
    const std::int64_t to = block * matrix.columns + column;
    kernels.column_moments(x + at, rows, matrix.columns, columns, center.data() + column,
                           sums.data() + to, squares.data() + to);
  });
  double* lacks = means + shape.channels;
  matrix.fold(sums, lacks);
  matrix.fold(squares, variances);
  // Sums about the rounded mean say by how much it was off.
  if (kernels.column_statistics(shape.channels, n, epsilon, means, lacks, variances, lacks,
                                scales)) {
    return;
  }
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    if (std::isfinite(means[c]) && std::isfinite(variances[c])) continue;
    const T* first = x + c * shape.inner;
    const Statistics of = wide_statistics<T>(
        shape.elements(),
        [&](std::int64_t i) {
          return static_cast<long double>(first[i / shape.inner * matrix.width + i % shape.inner]);
        },
        true, epsilon);
    means[c] = of.mean;
    lacks[c] = of.lacks;
    variances[c] = of.variance;
    scales[c] = of.scale;
  }
}

template <class T>
void channel_affine(const T* x, const ChannelShape& shape, const double* means,
                    const double* scales, const double* offsets, T* y) {
  const Matrix matrix(shape);
  const auto center = matrix.by_column<T>([&](std::int64_t c) { return means[c]; });
  const auto scale = matrix.by_column<T>([&](std::int64_t c) { return scales[c]; });
  const auto offset = matrix.by_column<T>(
      [&](std::int64_t c) { return offsets[c] - means[shape.channels + c] * scales[c]; });
  matrix.for_pieces([&](std::int64_t at, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t) {
    kernels_of<T>().column_affine(x + at, rows, matrix.columns, columns, center.data() + column,
                                  scale.data() + column, offset.data() + column, y + at);
  });
}

template <class T>
void channel_products(const T* g, const T* x, const ChannelShape& shape, const double* means,
                      double* sums, double* products) {
  const Matrix matrix(shape);
  const auto center = matrix.by_column<T>([&](std::int64_t c) { return means[c]; });
  std::vector<double> first = matrix.sums(), second = matrix.sums();
  matrix.for_pieces([&](std::int64_t at, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t block) {
    const std::int64_t to = block * matrix.columns + column;
    kernels_of<T>().column_products(g + at, x + at, rows, matrix.columns, columns,
                                    center.data() + column, first.data() + to, second.data() + to);
  });
  matrix.fold(first, sums);
  matrix.fold(second, products);
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    products[c] -= means[shape.channels + c] * sums[c];
  }
}

template <class T>
void channel_gradient(const T* g, const T* x, const ChannelShape& shape, const double* means,
                      const double* scales, const double* slopes, const double* offsets, T* gx,
                      bool accumulate) {
  const Matrix matrix(shape);
  const auto center = matrix.by_column<T>([&](std::int64_t c) { return means[c]; });
  const auto scale = matrix.by_column<T>([&](std::int64_t c) { return scales[c]; });
  const auto slope = matrix.by_column<T>([&](std::int64_t c) { return slopes[c]; });
  const auto offset = matrix.by_column<T>(
      [&](std::int64_t c) { return offsets[c] - means[shape.channels + c] * slopes[c]; });
  matrix.for_pieces([&](std::int64_t at, std::int64_t rows, std::int64_t column,
                        std::int64_t columns, std::int64_t) {
    kernels_of<T>().column_gradient(
        g + at, x + at, rows, matrix.columns, columns, center.data() + column,
        scale.data() + column, slope.data() + column, offset.data() + column, gx + at, accumulate);
  });
}

// ---------------------------------------------------------------------------- rows

namespace {

/// Rows a task: enough work for one, few enough that long rows are shared.
std::int64_t rows_a_task(std::int64_t n) { return std::clamp<std::int64_t>(32768 / n, 8, 64); }

template <class T>
bool all_zero(const T* x, std::int64_t n) {
  return std::all_of(x, x + n, [](T each) { return each == 0; });
}

/// A row's numbers as its kernels take them: h = (x − center)·scale − offset.
template <class T>
struct RowNumbers {
  T center, scale, offset;
  RowNumbers(double mean, double lacks, double reciprocal)
      : center(static_cast<T>(mean)),
        scale(static_cast<T>(reciprocal)),
        offset(static_cast<T>(lacks * reciprocal)) {}
};

template <class T>
Statistics row_statistics(const RowNormalization<T>& of, const T* x, double epsilon) {
  const auto& kernels = kernels_of<T>();
  const auto n = static_cast<double>(of.n);
  double sum = 0, squares = 0;
  if (of.centered) kernels.row_sum(x, of.n, &sum);
  const T center = static_cast<T>(sum / n);
  kernels.row_moments(x, of.n, center, &sum, &squares);
  if (!std::isfinite(center) || !std::isfinite(squares)) [[unlikely]] {
    return wide_statistics<T>(
        of.n, [&](std::int64_t i) { return static_cast<long double>(x[i]); }, of.centered, epsilon);
  }
  return statistics_about(static_cast<double>(center), of.centered ? sum / n : 0, squares / n,
                          epsilon);
}

}  // namespace

template <class T>
void RowNormalization<T>::forward(double epsilon, const T* bias, T* y, double* means,
                                  double* scales) const {
  const std::int64_t group = rows_a_task(n);
  WENGERT_SPLIT(NormalizeRows, rows, group);
  parallel_for(parts(rows, group), [&](std::int64_t task) {
    const std::int64_t end = std::min(rows, (task + 1) * group);
    for (std::int64_t r = task * group; r < end; ++r) {
      const Statistics of = row_statistics(*this, x + r * n, epsilon);
      means[r] = of.mean;
      means[rows + r] = of.lacks;
      scales[r] = of.scale;
      const RowNumbers<T> row(of.mean, of.lacks, of.scale);
      kernels_of<T>().row_affine(x + r * n, n, row.center, row.scale, row.offset, gain, bias,
                                 y + r * n);
    }
  });
}

template <class T>
void RowNormalization<T>::backward(const T* g, const double* means, const double* scales, T* gx,
                                   bool accumulate, double* gains, double* biases) const {
  const auto& kernels = kernels_of<T>();
  const std::int64_t group = rows_a_task(n), tasks = parts(rows, group);
  WENGERT_SPLIT(NormalizeRows, rows, group);
  std::vector<double> sums(gains == nullptr ? 0 : index(2 * tasks * n));
  const bool finite_gain =
      gain == nullptr || std::all_of(gain, gain + n, [](T each) { return std::isfinite(each); });
  parallel_for(tasks, [&](std::int64_t task) {
    const std::int64_t first = task * group, count = std::min(rows - first, group);
    T center[64], scale[64], offset[64];
    double* to = gains == nullptr ? nullptr : sums.data() + 2 * task * n;
    std::int64_t summed = 0;  // rows whose part of gains and biases is in
    const auto sum_until = [&](std::int64_t end) {
      if (to == nullptr || end == summed) return;
      kernels.gain_products(g + (first + summed) * n, x + (first + summed) * n, end - summed, n,
                            center + summed, scale + summed, offset + summed, to, to + n);
    };
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t r = first + i;
      const bool finite =
          finite_gain && std::isfinite(means[r]) && std::isfinite(scales[r]) && scales[r] > 0;
      if (!finite && all_zero(g + r * n, n)) [[unlikely]] {
        // A gradient of 0 stays 0 whatever the row holds.
        if (gx != nullptr && !accumulate) std::fill_n(gx + r * n, n, T(0));
        sum_until(i);
        summed = i + 1;
        continue;
      }
      const RowNumbers<T> row(means[r], means[rows + r], scales[r]);
      center[i] = row.center;
      scale[i] = row.scale;
      offset[i] = row.offset;
      if (gx == nullptr) continue;
      double sum = 0, products = 0;
      kernels.row_products(g + r * n, x + r * n, n, row.center, row.scale, row.offset, gain, &sum,
                           &products);
      const auto mean = static_cast<T>(centered ? sum / static_cast<double>(n) : 0);
      const auto slope = static_cast<T>(products / static_cast<double>(n));
      kernels.row_gradient(g + r * n, x + r * n, n, row.center, row.scale, row.offset, gain, mean,
                           slope, gx + r * n, accumulate);
    }
    sum_until(count);
  });
  if (gains == nullptr) return;
  std::fill_n(gains, n, 0.0);
  std::fill_n(biases, n, 0.0);
  for (std::int64_t task = 0; task < tasks; ++task) {
    const double* from = sums.data() + 2 * task * n;
    for (std::int64_t j = 0; j < n; ++j) gains[j] += from[j];
    for (std::int64_t j = 0; j < n; ++j) biases[j] += from[n + j];
  }
}

#define WENGERT_INSTANTIATE(T)                                                                    \
  template void channel_statistics(const T*, const ChannelShape&, double, double*, double*,       \
                                   double*);                                                      \
  template void channel_affine(const T*, const ChannelShape&, const double*, const double*,       \
                               const double*, T*);                                                \
  template void channel_products(const T*, const T*, const ChannelShape&, const double*, double*, \
                                 double*);                                                        \
  template void channel_gradient(const T*, const T*, const ChannelShape&, const double*,          \
                                 const double*, const double*, const double*, T*, bool);          \
  template struct RowNormalization<T>;
WENGERT_INSTANTIATE(float)
WENGERT_INSTANTIATE(double)
#undef WENGERT_INSTANTIATE

}  // namespace wengert::kernels
