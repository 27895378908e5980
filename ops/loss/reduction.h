#pragma once

#include <cstdint>
#include <string_view>

namespace wengert {

/// What a loss does with the losses of the single samples or elements, ℓᵢ, and their weights wᵢ,
/// each 1 where no weights are given. A weight of 0 leaves its loss out, whatever that is.
enum class Reduction : std::uint8_t {
  kMean,         ///< Σ wᵢ·ℓᵢ/Σ wᵢ; NaN over none
  kSum,          ///< Σ wᵢ·ℓᵢ
  kNone,         ///< wᵢ·ℓᵢ, as they are
  kMeanOverAll,  ///< Σ wᵢ·ℓᵢ divided by how many there are, whatever their weights
};

/// "mean", "sum", "none", "mean_over_all".
constexpr std::string_view name_of(Reduction reduction) {
  constexpr std::string_view kNames[] = {"mean", "sum", "none", "mean_over_all"};
  return reduction <= Reduction::kMeanOverAll ? kNames[static_cast<int>(reduction)] : "unknown";
}

}  // namespace wengert
