#pragma once

#include <cstdint>

// Softmax and the losses over classes, of dense rows: compiled once for each CPU level.
namespace wengert::kernels {

/// Of [rows, n] matrices. All sums have an order that depends on n and the CPU level only.
template <class T>
struct SoftmaxKernels {
  /// log Σ exp(x) of each row, stable; −∞ where a row is all −∞ or n = 0.
  void (*logsumexp)(const T* x, std::int64_t rows, std::int64_t n, T* to);
  /// exp(x)/Σ exp(x), and its logarithm, of each row.
  void (*softmax)(const T* x, std::int64_t rows, std::int64_t n, T* y);
  void (*log_softmax)(const T* x, std::int64_t rows, std::int64_t n, T* y);
  /// gx (+)= y·(g − Σ g·y) with y = softmax(x).
  void (*softmax_backward)(const T* g, const T* y, std::int64_t rows, std::int64_t n, T* gx,
                           bool accumulate);
  /// gx (+)= g − exp(y)·Σ g with y = log_softmax(x).
  void (*log_softmax_backward)(const T* g, const T* y, std::int64_t rows, std::int64_t n, T* gx,
                               bool accumulate);

  // One class a row, target[row].

  /// h[row] = log_softmax(x)[target], and what the gradient is made of: shifts[row], which is taken
  /// off before exp, and rests[row] = Σ exp(x − shift) − 1.
  void (*log_softmax_of)(const T* x, const std::int64_t* target, std::int64_t rows, std::int64_t n,
                         T* h, T* shifts, T* rests);
  /// gx (+)= g[row]·(softmax(x) − [column = target]); 0 where g[row] is 0.
  void (*cross_entropy_backward)(const T* g, const T* x, const std::int64_t* target,
                                 const T* shifts, const T* rests, std::int64_t rows, std::int64_t n,
                                 T* gx, bool accumulate);
  /// to[row] = Σ max(0, x − x[target] + margin) over the other columns; NaN stays NaN.
  void (*hinge)(const T* x, const std::int64_t* target, T margin, std::int64_t rows, std::int64_t n,
                T* to);
  /// gx (+)= g[row] times the gradient of that; 0 where g[row] is 0.
  void (*hinge_backward)(const T* g, const T* x, const std::int64_t* target, T margin,
                         std::int64_t rows, std::int64_t n, T* gx, bool accumulate);
};

/// The kernels of the CPU's level.
template <class T>
const SoftmaxKernels<T>& softmax_kernels();
template <>
const SoftmaxKernels<float>& softmax_kernels<float>();
template <>
const SoftmaxKernels<double>& softmax_kernels<double>();

}  // namespace wengert::kernels
