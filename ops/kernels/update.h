#pragma once

#include <cstdint>

#include "wengert/graph/dtype.h"

// Parameter updates in one pass over memory. Each takes dense arrays of n elements of one floating
// dtype; the numbers are converted to it first.
namespace wengert::kernels {

/// w ← w − rate·g.
void update_sgd(DType dtype, void* w, const void* g, std::int64_t n, double rate);
/// m ← beta·m + rate·g; w ← w − m.
void update_momentum(DType dtype, void* w, const void* g, void* m, std::int64_t n, double rate,
                     double beta);
/// m ← beta·m + rate·g; w ← w − beta·m − rate·g.
void update_nesterov(DType dtype, void* w, const void* g, void* m, std::int64_t n, double rate,
                     double beta);
struct AdamNumbers {
  double rate, beta1, beta2, epsilon;
  double correction1, correction2;  ///< 1/(1−β₁ᵗ), 1/(1−β₂ᵗ)
};
/// m ← β₁m + (1−β₁)g; s ← β₂s + (1−β₂)g²; w ← w − rate·m·correction1/(√(s·correction2) + ε).
void update_adam(DType dtype, void* w, const void* g, void* m, void* s, std::int64_t n,
                 const AdamNumbers& numbers);
/// Whether every element is finite.
bool all_finite(DType dtype, const void* x, std::int64_t n);

}  // namespace wengert::kernels
