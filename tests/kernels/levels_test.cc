#include <gtest/gtest.h>

#include "wengert/graph/elementwise_kernels.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/softmax.h"
#include "wengert/ops/records.h"

// Kernels of another level would give right results, or the end of the program on older machines:
// that each table in force is the one of this CPU's level shows only in the tables themselves.
#define UNARY(name) extern const ElementwiseKernels name##_kernels;
#define BINARY(name) extern const ElementwiseKernels name##_kernels;
#define OP(name, result, parameters)
#define WENGERT_TABLES                              \
  extern const RowKernels<float> rows_float;        \
  extern const RowKernels<double> rows_double;      \
  extern const SoftmaxKernels<float> softmax_float; \
  extern const SoftmaxKernels<double> softmax_double;
namespace wengert::kernels {
namespace baseline {
#include "wengert/ops/ops.def"
WENGERT_TABLES
}  // namespace baseline
namespace avx2 {
#include "wengert/ops/ops.def"
WENGERT_TABLES
}  // namespace avx2
namespace avx512 {
#include "wengert/ops/ops.def"
WENGERT_TABLES
}  // namespace avx512
}  // namespace wengert::kernels
#undef UNARY
#undef BINARY
#undef OP

namespace wengert::kernels {
namespace {

#if defined(__x86_64__)
#define WENGERT_AT_LEVEL(name)                      \
  (cpu_level() == CpuLevel::kAvx512 ? &avx512::name \
   : cpu_level() == CpuLevel::kAvx2 ? &avx2::name   \
                                    : &baseline::name)
#else
#define WENGERT_AT_LEVEL(name) (&baseline::name)
#endif

TEST(Levels, EveryElementwiseOpRunsTheKernelsOfThisCpu) {
  int seen = 0;
#define UNARY(name)                                                                          \
  EXPECT_EQ(ops::name##_op.elementwise->kernels, WENGERT_AT_LEVEL(name##_kernels)) << #name; \
  ++seen;
#define BINARY(name) UNARY(name)
#define OP(name, result, parameters)
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
  EXPECT_GT(seen, 60);
}

TEST(Levels, RowsAreWorkedByTheKernelsOfThisCpu) {
  EXPECT_EQ(&row_kernels<float>(), WENGERT_AT_LEVEL(rows_float));
  EXPECT_EQ(&row_kernels<double>(), WENGERT_AT_LEVEL(rows_double));
  EXPECT_EQ(&softmax_kernels<float>(), WENGERT_AT_LEVEL(softmax_float));
  EXPECT_EQ(&softmax_kernels<double>(), WENGERT_AT_LEVEL(softmax_double));
}

}  // namespace
}  // namespace wengert::kernels
