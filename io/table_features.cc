#include "wengert/io/table_features.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <set>
#include <string_view>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/parameter_names.h"

namespace wengert::io {
namespace {

using Rows = std::vector<std::int64_t>;

[[noreturn]] void refuse(const std::string& problem, const std::string& fix) {
  throw Error(ErrorKind::kValue, "TableFeatures", problem, fix);
}

Rows checked(const Table& table, const TableRows& rows) {
  Rows result;
  if (rows) {
    result = *rows;
  } else {
    result.resize(static_cast<std::size_t>(table.rows));
    std::iota(result.begin(), result.end(), 0);
  }
  for (const std::int64_t row : result) {
    if (row >= 0 && row < table.rows) continue;
    throw Error(ErrorKind::kIndex, "TableFeatures",
                "row " + std::to_string(row) + " of a table of " + std::to_string(table.rows));
  }
  return result;
}

const Column& numeric(const Table& table, const std::string& name) {
  const Column& column = table.at(name);
  if (!column.is_categorical()) return column;
  refuse("column '" + name + "' is of " + std::to_string(column.categories.size()) +
             " categories, no numbers",
         "name it among the categories");
}

/// A number of a column, NaN where it is missing.
double number_at(const Column& column, std::int64_t row) {
  const double value = column.values.span<double>()[static_cast<std::size_t>(row)];
  if (!std::isinf(value)) return value;
  refuse("column '" + column.name + "' is infinite in row " + std::to_string(row),
         "leave that row out");
}

/// A category as text, none where it is missing. A number is one too.
std::optional<std::string> category_at(const Column& column, std::int64_t row) {
  const auto place = static_cast<std::size_t>(row);
  if (column.is_categorical()) {
    const std::int64_t code = column.values.span<std::int64_t>()[place];
    if (code < 0) return std::nullopt;
    return column.categories[static_cast<std::size_t>(code)];
  }
  const double value = column.values.span<double>()[place];
  if (std::isnan(value)) return std::nullopt;
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), end.ptr);
}

struct Moments {
  double mean = 0;
  double deviation = 1;
  bool constant = false;
};

/// Mean and deviation, over n, of the numbers that are there.
Moments moments_of(const Column& column, const Rows& rows) {
  long double sum = 0;
  std::int64_t count = 0;
  double least = 0, most = 0;
  for (const std::int64_t row : rows) {
    const double value = number_at(column, row);
    if (std::isnan(value)) continue;
    least = count == 0 ? value : std::min(least, value);
    most = count == 0 ? value : std::max(most, value);
    sum += value;
    ++count;
  }
  if (count == 0) {
    refuse("column '" + column.name + "' has no number in the rows to learn from", "leave it out");
  }
  // Not by the deviation, which rounding may leave a little above 0.
  if (least == most) return {least, 1, true};
  const long double mean = sum / static_cast<long double>(count);
  long double squares = 0;
  for (const std::int64_t row : rows) {
    const double value = number_at(column, row);
    if (!std::isnan(value)) squares += (value - mean) * (value - mean);
  }
  const auto deviation = static_cast<double>(std::sqrt(squares / static_cast<long double>(count)));
  if (std::isfinite(deviation) && deviation > 0) return {static_cast<double>(mean), deviation};
  refuse("column '" + column.name + "' spreads by " + format_number(deviation) +
             ", which no float64 divides by",
         "scale it before");
}

/// What stands in a row, where something must.
double required(const Column& column, std::int64_t row) {
  const double value = number_at(column, row);
  if (!std::isnan(value)) return value;
  refuse("a number of column '" + column.name + "' is missing in row " + std::to_string(row),
         "leave that row out, or fill it; missing inputs may become the mean: "
         "TableColumns::missing");
}

std::vector<std::string> categories_in(const Column& column, const Rows& rows) {
  std::vector<std::string> known;
  std::set<std::string> seen;
  for (const std::int64_t row : rows) {
    const auto category = category_at(column, row);
    if (category && seen.insert(*category).second) known.push_back(*category);
  }
  return known;
}

std::int64_t place_of(const std::vector<std::string>& known,
                      const std::optional<std::string>& category) {
  if (!category) return -1;
  const auto found = std::find(known.begin(), known.end(), *category);
  return found == known.end() ? -1 : found - known.begin();
}

