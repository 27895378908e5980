#pragma once

#include <cstdint>

namespace wengert::kernels {

/// What came of a singular value decomposition.
enum class SvdOutcome { kFound, kNoLibrary, kTooLarge, kNotConverged };

/// The left singular vectors of a float64 matrix of at least as many rows as columns, whose columns
/// follow each other in memory: each column of `a` is overwritten by one, in order of falling
/// singular values. By LAPACK's dgesvd in OpenBLAS on the calling thread; the bits are those of
/// OpenBLAS's kernels for this processor, and the sign of each vector is LAPACK's.
SvdOutcome left_singular_vectors(std::int64_t rows, std::int64_t columns, double* a);

}  // namespace wengert::kernels
