#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <set>

#include "wengert/graph/error.h"
#include "wengert/graph/export/escape.h"
#include "wengert/graph/text.h"
#include "wengert/optim/training/search.h"

namespace wengert::optim {
namespace {

constexpr double kLargestWhole = 0x1p53;  // beyond it float64 holds not every whole number

/// The shortest text that reads back to the same number.
std::string exact(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

std::string quoted(const std::string& text) { return wengert::detail::quote_json(text); }

template <class T>
bool has_twice(const std::vector<T>& values) {
  return std::set<T>(values.begin(), values.end()).size() < values.size();
}

}  // namespace

SearchAxis SearchAxis::values(std::string name, std::vector<double> values) {
  SearchAxis axis(Kind::kValues, std::move(name));
  axis.values_ = std::move(values);
  return axis;
}
SearchAxis SearchAxis::words(std::string name, std::vector<std::string> words) {
  SearchAxis axis(Kind::kWords, std::move(name));
  axis.words_ = std::move(words);
  return axis;
}
SearchAxis SearchAxis::whole(std::string name, std::int64_t low, std::int64_t high) {
  SearchAxis axis(Kind::kWhole, std::move(name));
  axis.low_ = static_cast<double>(low);
  axis.high_ = static_cast<double>(high);
  return axis;
}
SearchAxis SearchAxis::uniform(std::string name, double low, double high) {
  SearchAxis axis(Kind::kUniform, std::move(name));
  axis.low_ = low;
  axis.high_ = high;
  return axis;
}
SearchAxis SearchAxis::log_uniform(std::string name, double low, double high) {
  SearchAxis axis(Kind::kLogUniform, std::move(name));
  axis.low_ = low;
  axis.high_ = high;
  return axis;
}

std::string SearchAxis::describe() const {
  std::string text = quoted(name_) + ": ";
  const auto interval = [&] { return exact(low_) + " " + exact(high_); };
  switch (kind_) {
    case Kind::kValues:
      text += "values";
      for (const double value : values_) text += " " + exact(value);
      return text;
    case Kind::kWords:
      text += "words";
      for (const std::string& word : words_) text += " " + quoted(word);
      return text;
    case Kind::kWhole:
      return text + "whole " + interval();
    case Kind::kUniform:
      return text + "uniform " + interval();
    case Kind::kLogUniform:
      return text + "log_uniform " + interval();
  }
  return text;
}

std::int64_t SearchAxis::grid_size() const {
  switch (kind_) {
    case Kind::kValues:
      return static_cast<std::int64_t>(values_.size());
    case Kind::kWords:
      return static_cast<std::int64_t>(words_.size());
    case Kind::kWhole:
      return static_cast<std::int64_t>(high_ - low_) + 1;
    default:
      return -1;
  }
}

double SearchAxis::grid_value(std::int64_t index) const {
  if (kind_ == Kind::kValues) return values_[static_cast<std::size_t>(index)];
  return kind_ == Kind::kWhole ? low_ + static_cast<double>(index) : static_cast<double>(index);
}

double SearchAxis::value_at(double share) const {
  if (const std::int64_t size = grid_size(); size >= 0) {
    const auto index = static_cast<std::int64_t>(share * static_cast<double>(size));
    return grid_value(std::min(index, size - 1));
  }
  if (kind_ == Kind::kUniform) return std::min(low_ + share * (high_ - low_), high_);
  const double low = std::log(low_), high = std::log(high_);
  return std::clamp(std::exp(low + share * (high - low)), low_, high_);
}

std::string SearchAxis::text(double value) const {
  return is_words() ? words_[static_cast<std::size_t>(value)] : exact(value);
}

void SearchAxis::check(const char* search) const {
  const auto refuse = [&](const std::string& problem, const char* fix) {
    throw Error(ErrorKind::kValue, search, "axis '" + name_ + "' " + problem, fix);
  };
  if (name_.empty()) refuse("has no name", "name what is searched over");
  if (grid_size() == 0 && kind_ != Kind::kWhole) refuse("is empty", "give it values to try");
  for (const double value : values_) {
    if (!std::isfinite(value)) refuse("has the value " + format_number(value), "leave it out");
  }
  if (has_twice(values_) || has_twice(words_)) {
    refuse("has a value twice", "leave one of them out");
  }
  if (kind_ == Kind::kValues || kind_ == Kind::kWords) return;
  const std::string interval = "from " + format_number(low_) + " to " + format_number(high_);
  const bool ordered = kind_ == Kind::kWhole ? low_ <= high_ : low_ < high_;
  if (!ordered || !std::isfinite(high_ - low_)) refuse("runs " + interval, "give low below high");
  if (kind_ == Kind::kWhole && (-low_ > kLargestWhole || high_ > kLargestWhole)) {
    refuse("runs " + interval, "whole numbers run to 2^53");
  }
  if (kind_ == Kind::kLogUniform && low_ <= 0) {
    refuse("runs " + interval + ", and has no logarithm there", "begin above 0, or take uniform");
  }
}

}  // namespace wengert::optim
