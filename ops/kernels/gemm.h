#pragma once

#include <cstdint>
#include <string>

#include "wengert/graph/api.h"

namespace wengert::kernels {

/// C[m,n] = op(A)[m,k] · op(B)[k,n] + beta·C, all row-major, op(X) = Xᵀ when its flag is set.
///
/// A is stored [m,k] ([k,m] when transposed) with row stride lda, B is [k,n] ([n,k]) with ldb, C is
/// [m,n] with ldc; strides are in elements and at least the number of stored columns. beta is 0 (C
/// is overwritten and never read, so NaN in it is ignored) or 1. Sizes may be zero; k = 0 with
/// beta = 0 fills C with zeros. C must not overlap A or B. No argument is checked.
///
/// The bits of C depend on the sizes, flags and values and on cpu_level() alone, not on the number
/// of threads or where the data lie (where a library computes it, see gemm_engine_name, also on
/// that library). Sums over k are fused multiply-adds in blocks of at most 512, so that
/// |error| <= (k + 2)·eps·(|op(A)|·|op(B)| + |C|) with eps half a unit in the last place; the
/// baseline level rounds each product too. Up to 16 sums of 8192 terms or more (dot products) are
/// pairwise over parts of at most 1024.
///
/// Products of 3 MFLOP and more run on several threads (see parallel_for). Throws std::bad_alloc
/// when there is no memory for packed copies: at most 1.5 MiB a thread, which it keeps, and for
/// n <= 4 one copy of B and C.
WENGERT_API void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n,
                      std::int64_t k, const float* a, std::int64_t lda, const float* b,
                      std::int64_t ldb, float beta, float* c, std::int64_t ldc);

/// The same in double precision.
WENGERT_API void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n,
                      std::int64_t k, const double* a, std::int64_t lda, const double* b,
                      std::int64_t ldb, double beta, double* c, std::int64_t ldc);

/// Element types that gemm knows, for questions about it.
enum class GemmType : int { kFloat32 = 0, kFloat64 = 1 };

/// What computes a product of this shape here: "own", "openblas" or "onednn". Loads no library.
WENGERT_API const char* gemm_engine_name(GemmType type, bool transpose_a, bool transpose_b,
                                         std::int64_t m, std::int64_t n, std::int64_t k);

/// The kernel set that OpenBLAS chose for this CPU, or "not available". Loads OpenBLAS. The
/// environment variable OPENBLAS_CORETYPE can make it a slow one, which is reported, not undone.
WENGERT_API std::string openblas_core();

}  // namespace wengert::kernels
