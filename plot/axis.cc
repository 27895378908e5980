#include "wengert/plot/axis.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

#include "wengert/graph/text.h"

namespace wengert::plot {
namespace {

// The smallest of 1, 2, 5 and 10 times a power of ten that is `rough` at least.
double round_step(double rough) {
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) return factor * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step, double largest) {
  if (std::fabs(value) < step / 1000) value = 0;
  if (value != 0 && (largest >= 1e6 || step < 1e-5)) {
    std::array<char, 64> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4);
    return {text.data(), end.ptr};
  }
  const int decimals = static_cast<int>(-std::floor(std::log10(step) + 1e-9));
  return fixed_number(value, std::max(0, decimals));
}

// "0.02" while short, then "2·10⁻⁷".
std::string power_label(int digit, int exponent, bool short_ones) {
  if (short_ones) return format_number(digit * std::pow(10, exponent), 6);
  constexpr std::string_view kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = digit == 1 ? "" : std::to_string(digit) + "·";
  text += exponent < 0 ? "10⁻" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

// Ends apart that floating point can tell.
void widen(double& low, double& high, bool whole) {
  const double largest = std::max(std::fabs(low), std::fabs(high));
  if (largest < 1e-290) low = high = 0;  // steps between such numbers would vanish
  if (high - low > 1e-12 * largest) return;
  const double margin = high == 0 ? 0.5 : 0.5 * std::fabs(high);
  low -= whole ? 1 : margin;
  high += whole ? 1 : margin;
}

void place_linear(PlacedAxis& placed, const Axis& axis, const Extent& data, Ends ends, int most) {
  double low = axis.low.value_or(data.empty() ? 0 : data.low);
  double high = axis.high.value_or(data.empty() ? 1 : data.high);
  if (!(low < high) && axis.low) high = low + std::max(1.0, std::fabs(low));
  if (!(low < high) && axis.high) low = high - std::max(1.0, std::fabs(high));
  if (!axis.low || !axis.high) widen(low, high, data.whole);
  low = axis.low.value_or(low);  // what is given stays
  high = axis.high.value_or(high);
  double step = round_step((high - low) / std::min(5, most));
  if (data.whole && !data.empty()) step = std::max(step, 1.0);
  if (ends == Ends::kRounded) {
    if (!axis.low) low = step * std::floor(low / step + 1e-9);
    if (!axis.high) high = step * std::ceil(high / step - 1e-9);
  }
  placed.low = low;
  placed.high = high;
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  const double largest = std::max(std::fabs(low), std::fabs(high));
  for (int i = 0; i <= static_cast<int>(std::min(last - first, 100.0)); ++i) {
    const double value = (first + i) * step;
    placed.ticks.push_back({value, tick_label(value, step, largest)});
  }
}

void place_log(PlacedAxis& placed, const Axis& axis, const Extent& data, Ends ends, int most) {
  double low = axis.low.value_or(data.empty() ? 1 : data.low);
  double high = axis.high.value_or(data.empty() ? 10 : data.high);
  if (!(low < high) && axis.low) high = low * 10;
  if (!(low < high) && axis.high) low = high / 10;
  if (high < low * (1 + 1e-12)) low /= 2, high *= 2;
  const bool within = std::log10(high / low) < 1;  // one decade: 1, 2, 5 are ends too
  const auto rounded = [&](double value, bool up) {
    const double exponent = std::log10(value);
    if (!within) return std::pow(10, up ? std::ceil(exponent - 1e-9) : std::floor(exponent + 1e-9));
    const double power = std::pow(10, std::floor(exponent + 1e-9));
    double best = up ? 10 * power : power;
    for (const double factor : {2.0, 5.0}) {
      const double candidate = factor * power;
      if (up ? candidate >= value * (1 - 1e-9) && candidate < best
             : candidate <= value * (1 + 1e-9) && candidate > best) {
        best = candidate;
      }
    }
    return best;
  };
  if (ends == Ends::kRounded) {
    if (!axis.low) low = rounded(low, false);
    if (!axis.high) high = rounded(high, true);
  }
  placed.low = low;
  placed.high = high;
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const bool single = std::log10(high / low) <= 2;
  const bool short_ones = first >= -3 && last <= 4;
  const int stride = std::max(1, (last - first + most) / std::max(most, 1));
  const auto inside = [&](double v) { return v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9); };
  for (int exponent = first; exponent <= last; ++exponent) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double value = digit * std::pow(10, exponent);
      if (!inside(value)) continue;
      if (digit == 1 && (exponent - first) % stride == 0) {
        placed.ticks.push_back({value, power_label(1, exponent, short_ones)});
      } else if ((within || (single && short_ones)) && (digit == 2 || digit == 5)) {
        placed.ticks.push_back({value, power_label(digit, exponent, short_ones)});
      } else if (last - first <= 8 || digit == 1) {
        placed.lines.push_back(value);
      }
    }
  }
}

void place_names(PlacedAxis& placed, const Axis& axis, int most) {
  const std::size_t count = axis.names.size();
  placed.low = axis.low.value_or(-0.5);
  placed.high = axis.high.value_or(static_cast<double>(count) - 0.5);
  if (!(placed.low < placed.high)) placed.high = placed.low + 1;
  const std::size_t stride = (count - 1) / static_cast<std::size_t>(std::max(most, 1)) + 1;
  for (std::size_t i = 0; i < count; i += stride) {
    const auto value = static_cast<double>(i);
    if (value < placed.low || value > placed.high) continue;
    placed.ticks.push_back({value, axis.names[i]});
  }
}

}  // namespace

bool has_place(double value, Scale scale) {
  if (scale == Scale::kLog) return value >= 1e-290 && value <= 1e290;
  return std::fabs(value) <= 1e300;
}

Extent::Extent()
    : low(std::numeric_limits<double>::infinity()),
      high(-std::numeric_limits<double>::infinity()) {}

void Extent::add(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
  whole &= value == std::round(value);
}

double PlacedAxis::fraction(double value) const {
  if (scale == Scale::kLog) {
    return (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
  }
  return (value - low) / (high - low);
}

PlacedAxis place_axis(const Axis& axis, Extent data, Ends ends, int most) {
  PlacedAxis placed;
  placed.scale = axis.scale;
  if (!axis.names.empty()) {
    place_names(placed, axis, most);
  } else if (axis.scale == Scale::kLog) {
    place_log(placed, axis, data, ends, most);
  } else {
    place_linear(placed, axis, data, ends, most);
  }
  return placed;
}

std::vector<double> round_numbers(double low, double high, int count) {
  std::vector<double> numbers;
  if (!(high > low)) return numbers;
  const double step = round_step((high - low) / count);
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  for (int i = 0; i <= static_cast<int>(std::min(last - first, 100.0)); ++i) {
    numbers.push_back((first + i) * step);
  }
  return numbers;
}

}  // namespace wengert::plot
