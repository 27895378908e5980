#pragma once

#include <cstddef>

namespace wengert::io {

/// Counts, from here on, the bytes that this thread asks the system for: tensors' memory and
/// operator new, and with the address sanitizer malloc too. Frees are not subtracted, so the count
/// is an upper bound of the peak. Memory that tensors had before is given back first.
void start_counting_allocations();

/// Bytes asked for since then.
std::size_t allocated_bytes();

}  // namespace wengert::io
