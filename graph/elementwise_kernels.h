#pragma once

#include <cstdint>

// Included by code that is compiled for one CPU level: nothing with an inline function here.

namespace wengert {

/// A cotangent times an op's partials, by input.
template <class T>
struct PartialProducts {
  T of[2];
};

/// Kernels of an elementwise op at one CPU level, by dtype (the order of DType); null where the op
/// has none. All operands are dense runs of n elements; `out` and `gx` may be the same as an input.
struct ElementwiseKernels {
  using Forward = void (*)(const void* const* in, void* out, std::int64_t n, const void* attrs);
  /// gx (+)= g · ∂y/∂in[argument], and exactly 0 where g is 0. Inputs and y that the partial does
  /// not read may be null.
  using Backward = void (*)(const void* g, const void* const* in, const void* y, void* gx,
                            std::int64_t n, const void* attrs, bool accumulate);
  /// g · ∂y/∂in[i] of one element, and exactly 0 where g is 0, for the inputs i whose bit is set in
  /// `wanted`; the others' products mean nothing. A program of scalars pays for a call at every
  /// node, so there is one for all partials, and what it gives stays in registers. Null: none, and
  /// single elements go the way of all others.
  template <class T>
  using BackwardOne = PartialProducts<T> (*)(T g, const void* const* in, const void* y,
                                             unsigned wanted, const void* attrs);
  Forward forward[6] = {};
  Backward backward[3][6] = {};
  BackwardOne<float> backward_one_f32 = nullptr;
  BackwardOne<double> backward_one_f64 = nullptr;
};

/// The kernels in force: the best level that the CPU has, chosen once when the library is loaded.
struct ElementwiseOp {
  const ElementwiseKernels* kernels;
  bool predicate = false;   ///< the result is bool
  std::uint8_t passes = 0;  ///< bit i: input i's gradient is the cotangent itself
};

}  // namespace wengert