[[noreturn]] void refuse_category(const Column& column, std::int64_t row,
                                  const std::vector<std::string>& known) {
  const auto category = category_at(column, row);
  const std::string place = " of column '" + column.name + "' in row " + std::to_string(row);
  if (!category) refuse("the category" + place + " is missing", "leave that row out, or fill it");
  refuse("the category '" + *category + "'" + place + " was not learned",
         "there are " + detail::some_of(known));
}

std::string quoted_line(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

std::string unquoted(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    ++i;
    result += text[i] == 'n' ? '\n' : text[i];
  }
  return result;
}

}  // namespace

TableFeatures TableFeatures::learn(ParameterSet& parameters, const std::string& name,
                                   const Table& table, const TableColumns& columns,
                                   const TableRows& rows, std::source_location where) {
  const wengert::detail::CallSite site(where);
  if (columns.numbers.empty() && columns.categories.empty()) {
    refuse("there is no input", "name columns of numbers or categories");
  }
  std::set<std::string> inputs;
  for (const auto* names : {&columns.numbers, &columns.categories}) {
    for (const std::string& input : *names) {
      if (!inputs.insert(input).second)
        refuse("the input '" + input + "' comes twice", "name it once");
      if (input == columns.target)
        refuse("the target '" + input + "' is an input too", "leave it out");
    }
  }
  const Rows chosen = checked(table, rows);
  if (chosen.empty()) refuse("there are no rows to learn from", "give training rows");
  TableFeatures result;
  result.numbers_ = columns.numbers;
  result.fills_missing_ = columns.missing == MissingNumbers::kMean;
  result.passes_unknown_ = columns.unknown == UnknownCategories::kZeros;
  result.learn_numbers(table, chosen);
  for (const std::string& category : columns.categories) {
    const Column& column = table.at(category);
    result.categories_.push_back({category, categories_in(column, chosen)});
    if (result.categories_.back().known.empty()) {
      refuse("column '" + category + "' has no category in the rows to learn from", "leave it out");
    }
  }
  if (!columns.target.empty()) result.learn_target(table, columns, chosen);
  // What the training rows themselves are refused for is told now, not later.
  (void)result.inputs(table, chosen, where);
  if (result.has_target_) (void)result.targets(table, chosen, where);

  const auto count = static_cast<std::int64_t>(result.numbers_.size());
  const std::string text = result.text();
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  parameters.add_all(
      {}, {{name + "/mean", Tensor::from(result.means_, {count})},
           {name + "/deviation", Tensor::from(result.deviations_, {count})},
           {name + "/target", Tensor::from({result.target_mean_, result.target_deviation_}, {2})},
           {name + "/columns", Tensor::from(bytes, {static_cast<std::int64_t>(bytes.size())})}});
  return result;
}

void TableFeatures::learn_numbers(const Table& table, const Rows& rows) {
  for (const std::string& name : numbers_) {
    const Moments moments = moments_of(numeric(table, name), rows);
    means_.push_back(moments.mean);
    deviations_.push_back(moments.deviation);
  }
}

void TableFeatures::learn_target(const Table& table, const TableColumns& columns,
                                 const Rows& rows) {
  const Column& column = table.at(columns.target);
  target_ = columns.target;
  has_target_ = true;
  target_is_class_ = columns.target_kind == TargetKind::kClass ||
                     (columns.target_kind == TargetKind::kByColumn && column.is_categorical());
  if (target_is_class_) {
    classes_ = categories_in(column, rows);
    return;
  }
  const Moments moments = moments_of(numeric(table, target_), rows);
  target_mean_ = moments.mean;
  target_deviation_ = moments.deviation;
}

