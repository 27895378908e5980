#include "wengert/ops/kernels/rows.h"

#include "wengert/ops/kernels/cpu.h"

namespace wengert::kernels {

#define WENGERT_ROWS(level)                    \
  namespace level {                            \
  extern const RowKernels<float> rows_float;   \
  extern const RowKernels<double> rows_double; \
  }
WENGERT_ROWS(baseline)
#if defined(__x86_64__)
WENGERT_ROWS(avx2)
WENGERT_ROWS(avx512)
#define WENGERT_CHOOSE(name)                      \
  cpu_level() == CpuLevel::kAvx512 ? avx512::name \
  : cpu_level() == CpuLevel::kAvx2 ? avx2::name   \
                                   : baseline::name
#else
#define WENGERT_CHOOSE(name) baseline::name
#endif

template <>
const RowKernels<float>& row_kernels<float>() {
  static const RowKernels<float>& chosen = WENGERT_CHOOSE(rows_float);
  return chosen;
}

template <>
const RowKernels<double>& row_kernels<double>() {
  static const RowKernels<double>& chosen = WENGERT_CHOOSE(rows_double);
  return chosen;
}

}  // namespace wengert::kernels
