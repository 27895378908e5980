#pragma once

#include <cstdint>

namespace wengert {

/// What a loss does with the losses of the single samples or elements.
enum class Reduction : std::uint8_t {
  kMean,  ///< their mean; NaN over none
  kSum,   ///< their sum
  kNone,  ///< gives them as they are
};

}  // namespace wengert
