#pragma once

// Private to the library.

#include <cstdint>

namespace wengert::optim {

/// Whether a number of a file is a count of steps or epochs: not negative, and so far below what
/// int64 holds, and what float64 holds exactly, that counting goes on.
constexpr bool is_count(std::int64_t number) {
  return number >= 0 && number <= std::int64_t{1} << 53;
}

}  // namespace wengert::optim
