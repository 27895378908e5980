#pragma once

#include <cstdint>

// What one CPU level provides for measuring arrays. Included by code compiled for one level: no
// inline functions here.
namespace wengert::kernels {

/// [0] float32, [1] float64.
struct MeasureTable {
  bool (*all_finite[2])(const void* x, std::int64_t n);
  double (*sum_of_squares[2])(const void* x, std::int64_t n);
  void (*scaled[2])(const void* x, std::int64_t n, double factor, void* y, bool accumulate);
};

}  // namespace wengert::kernels
