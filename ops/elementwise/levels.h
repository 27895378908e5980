#pragma once

#include "wengert/ops/elementwise/record.h"
#include "wengert/ops/records.h"

// Ties the records of the library's own elementwise ops to the kernels of each CPU level.
// Private to the library.

#define WENGERT_FORMULAS namespace wengert::ops::formulas

namespace wengert::ops {

/// Puts the kernels of the CPU's level into force when the library is loaded.
struct ChooseLevel {
  ChooseLevel(ElementwiseOp& op, const ElementwiseKernels* baseline, const ElementwiseKernels* avx2,
              const ElementwiseKernels* avx512);
};

}  // namespace wengert::ops

#define WENGERT_LEVELS(op, Formula, is_predicate)                                             \
  namespace wengert::kernels {                                                                \
  namespace baseline {                                                                        \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  namespace avx2 {                                                                            \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  namespace avx512 {                                                                          \
  extern const ElementwiseKernels op##_kernels;                                               \
  }                                                                                           \
  }                                                                                           \
  namespace wengert::ops {                                                                    \
  extern ElementwiseOp op##_elementwise;                                                      \
  constinit ElementwiseOp op##_elementwise = {&kernels::baseline::op##_kernels, is_predicate, \
                                              passes<formulas::Formula>()};                   \
  static const ChooseLevel op##_level(op##_elementwise, &kernels::baseline::op##_kernels,     \
                                      WENGERT_X86(&kernels::avx2::op##_kernels),              \
                                      WENGERT_X86(&kernels::avx512::op##_kernels));           \
  }
#if defined(__x86_64__)
#define WENGERT_X86(kernels) kernels
#else
#define WENGERT_X86(kernels) nullptr
#endif

#define WENGERT_UNARY(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, false)
#define WENGERT_BINARY(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, false)
#define WENGERT_TERNARY(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, false)
#define WENGERT_PREDICATE1(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, true)
#define WENGERT_PREDICATE2(name, Formula, dtypes) WENGERT_LEVELS(name, Formula, true)
