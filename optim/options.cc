#include "wengert/optim/options.h"

#include <charconv>
#include <cmath>

#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::optim {
namespace {

/// The shortest text that reads back as the same number.
std::string number(double value) {
  if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

}  // namespace

std::string Range::str() const {
  return (low_open ? "(" : "[") + number(low) + ", " + number(high) + (high_open ? ")" : "]");
}

std::string OptionDef::text(double value) const {
  return words.empty() ? number(value) : std::string(words[static_cast<std::size_t>(value)]);
}

std::string OptionDef::values() const {
  if (words.empty()) return range.str();
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 < words.size() ? ", " : " or ";
    list += words[i];
  }
  return list;
}

double OptionDef::parse(std::string_view text, std::string_view owner) const {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) return static_cast<double>(i);
  }
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!words.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    throw Error(ErrorKind::kValue, std::string(owner),
                std::string(name) + " '" + std::string(text) + "' is not " +
                    (words.empty() ? "a number in " : "") + values());
  }
  check(value, owner);
  return value;
}

void OptionDef::check(double value, std::string_view owner) const {
  const bool fits = words.empty() ? range.holds(value)
                                  : value >= 0 && value < static_cast<double>(words.size()) &&
                                        value == std::floor(value);
  if (fits) return;
  throw Error(ErrorKind::kValue, std::string(owner),
              std::string(name) + " " + format_number(value) +
                  (words.empty() ? " is outside " + values() : " is no index of " + values()));
}

void check_options(std::span<const OptionDef> options, const OptionValues& values,
                   std::string_view owner) {
  if (values.size() != options.size()) {
    throw Error(ErrorKind::kValue, std::string(owner),
                std::to_string(values.size()) + " options where there are " +
                    std::to_string(options.size()));
  }
  for (std::size_t i = 0; i < options.size(); ++i) options[i].check(values[i], owner);
}

std::string advice_on_name(std::string_view name, const std::vector<std::string>& names) {
  const std::string close = closest(name, names);
  if (!close.empty()) return "did you mean '" + close + "'?";
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  return "choose one of " + all;
}

OptionValues option_values(std::span<const OptionDef> options,
                           std::span<const OptionSetting> settings, std::string_view owner) {
  OptionValues values;
  std::vector<std::string> names;
  for (const OptionDef& option : options) {
    values.push_back(option.initial);
    names.emplace_back(option.name);
  }
  for (const OptionSetting& setting : settings) {
    std::size_t k = 0;
    while (k < names.size() && names[k] != setting.name) ++k;
    if (k == names.size()) {
      throw Error(ErrorKind::kValue, std::string(owner), "no option '" + setting.name + "'",
                  advice_on_name(setting.name, names));
    }
    values[k] = options[k].parse(setting.value, owner);
  }
  return values;
}

std::string to_string(std::span<const OptionDef> options, const OptionValues& values) {
  std::string text;
  for (std::size_t i = 0; i < options.size(); ++i) {
    text +=
        (i == 0 ? "" : ", ") + std::string(options[i].name) + " = " + options[i].text(values[i]);
  }
  return text;
}

}  // namespace wengert::optim
