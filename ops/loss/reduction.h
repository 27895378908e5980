#pragma once

#include <cstdint>
#include <string_view>

namespace wengert {

/// What a loss does with the losses of the single samples or elements.
enum class Reduction : std::uint8_t {
  kMean,  ///< their mean; NaN over none
  kSum,   ///< their sum
  kNone,  ///< gives them as they are
};

/// "mean", "sum", "none".
constexpr std::string_view name_of(Reduction reduction) {
  constexpr std::string_view kNames[] = {"mean", "sum", "none"};
  return reduction <= Reduction::kNone ? kNames[static_cast<int>(reduction)] : "unknown";
}

}  // namespace wengert
