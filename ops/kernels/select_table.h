#pragma once

// Private to the library.

#include <cstdint>

// What one CPU level provides for choosing elements. Included by code compiled for one level: no
// inline functions here.
namespace wengert::kernels {

/// Elements of 1, 4 and 8 bytes.
struct SelectTable {
  void (*of[3])(const std::uint8_t* condition, const void* a, const void* b, void* to,
                std::int64_t n);
};

}  // namespace wengert::kernels
