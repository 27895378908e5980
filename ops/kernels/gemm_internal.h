#pragma once

#include <cstddef>
#include <cstdint>

// Shared by gemm.cc and the files compiled for one CPU level. Nothing here may define an inline
// function or a template with external linkage: the linker could keep the AVX-512 copy of it.

// Loops over the vectors of a tile, whose sizes are constants. AddressSanitizer's checks in them
// would take clang minutes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WENGERT_UNROLL
#endif
#endif
#ifndef WENGERT_UNROLL
#define WENGERT_UNROLL _Pragma("GCC unroll 16")
#endif

namespace wengert::kernels::internal {

/// One product, with gemm()'s meaning; accumulate stands for beta = 1.
template <typename T>
struct GemmProblem {
  bool transpose_a;
  bool transpose_b;
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
  const T* a;
  std::int64_t lda;
  const T* b;
  std::int64_t ldb;
  bool accumulate;
  T* c;
  std::int64_t ldc;
};

/// At least `bytes` bytes of this thread's scratch memory for packed panels, 64-byte aligned, valid
/// until the thread's next call. Throws std::bad_alloc.
void* gemm_workspace(std::size_t bytes);

/// Own kernels: any problem with m, n, k >= 1, on the calling thread alone. They are slow, not
/// wrong, for a single row with transpose_a, transpose_b and lda > 1, and for a single column.
void gemm_own_baseline(const GemmProblem<float>& problem);
void gemm_own_baseline(const GemmProblem<double>& problem);
#if defined(__x86_64__)
void gemm_own_avx2(const GemmProblem<float>& problem);
void gemm_own_avx2(const GemmProblem<double>& problem);
void gemm_own_avx512(const GemmProblem<float>& problem);
void gemm_own_avx512(const GemmProblem<double>& problem);
#endif

}  // namespace wengert::kernels::internal
