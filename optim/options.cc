#include "wengert/optim/options.h"

#include <algorithm>
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

/// What is between the commas.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::string Range::str() const {
  return (low_open ? "(" : "[") + number(low) + ", " + number(high) + (high_open ? ")" : "]");
}

std::string OptionDef::text(const OptionValue& value) const {
  if (list != ListKind::kNone) {
    std::string text;
    for (const double x : value.list()) text += (text.empty() ? "" : ",") + number(x);
    return text.empty() ? "none" : text;
  }
  return words.empty() ? number(value) : std::string(words[static_cast<std::size_t>(value)]);
}

std::string OptionDef::values() const {
  if (list == ListKind::kAny) return "a list of numbers in " + range.str() + ", or none";
  if (list == ListKind::kRising) return "a rising list of numbers in " + range.str() + ", or none";
  if (words.empty()) return range.str();
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) all += i + 1 < words.size() ? ", " : " or ";
    all += words[i];
  }
  return all;
}

OptionValue OptionDef::parse(std::string_view text, std::string_view owner) const {
  const bool is_list = list != ListKind::kNone;
  if (is_list && text == "none") return std::vector<double>();
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) return static_cast<double>(i);
  }
  std::vector<double> numbers;
  for (const std::string_view part : is_list ? parts_of(text) : std::vector{text}) {
    double number = 0;
    const auto end = std::from_chars(part.data(), part.data() + part.size(), number);
    if (!words.empty() || end.ec != std::errc() || end.ptr != part.data() + part.size()) {
      throw Error(ErrorKind::kValue, std::string(owner),
                  std::string(name) + " '" + std::string(text) + "' is not " +
                      (words.empty() && !is_list ? "a number in " : "") + values());
    }
    numbers.push_back(number);
  }
  OptionValue value = is_list ? OptionValue(std::move(numbers)) : OptionValue(numbers[0]);
  check(value, owner);
  return value;
}

void OptionDef::check(const OptionValue& given, std::string_view owner) const {
  if (given.is_list() != (list != ListKind::kNone)) {
    throw Error(ErrorKind::kValue, std::string(owner),
                std::string(name) + (given.is_list() ? " is a list" : " is a number") +
                    " where it takes " + values());
  }
  if (list != ListKind::kNone) {
    const std::vector<double>& numbers = given.list();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const bool belongs = range.holds(numbers[i]);
      const bool rises = i == 0 || list != ListKind::kRising || numbers[i] > numbers[i - 1];
      if (belongs && rises) continue;
      throw Error(ErrorKind::kValue, std::string(owner),
                  std::string(name) + " " + format_number(numbers[i]) +
                      (!belongs ? " is outside " + range.str()
                                : " is not above " + format_number(numbers[i - 1]) + " before it"));
    }
    return;
  }
  const double value = given;
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
