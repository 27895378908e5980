#pragma once

#include <cstdint>

#include "wengert/graph/api.h"
#include "wengert/ops/kernels/gemm_internal.h"

namespace wengert::kernels::internal {

/// What may compute a product.
enum class GemmEngine : int { kOwn = 0, kOpenBlas = 1, kOneDnn = 2 };

/// "own", "openblas" or "onednn".
WENGERT_API const char* gemm_engine_name(GemmEngine engine);

/// The product by OpenBLAS's cblas_sgemm or cblas_dgemm on the calling thread. The library is
/// loaded at the first call (the file named by the environment variable WENGERT_OPENBLAS, else the
/// system's). Several threads may call at once; a build of OpenBLAS without threads has no locks of
/// its own, so with such a one they take turns. False, with C untouched, where the library is
/// missing or a size exceeds its 32-bit integers.
bool gemm_openblas(const GemmProblem<float>& problem);
bool gemm_openblas(const GemmProblem<double>& problem);

/// The product by oneDNN's dnnl_sgemm on the calling thread; libdnnl.so.2 is loaded at the first
/// call, which takes tens of milliseconds. False, with C untouched, where the library is missing or
/// reports an error, and for double precision, which it has not.
bool gemm_onednn(const GemmProblem<float>& problem);
bool gemm_onednn(const GemmProblem<double>& problem);

/// The product by one engine; false, with C untouched, where that engine cannot do it.
WENGERT_API bool gemm_by(GemmEngine engine, const GemmProblem<float>& problem);
WENGERT_API bool gemm_by(GemmEngine engine, const GemmProblem<double>& problem);

}  // namespace wengert::kernels::internal
