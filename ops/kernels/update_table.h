#pragma once

#include <cstdint>

// What one CPU level provides for parameter updates. Included by code compiled for one level:
// no inline functions here.
namespace wengert::kernels {

struct AdamNumbers;

/// [0] float32, [1] float64.
struct UpdateTable {
  void (*sgd[2])(void* w, const void* g, std::int64_t n, double rate);
  void (*momentum[2])(void* w, const void* g, void* m, std::int64_t n, double rate, double beta);
  void (*nesterov[2])(void* w, const void* g, void* m, std::int64_t n, double rate, double beta);
  void (*adam[2])(void* w, const void* g, void* m, void* s, std::int64_t n,
                  const AdamNumbers& numbers);
  bool (*all_finite[2])(const void* x, std::int64_t n);
};

}  // namespace wengert::kernels
