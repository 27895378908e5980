#pragma once

#include <cstdint>

namespace wengert::faults {

/// How the system answers a thread that asks for memory.
enum class Mode {
  kOne,   ///< the n-th request fails
  kFrom,  ///< that one and all later ones fail, until disarm()
};

/// From here on the calling thread's `n`-th request fails, n from 1: those of operator new and,
/// but for sanitizers, of the library's own pools.
void arm(std::int64_t n, Mode mode);

/// Ends it; whether a request failed.
bool disarm();

/// Requests of the calling thread since arm().
std::int64_t requests();

/// Blocks of operator new that are out, of all threads.
std::int64_t live_blocks();

}  // namespace wengert::faults
