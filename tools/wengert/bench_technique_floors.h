#pragma once

#include <cstdint>
#include <vector>

// Hand-written losses, norms and dropout, each with its gradient: the fewest passes over memory,
// vectorized, logarithms and exponentials from the vector library where the compiler has one.
namespace wengert::tools {

/// The mean loss of n elements; its gradient by x into `gradient`.
using LossFloor = double (*)(const float* x, const float* target, float* gradient, std::int64_t n);
struct NamedLossFloor {
  const char* name;  ///< of the op
  LossFloor run;
};
/// Of every loss of single elements.
const std::vector<NamedLossFloor>& loss_floors();

/// The mean loss of [rows, n] scores; its gradient by them into `gradient`.
using ClassLossFloor = double (*)(const float* x, const std::int64_t* target, float* gradient,
                                  std::int64_t rows, std::int64_t n);
struct NamedClassLossFloor {
  const char* name;
  ClassLossFloor run;
};
/// Of every loss over classes.
const std::vector<NamedClassLossFloor>& class_loss_floors();

/// y of a batch or layer norm of [rows, n], and with the cotangent g the gradients; buffers of the
/// caller, gain and bias of n elements.
struct NormFloor {
  std::int64_t rows, n;
  const float *x, *gain, *bias, *g;
  float *y, *gx, *gain_gradient, *bias_gradient;
  float *mean, *scale, *first, *second;  ///< of n or of rows, whichever is more
};
void batch_norm_floor(const NormFloor& of);
void layer_norm_floor(const NormFloor& of);

/// y = x·kept and gx = g·kept where not dropped, else 0.
void dropout_floor(const float* x, const float* g, const std::uint8_t* dropped, float kept,
                   std::int64_t n, float* y, float* gx);

}  // namespace wengert::tools
