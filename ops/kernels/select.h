#pragma once

#include <cstddef>
#include <cstdint>

namespace wengert::kernels {

/// to[i] = condition[i] ? a[i] : b[i] for i < n; elements of `bytes` size: 1, 4 or 8. `to` may be a
/// or b.
void select(const std::uint8_t* condition, const void* a, const void* b, void* to, std::int64_t n,
            std::size_t bytes);

}  // namespace wengert::kernels
