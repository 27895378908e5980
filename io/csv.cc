#include "wengert/io/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/input_stream.h"

namespace wengert::io {
namespace {

constexpr std::size_t kMostColumns = 1'000'000;

std::string read_text(const std::string& path, std::int64_t unpacked_limit) {
  InputStream stream(path);
  const auto limit = static_cast<std::size_t>(stream.allowed(unpacked_limit));
  std::string text;
  // A small file takes little: one byte more than it has shows its end at once.
  const std::size_t piece = static_cast<std::size_t>(
      std::min<std::int64_t>(stream.file_size() + 1, std::int64_t{1} << 20));
  for (std::size_t got = piece; got == piece;) {
    const std::size_t before = text.size();
    text.resize(before + piece);
    got = stream.read(text.data() + before, piece);
    text.resize(before + got);
    if (text.size() > limit) {
      stream.fail_unpacking(static_cast<std::int64_t>(limit), "CsvOptions::unpacked_limit");
    }
  }
  return text;
}

/// The fields of a text, cut where they lie: what is quoted is moved together in place.
class Fields {
 public:
  Fields(const std::string& path, std::string text, char separator)
      : path_(path), text_(std::move(text)), separator_(separator) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
    // At least as many as there will be: growing would need half as much again.
    fields_.reserve(
        1 + static_cast<std::size_t>(std::count_if(
                text_.begin(), text_.end(), [&](char c) { return c == separator_ || c == '\n'; })));
    while (at_ < text_.size()) read_row();
  }
  std::size_t width() const { return width_; }
  std::size_t rows() const { return width_ == 0 ? 0 : fields_.size() / width_; }
  std::string_view field(std::size_t row, std::size_t column) const {
    const Field& field = fields_[row * width_ + column];
    return std::string_view(text_).substr(field.begin, field.size);
  }

 private:
  struct Field {
    std::size_t begin, size;
  };

  void read_row() {
    if (take_line_end()) return;  // an empty line
    const std::size_t first = fields_.size();
    const std::size_t line = line_;
    do {
      if (fields_.size() - first == kMostColumns) {
        fail("has more than 1,000,000 columns", "check that this is a table, and its separator");
      }
      read_field();
    } while (take(separator_));
    if (!take_line_end() && at_ < text_.size()) {
      fail("goes on after a quote in column " + std::to_string(fields_.size() - first),
           "a quote within a quoted field is written twice");
    }
    const std::size_t count = fields_.size() - first;
    if (width_ == 0) width_ = count;
    if (count == width_) return;
    line_ = line;
    fail("has " + std::to_string(count) + " fields, the first row " + std::to_string(width_),
         "give every row as many; fields that hold a separator are quoted");
  }

  void read_field() {
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted();
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n') {
      if (text_[at_] == '\0') fail("holds a zero byte", "this is no text");
      ++at_;
    }
    std::size_t end = at_;
    if (end > begin && text_[end - 1] == '\r' && (at_ == text_.size() || text_[at_] == '\n')) {
      --end;
    }
    fields_.push_back({begin, end - begin});
  }

