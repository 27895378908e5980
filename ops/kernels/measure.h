#pragma once

#include <cstdint>

#include "wengert/graph/dtype.h"

// Questions about whole dense arrays of one floating dtype, answered in one pass over memory.
namespace wengert::kernels {

/// Whether every element is finite.
bool all_finite(DType dtype, const void* x, std::int64_t n);
/// Σx² in an order that depends on n and the CPU level alone. Of float32 it neither overflows nor
/// underflows, and is right to a few float32 roundings: blocks are added in float64.
double sum_of_squares(DType dtype, const void* x, std::int64_t n);
/// y ← factor·x, or y ← y + factor·x. x and y may be one array.
void scaled(DType dtype, const void* x, std::int64_t n, double factor, void* y, bool accumulate);

}  // namespace wengert::kernels