TableFeatures TableFeatures::of(const ParameterSet& parameters, const std::string& name,
                                std::source_location where) {
  const wengert::detail::CallSite site(where);
  const auto refuse_buffer = [&](const std::string& buffer, const std::string& problem) {
    throw Error(ErrorKind::kParameter, "TableFeatures", "the buffer '" + buffer + "' " + problem,
                "load a model that TableFeatures::learn was made for, and name it alike");
  };
  const auto buffer = [&](const char* part, DType dtype) {
    const std::string full = name + "/" + part;
    const Buffer* found = parameters.find_buffer(full);
    if (found == nullptr) refuse_buffer(full, "is not there");
    if (found->value().dtype() != dtype || found->value().rank() != 1) {
      refuse_buffer(full, "is " + to_string(found->value().dtype(), found->value().shape()));
    }
    return found->value();
  };
  TableFeatures result;
  result.means_ = buffer("mean", DType::kFloat64).to_vector<double>();
  result.deviations_ = buffer("deviation", DType::kFloat64).to_vector<double>();
  const auto target = buffer("target", DType::kFloat64).to_vector<double>();
  const Tensor columns = buffer("columns", DType::kUint8).contiguous();
  const auto bytes = columns.span<std::uint8_t>();
  const bool known = result.parse(std::string(bytes.begin(), bytes.end()));
  if (!known || result.means_.size() != result.numbers_.size() ||
      result.deviations_.size() != result.numbers_.size() || target.size() != 2) {
    refuse_buffer(name + "/columns", "is no table of columns that fits the others");
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  const auto usable = [](double value) { return std::isfinite(value) && value > 0; };
  if (!std::all_of(result.means_.begin(), result.means_.end(), finite) || !finite(target[0]) ||
      !std::all_of(result.deviations_.begin(), result.deviations_.end(), usable) ||
      !usable(target[1])) {
    refuse_buffer(name + "/deviation", "or another one has a number that standardizes nothing");
  }
  result.target_mean_ = target[0];
  result.target_deviation_ = target[1];
  return result;
}

std::string TableFeatures::text() const {
  std::string text = std::string("missing ") + (fills_missing_ ? "mean" : "refused") +
                     "\nunknown " + (passes_unknown_ ? "zeros" : "refused");
  for (const std::string& name : numbers_) text += "\nnumber " + quoted_line(name);
  for (const auto& [name, known] : categories_) {
    text += "\ncategory " + quoted_line(name);
    for (const std::string& value : known) text += "\nvalue " + quoted_line(value);
  }
  if (!has_target_) return text;
  text += (target_is_class_ ? "\nclasses " : "\ntarget ") + quoted_line(target_);
  for (const std::string& value : classes_) text += "\nvalue " + quoted_line(value);
  return text;
}

/// Whether it is such a text.
bool TableFeatures::parse(const std::string& text) {
  std::vector<std::string>* values = nullptr;
  for (const std::string& line : lines_of(text)) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos) return false;
    const std::string word = line.substr(0, blank);
    const std::string rest = unquoted(std::string_view(line).substr(blank + 1));
    if (word == "missing") {
      fills_missing_ = rest == "mean";
    } else if (word == "unknown") {
      passes_unknown_ = rest == "zeros";
    } else if (word == "number") {
      numbers_.push_back(rest);
    } else if (word == "category") {
      categories_.push_back({rest, {}});
      values = &categories_.back().known;
    } else if (word == "value" && values != nullptr) {
      values->push_back(rest);
    } else if ((word == "target" || word == "classes") && !has_target_) {
      has_target_ = true;
      target_ = rest;
      target_is_class_ = word == "classes";
      values = target_is_class_ ? &classes_ : nullptr;
    } else {
      return false;
    }
  }
  return width() > 0 && target_is_class_ == !classes_.empty();
}

Tensor TableFeatures::inputs(const Table& table, const TableRows& rows,
                             std::source_location where) const {
  const wengert::detail::CallSite site(where);
  const Rows chosen = checked(table, rows);
  const auto columns = static_cast<std::size_t>(width());
  std::vector<float> values(chosen.size() * columns);
  std::size_t to = 0;
  for (std::size_t k = 0; k < numbers_.size(); ++k, ++to) {
    const Column& column = numeric(table, numbers_[k]);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      double value = fills_missing_ ? number_at(column, chosen[i]) : required(column, chosen[i]);
      if (std::isnan(value)) value = means_[k];
      values[i * columns + to] = static_cast<float>((value - means_[k]) / deviations_[k]);
    }
  }
  for (const auto& [name, known] : categories_) {
    const Column& column = table.at(name);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const std::int64_t place = place_of(known, category_at(column, chosen[i]));
      if (place < 0 && !passes_unknown_) refuse_category(column, chosen[i], known);
      if (place >= 0) values[i * columns + to + static_cast<std::size_t>(place)] = 1;
    }
    to += known.size();
  }
  return Tensor::from(values, {static_cast<std::int64_t>(chosen.size()), width()});
}