  void read_quoted() {
    const std::size_t line = line_;
    const std::size_t begin = ++at_;
    std::size_t to = begin;
    for (;; ++at_) {
      if (at_ >= text_.size()) {
        line_ = line;
        fail("has a quote that does not end", "close it");
      }
      const char c = text_[at_];
      if (c == '\0') fail("holds a zero byte", "this is no text");
      if (c == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      if (c == '\n') ++line_;
      text_[to++] = c;
    }
    ++at_;
    fields_.push_back({begin, to - begin});
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_line_end() {
    if (at_ + 1 < text_.size() && text_[at_] == '\r' && text_[at_ + 1] == '\n') ++at_;
    if (!take('\n')) return false;
    ++line_;
    return true;
  }
  [[noreturn]] void fail(const std::string& problem, const std::string& fix) const {
    throw IoError(path_, "line " + std::to_string(line_) + " " + problem, fix);
  }

  const std::string& path_;
  std::string text_;
  char separator_;
  std::size_t at_ = 0, line_ = 1, width_ = 0;
  std::vector<Field> fields_;
};

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Whether the whole field is a number.
bool is_number(std::string_view field, double& value) {
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  const char* const end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, value);
  if (error == std::errc::result_out_of_range && stop == end) {
    // Beyond float64: 0 or infinity, as its exponent says, or, without one, its first digit.
    const std::size_t exponent = field.find_first_of("eE");
    const bool tiny =
        exponent != field.npos
            ? field[exponent + 1] == '-'
            : field.substr(0, field.find('.')).find_first_of("123456789") == field.npos;
    value = tiny ? 0 : std::numeric_limits<double>::infinity();
    if (field.starts_with('-')) value = -value;
    return true;
  }
  return error == std::errc() && stop == end;
}

Column column_of(const Fields& fields, std::size_t first_row, std::size_t k,
                 const std::set<std::string, std::less<>>& missing) {
  const std::size_t rows = fields.rows() - first_row;
  const auto field = [&](std::size_t i) { return trimmed(fields.field(first_row + i, k)); };
  const auto is_missing = [&](std::string_view text) {
    return text.empty() || missing.contains(text);
  };
  Column column;
  bool numeric = true;
  std::vector<double> numbers(rows, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < rows && numeric; ++i) {
    numeric = is_missing(field(i)) || is_number(field(i), numbers[i]);
  }
  const Shape shape = {static_cast<std::int64_t>(rows)};
  for (std::size_t i = 0; i < rows; ++i) {  // a NaN that is written out is as good as nothing
    column.missing += is_missing(field(i)) || (numeric && std::isnan(numbers[i]));
  }
  if (numeric) {
    column.values = Tensor::from(numbers, shape);
    return column;
  }
  std::unordered_map<std::string_view, std::int64_t> known;
  std::vector<std::int64_t> codes(rows, -1);
  for (std::size_t i = 0; i < rows; ++i) {
    if (is_missing(field(i))) continue;
    const auto [entry, fresh] =
        known.try_emplace(field(i), static_cast<std::int64_t>(column.categories.size()));
    if (fresh) column.categories.emplace_back(field(i));
    codes[i] = entry->second;
  }
  column.values = Tensor::from(codes, shape);
  return column;
}

}  // namespace

Table read_csv(const std::string& path, const CsvOptions& options, std::source_location where) {
  const wengert::detail::CallSite site(where);
  const Fields fields(path, read_text(path, options.unpacked_limit), options.separator);
  const std::size_t first_row = options.header ? 1 : 0;
  if (fields.rows() < first_row || fields.width() == 0) {
    throw IoError(path, "is empty", "give a table, with the names of its columns in the first row");
  }
  const std::set<std::string, std::less<>> missing(options.missing.begin(), options.missing.end());
  Table table;
  table.rows = static_cast<std::int64_t>(fields.rows() - first_row);
  std::set<std::string> names;
  for (std::size_t k = 0; k < fields.width(); ++k) {
    Column column = column_of(fields, first_row, k, missing);
    column.name = options.header ? std::string(trimmed(fields.field(0, k)))
                                 : "column " + std::to_string(k + 1);
    if (!names.insert(column.name).second) {
      throw IoError(path, "line 1 has two columns named '" + column.name + "'",
                    "give each its own name, or set header = false");
    }
    table.columns.push_back(std::move(column));
  }
  return table;
}

const Column& Table::at(std::string_view name, std::source_location where) const {
  std::vector<std::string> names;
  for (const Column& column : columns) {
    if (column.name == name) return column;
    names.push_back(column.name);
  }
  const std::string close = closest(name, names);
  throw Error(ErrorKind::kValue, "Table", "no column '" + std::string(name) + "'",
              close.empty() ? "there are " + std::to_string(names.size()) + " columns"
                            : "did you mean '" + close + "'?",
              where);
}

Tensor Table::matrix(std::span<const std::string> names, DType dtype,
                     std::source_location where) const {
  const detail::CallSite site(where);
  std::vector<double> values(static_cast<std::size_t>(rows) * names.size());
  for (std::size_t k = 0; k < names.size(); ++k) {
    const Column& column = at(names[k], where);
    if (column.is_categorical()) {
      throw Error(ErrorKind::kValue, "Table",
                  "column '" + column.name + "' is of " + std::to_string(column.categories.size()) +
                      " categories, no numbers",
                  "encode them, by one_hot(column.values, …) for instance, where none is missing");
    }
    const std::span<const double> numbers = column.values.span<double>();
    for (std::size_t i = 0; i < numbers.size(); ++i) values[i * names.size() + k] = numbers[i];
    if (column.missing == 0) continue;
    std::size_t first = 0;
    while (numbers[first] == numbers[first]) ++first;
    throw Error(ErrorKind::kValue, "Table",
                std::to_string(column.missing) + " of " + std::to_string(rows) +
                    " numbers of column '" + column.name + "' are missing, first in row " +
                    std::to_string(first),
                "leave those rows out, or fill them");
  }
  return Tensor::from(values, {rows, static_cast<std::int64_t>(names.size())}).to(dtype);
}

}  // namespace wengert::io
