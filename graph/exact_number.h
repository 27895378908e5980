#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "wengert/graph/api.h"
#include "wengert/graph/dtype.h"

namespace wengert {

/// A number that a call is told beside its tensors: every int64 and every float64 as it is, so that
/// full({2}, 9007199254740993, DType::kInt64) holds what it says. Integers beyond int64 are
/// float64.
class ExactNumber {
 public:
  constexpr ExactNumber() = default;
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr ExactNumber(T number)  // NOLINT(google-explicit-constructor)
      : nearest_(static_cast<double>(number)) {
    if constexpr (std::is_integral_v<T> && sizeof(T) == sizeof(std::int64_t)) {
      // In unsigned arithmetic: the nearest double may be 2⁶³.
      if (std::is_signed_v<T> || number <= static_cast<T>(std::numeric_limits<std::int64_t>::max()))
        rest_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) - bits(nearest_));
    }
  }

  /// The nearest double.
  [[gnu::always_inline]] constexpr double real() const { return nearest_; }
  /// Whether it is an integer that no double is.
  [[gnu::always_inline]] constexpr bool is_beyond_reals() const { return rest_ != 0; }
  /// The integer that it is, of a whole number within int64.
  [[gnu::always_inline]] constexpr std::int64_t integer() const {
    return static_cast<std::int64_t>(bits(nearest_) + static_cast<std::uint64_t>(rest_));
  }
  /// Whether it is a whole number within int64.
  constexpr bool is_integer() const {
    return is_beyond_reals() ||
           (nearest_ >= -0x1p63 && nearest_ < 0x1p63 &&
            static_cast<double>(static_cast<std::int64_t>(nearest_)) == nearest_);
  }
  /// Whether a tensor of that dtype can hold it: any where floating (rounded), else whole and in
  /// range.
  WENGERT_API bool is_held_by(DType dtype) const;
  /// As an element of a tensor that can hold it.
  template <class T>
  T as() const {
    if (std::is_integral_v<T> || is_beyond_reals()) return static_cast<T>(integer());
    return static_cast<T>(nearest_);
  }
  /// For messages: integers whole, others with some digits.
  WENGERT_API std::string str() const;

  /// By the numbers that they are; NaN is unordered.
  friend constexpr auto operator<=>(const ExactNumber&, const ExactNumber&) = default;

 private:
  /// A whole double within −2⁶³ … 2⁶³, modulo 2⁶⁴.
  [[gnu::always_inline]] static constexpr std::uint64_t bits(double whole) {
    return whole < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(whole))
                     : static_cast<std::uint64_t>(whole);
  }
  double nearest_ = 0;
  std::int64_t rest_ = 0;  ///< what is left of an integer; two numbers are ordered by both in turn
};

}  // namespace wengert
