#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wengert/graph/dtype.h"

namespace wengert::kernels {

/// to (+)= Σ over the dimensions marked in `reduced` of dense `from`; `to` is dense over the
/// others. Integer and bool elements are summed to int64. Sums of long runs are pairwise over fixed
/// blocks, so the error grows with the logarithm of the length and the bits do not depend on
/// threads.
void reduce_sum(DType dtype, const std::byte* from, std::span<const std::int64_t> shape,
                const bool* reduced, std::byte* to, bool accumulate);

}  // namespace wengert::kernels