Tensor TableFeatures::targets(const Table& table, const TableRows& rows,
                              std::source_location where) const {
  const wengert::detail::CallSite site(where);
  if (!has_target_) refuse("there is no target", "name one in TableColumns");
  const Rows chosen = checked(table, rows);
  const auto count = static_cast<std::int64_t>(chosen.size());
  const Column& column = table.at(target_);
  if (target_is_class_) {
    std::vector<std::int64_t> values;
    for (const std::int64_t row : chosen) {
      values.push_back(place_of(classes_, category_at(column, row)));
      if (values.back() < 0) refuse_category(column, row, classes_);
    }
    return Tensor::from(values, {count});
  }
  std::vector<float> values;
  const Column& numbers = numeric(table, target_);
  for (const std::int64_t row : chosen) {
    values.push_back(
        static_cast<float>((required(numbers, row) - target_mean_) / target_deviation_));
  }
  return Tensor::from(values, {count, 1});
}

Tensor TableFeatures::in_units(const Tensor& outputs) const {
  std::vector<double> values = outputs.to_vector<double>();
  for (double& value : values) value = value * target_deviation_ + target_mean_;
  return Tensor::from(values, outputs.shape());
}

TableReport TableFeatures::report(const Table& table, const TableRows& rows,
                                  std::source_location where) const {
  const wengert::detail::CallSite site(where);
  const Rows chosen = checked(table, rows);
  TableReport report;
  report.rows = static_cast<std::int64_t>(chosen.size());
  const auto count_missing = [&](const Column& column) {
    const auto missing = std::count_if(chosen.begin(), chosen.end(), [&](std::int64_t row) {
      return !category_at(column, row).has_value();
    });
    if (missing > 0) report.missing.emplace_back(column.name, missing);
    return missing;
  };
  const auto count_unknown = [&](const Column& column, const std::vector<std::string>& known) {
    const auto unknown = std::count_if(chosen.begin(), chosen.end(), [&](std::int64_t row) {
      return place_of(known, category_at(column, row)) < 0;
    });
    const auto missing = count_missing(column);
    if (unknown > missing) report.unknown.emplace_back(column.name, unknown - missing);
  };
  for (const std::string& name : numbers_) {
    const Column& column = numeric(table, name);
    const auto missing = count_missing(column);
    if (missing < report.rows && moments_of(column, chosen).constant) {
      report.constant.push_back(name);
    }
  }
  for (const auto& [name, known] : categories_) count_unknown(table.at(name), known);
  if (has_target_) {
    if (target_is_class_) {
      count_unknown(table.at(target_), classes_);
    } else {
      (void)count_missing(numeric(table, target_));
    }
  }
  return report;
}

std::int64_t TableFeatures::width() const {
  std::size_t width = numbers_.size();
  for (const auto& [name, known] : categories_) width += known.size();
  return static_cast<std::int64_t>(width);
}

std::vector<std::string> TableFeatures::input_names() const {
  std::vector<std::string> names = numbers_;
  for (const auto& [name, known] : categories_) {
    for (const std::string& value : known) names.push_back(name + "=" + value);
  }
  return names;
}

std::string TableReport::str() const {
  std::string text = std::to_string(rows) + " rows";
  for (const std::string& name : constant) {
    text += (&name == &constant.front() ? "; constant: '" : ", '") + printable(name) + "'";
  }
  const auto counts = [&text](const char* what, const auto& columns) {
    for (const auto& entry : columns) {
      text += (&entry == &columns.front() ? "; " + std::string(what) + ": " : std::string(", ")) +
              std::to_string(entry.second) + " of '" + printable(entry.first) + "'";
    }
  };
  counts("missing", missing);
  counts("unknown", unknown);
  return text;
}

}  // namespace wengert::io
