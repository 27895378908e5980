#include "wengert/ops/kernels/rows.h"

#include "wengert/ops/kernels/level.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(RowKernels<float>, rows_float)
WENGERT_LEVEL_TABLE(RowKernels<double>, rows_double)

template <>
const RowKernels<float>& row_kernels<float>() {
  return active_rows_float();
}

template <>
const RowKernels<double>& row_kernels<double>() {
  return active_rows_double();
}

}  // namespace wengert::kernels
