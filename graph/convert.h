#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

// Private to the library.
namespace wengert::detail {

/// One number in another type. The language leaves floating numbers beyond an integer type
/// undefined: here NaN is 0 and the rest takes the nearest end. To bool: whether it is not 0.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return To(0);
    const auto wide = static_cast<double>(value);
    if (wide <= static_cast<double>(std::numeric_limits<To>::min())) {
      return std::numeric_limits<To>::min();
    }
    if (wide >= static_cast<double>(std::numeric_limits<To>::max())) {
      return std::numeric_limits<To>::max();
    }
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace wengert::detail
