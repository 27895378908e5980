#include "wengert/ops/kernels/softmax.h"

#include "wengert/ops/kernels/level.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(SoftmaxKernels<float>, softmax_float)
WENGERT_LEVEL_TABLE(SoftmaxKernels<double>, softmax_double)

template <>
const SoftmaxKernels<float>& softmax_kernels<float>() {
  return active_softmax_float();
}

template <>
const SoftmaxKernels<double>& softmax_kernels<double>() {
  return active_softmax_double();
}

}  // namespace wengert::kernels
