#pragma once

#include <cstdint>

// Private to the library. Included by code compiled for one level: no inline functions here.
namespace wengert::kernels {

constexpr int kMostSlots = 6;
constexpr int kMostSums = 2;

/// The kernels of one update formula; [0] float32, [1] float64.
struct UpdateKernels {
  void (*update[2])(void* w, const void* g, void* const* slots, std::int64_t n,
                    const void* numbers);
  /// The same with a coupled weight decay: g + decay·θ for g. Null for formulas that measure.
  void (*update_decayed[2])(void* w, const void* g, void* const* slots, std::int64_t n,
                            const void* numbers, double decay);
  /// Adds to sums[0…]; null for formulas that measure nothing.
  void (*measure[2])(const void* w, const void* g, void* const* slots, std::int64_t n,
                     const void* numbers, double* sums);
  int slots;
  int sums;
};

}  // namespace wengert::kernels
