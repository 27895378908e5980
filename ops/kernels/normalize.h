#pragma once

#include <cstdint>

// Statistics over channels and over rows, and what normalization makes of them. Work is cut by size
// alone, sums are added in a fixed order.
namespace wengert::kernels {

/// A dense tensor as [outer, channels, inner]; statistics of a channel go over the two others.
struct ChannelShape {
  std::int64_t outer, channels, inner;
  std::int64_t elements() const { return outer * inner; }  ///< of a channel
};

// `means` are two numbers a channel or row, all first ones first: the mean rounded to T, and what
// that lacks. One double would be no better where the mean is large beside the deviation.

/// Mean, biased variance and 1/√(variance + ε) of each channel, of one element at least.
template <class T>
void channel_statistics(const T* x, const ChannelShape& shape, double epsilon, double* means,
                        double* variances, double* scales);
/// y = (x − mean)·scale + offset.
template <class T>
void channel_affine(const T* x, const ChannelShape& shape, const double* means,
                    const double* scales, const double* offsets, T* y);
/// Σ g and Σ g·(x − mean) of each channel.
template <class T>
void channel_products(const T* g, const T* x, const ChannelShape& shape, const double* means,
                      double* sums, double* products);
/// gx (+)= (g − offset − (x − mean)·slope)·scale.
template <class T>
void channel_gradient(const T* g, const T* x, const ChannelShape& shape, const double* means,
                      const double* scales, const double* slopes, const double* offsets, T* gx,
                      bool accumulate);

/// Rows of n elements, n ≥ 1, each with a mean (0 where rows are not centered) and a scale
/// 1/√(mean (x − mean)² + ε).
template <class T>
struct RowNormalization {
  std::int64_t rows, n;
  bool centered;
  const T* x;
  const T* gain;  ///< n elements, or null

  /// y = (x − mean)·scale·gain + bias; bias: n elements or null.
  void forward(double epsilon, const T* bias, T* y, double* means, double* scales) const;
  /// gx (+)= scale·(h − mean h − ĥ·mean(h·ĥ)), h = g·gain, ĥ = (x − mean)·scale; without "mean h"
  /// where rows are not centered. gains[j] = Σ g·ĥ and biases[j] = Σ g over the rows. gx may be
  /// null, gains and biases both.
  void backward(const T* g, const double* means, const double* scales, T* gx, bool accumulate,
                double* gains, double* biases) const;
};

}  // namespace wengert::kernels
