#pragma once

#include <cstdint>
#include <limits>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"

// Options of optimizers and passes by name: for programs, command lines, JSON, checkpoints and
// messages alike.
namespace wengert::optim {

/// The numbers that an option takes: an interval, whose open ends do not belong to it.
struct Range {
  double low, high;
  bool low_open = false, high_open = true;
  bool holds(double value) const {  // never NaN
    return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
  }
  /// "[0, 1)"
  WENGERT_API std::string str() const;
};
inline constexpr Range kNotNegative = {0, std::numeric_limits<double>::infinity()};
inline constexpr Range kPositive = {0, std::numeric_limits<double>::infinity(), true};
inline constexpr Range kWholeStep = {1, std::numeric_limits<double>::infinity()};
inline constexpr Range kShare = {0, 1, false, false};  ///< [0, 1]
inline constexpr Range kBelowOne = {0, 1};             ///< [0, 1): what a running average keeps

/// Where ε of a root stands: √s + ε, or √(s + ε).
enum class EpsilonPlace { kOutside, kInside };
/// Whether ε joins the root of the corrected average of squares or of the average as it is kept:
/// √ŝ + ε, or (√s + ε)·√(ŝ/s).
enum class EpsilonOrder { kAfter, kBefore };
/// Whether steps are divided by the largest average of squares so far, and which: ŝ, or s, which is
/// corrected afterwards.
enum class AmsGrad { kOff, kCorrected, kUncorrected };
/// Where the rate η of a method with momentum stands: m ← βm + ηg, θ ← θ − m, or m ← βm + g,
/// θ ← θ − ηm. They differ once η changes.
enum class RatePlace { kInside, kOutside };
/// How a penalty counts squares: (λ/2)·Σw², whose gradient is λw, or λ·Σw².
enum class L2Form { kHalf, kFull };
/// The order of a norm: Σ|w|, or √Σw².
enum class NormOrder { kOne, kTwo };
/// What is brought to a norm of r: what is above it, or all.
enum class Projection { kAbove, kAlways };
/// The axis of a weight along which its units lie; their fan-in is all others.
enum class UnitAxis { kLast, kFirst };
/// What decays: weights (is_weight), or biases and gains as well.
enum class Decays { kWeights, kAll };

/// How a rate goes from one value to another: on half a cosine, or on a line.
enum class Anneal { kCosine, kLinear };

/// What people read about an optimizer, a pass or a schedule.
struct Documentation {
  std::string_view summary = {};  ///< one sentence
  std::string_view formula = {};
  std::string_view notes = {};   ///< what the choices are and how others take them, what it reports
  std::string_view source = {};  ///< paper, section
};

/// What an option is set to: a number (a flag's is 0 or 1, a choice's its index), or a list.
class OptionValue {
 public:
  OptionValue(double number = 0) : number_(number) {}
  OptionValue(std::vector<double> list) : list_(std::move(list)), is_list_(true) {}
  operator double() const { return number_; }
  bool is_list() const { return is_list_; }
  const std::vector<double>& list() const { return list_; }
  friend bool operator==(const OptionValue&, const OptionValue&) = default;

 private:
  double number_ = 0;
  std::vector<double> list_;
  bool is_list_ = false;
};

/// Whether an option is a list of numbers.
enum class ListKind : std::uint8_t {
  kNone,    ///< it is one number, flag or choice
  kAny,     ///< a list of numbers, "0.5,0.1"
  kRising,  ///< each of which is above the one before, "100,200"
};

/// What people read about an option, and what it takes.
struct OptionDef {
  std::string_view name;
  std::string_view doc;
  OptionValue initial;                           ///< the default
  Range range = {0, 1, false, false};            ///< of numbers; flags are 0 or 1
  std::span<const std::string_view> words = {};  ///< of a choice or a flag, in order
  ListKind list = ListKind::kNone;
  /// "0.001", "outside", "true", "100,200"; an empty list is "none".
  WENGERT_API std::string text(const OptionValue& value) const;
  /// What text stands for. Throws Error(kValue) naming `owner` and what the option takes.
  WENGERT_API OptionValue parse(std::string_view text, std::string_view owner) const;
  /// Throws Error(kValue) unless the value, or each of a list, belongs to the range.
  WENGERT_API void check(const OptionValue& value, std::string_view owner) const;
  /// "[0, 1)", "outside or inside", "a rising list of numbers in [0, ∞)"
  WENGERT_API std::string values() const;
};

/// The values of a list of options, in its order.
using OptionValues = std::vector<OptionValue>;

/// Throws Error(kValue) unless each option has a value, in its range.
WENGERT_API void check_options(std::span<const OptionDef> options, const OptionValues& values,
                               std::string_view owner);
/// What to do about a name that is none of `names`: "did you mean 'adam'?", or "choose one of …".
WENGERT_API std::string advice_on_name(std::string_view name,
                                       const std::vector<std::string>& names);

/// An option by name, as text: {"beta1", "0.8"}.
struct OptionSetting {
  std::string name;
  std::string value;
};
/// The defaults with some options set. Throws Error(kValue) on an unknown name, naming the closest,
/// and on values outside an option's range.
WENGERT_API OptionValues option_values(std::span<const OptionDef> options,
                                       std::span<const OptionSetting> settings,
                                       std::string_view owner);
/// "rate = 0.001, beta1 = 0.9"
WENGERT_API std::string to_string(std::span<const OptionDef> options, const OptionValues& values);

}  // namespace wengert::optim
