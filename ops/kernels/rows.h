#pragma once

#include <cstdint>

// Reductions of dense rows, compiled once for each CPU level.
namespace wengert::kernels {

/// Which rows an element of a [rows, n] matrix belongs to is its index divided by n. All sums have
/// an order that depends on n and the CPU level only.
template <class T>
struct RowKernels {
  /// Σ x[i], pairwise over blocks; 0 for n = 0.
  T (*sum)(const T* x, std::int64_t n);
  /// to[r] (+)= the sum of row r.
  void (*sums)(const T* x, std::int64_t rows, std::int64_t n, T* to, bool accumulate);
  /// The largest or smallest element of each row, n ≥ 1; NaN if there is one.
  void (*maxima)(const T* x, std::int64_t rows, std::int64_t n, T* to);
  void (*minima)(const T* x, std::int64_t rows, std::int64_t n, T* to);
  /// Σ (x[i] − center)², pairwise over blocks.
  T (*squares)(const T* x, std::int64_t n, T center);
  /// Σ x[i]·y[i], pairwise over blocks.
  T (*dot)(const T* x, const T* y, std::int64_t n);
  /// to[j] (+)= Σ_i x[i·stride + j] for j < columns, pairwise over blocks of rows.
  void (*sum_columns)(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                      T* to, bool accumulate);
};

/// The kernels of the CPU's level.
template <class T>
const RowKernels<T>& row_kernels();
template <>
const RowKernels<float>& row_kernels<float>();
template <>
const RowKernels<double>& row_kernels<double>();

}  // namespace wengert::kernels
