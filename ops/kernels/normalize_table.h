#pragma once

// Private to the library.

#include <cstdint>

// What one CPU level provides for normalization. Included by code compiled for one level: no inline
// functions here.
namespace wengert::kernels {

/// T is float or double. Sums are taken over blocks in T and added up in double.
template <class T>
struct NormalizeKernels {
  // A matrix of `rows` rows that lie `stride` elements apart; each parameter has one element a
  // column. What is summed is added to the destination.

  /// sums[j] += Σ x[·, j].
  void (*column_sums)(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                      double* sums);
  /// sums[j] += Σ d and squares[j] += Σ d², d = x[·, j] − center[j].
  void (*column_moments)(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                         const T* center, double* sums, double* squares);
  /// sums[j] += Σ g[·, j] and products[j] += Σ g[·, j]·(x[·, j] − center[j]).
  void (*column_products)(const T* g, const T* x, std::int64_t rows, std::int64_t stride,
                          std::int64_t columns, const T* center, double* sums, double* products);
  /// y = (x − center)·scale + offset.
  void (*column_affine)(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                        const T* center, const T* scale, const T* offset, T* y);
  /// Of each column of `count` rows, from the sums of x − mean and of its square: what the mean
  /// lacks, the variance in place of the squares, 1/√(variance + ε). Gives whether all are finite.
  bool (*column_statistics)(std::int64_t columns, double count, double epsilon, const double* means,
                            const double* sums, double* squares, double* lacks, double* scales);
  /// gx (+)= (g − offset − (x − center)·slope)·scale.
  void (*column_gradient)(const T* g, const T* x, std::int64_t rows, std::int64_t stride,
                          std::int64_t columns, const T* center, const T* scale, const T* slope,
                          const T* offset, T* gx, bool accumulate);

  // One row of n elements; `gain` and `bias` have n elements or are null.

  /// *sum = Σ x; *squares = Σ (x − center)² and *sum = Σ (x − center).
  void (*row_sum)(const T* x, std::int64_t n, double* sum);
  void (*row_moments)(const T* x, std::int64_t n, T center, double* sum, double* squares);
  /// With h = (x − center)·scale − offset: y = h·gain + bias.
  void (*row_affine)(const T* x, std::int64_t n, T center, T scale, T offset, const T* gain,
                     const T* bias, T* y);
  /// *sum = Σ g·gain and *products = Σ g·gain·h.
  void (*row_products)(const T* g, const T* x, std::int64_t n, T center, T scale, T offset,
                       const T* gain, double* sum, double* products);
  /// gx (+)= (g·gain − mean − h·slope)·scale.
  void (*row_gradient)(const T* g, const T* x, std::int64_t n, T center, T scale, T offset,
                       const T* gain, T mean, T slope, T* gx, bool accumulate);
  /// Over `rows` rows one after the other, each with its center, scale and offset:
  /// gains[j] += Σ g·h and biases[j] += Σ g.
  void (*gain_products)(const T* g, const T* x, std::int64_t rows, std::int64_t n, const T* center,
                        const T* scale, const T* offset, double* gains, double* biases);
};

struct NormalizeTable {
  NormalizeKernels<float> of_float;
  NormalizeKernels<double> of_double;
};

}  // namespace wengert::kernels
