#pragma once

#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/tensor.h"

// Tables of text: rows of fields under named columns.
namespace wengert::io {

/// A column: numbers, or categories where a field is no number.
struct Column {
  std::string name;
  /// Numbers: float64 [N], NaN where missing. Categories: int64 [N], −1 where missing: look at
  /// `missing` before you give them to one_hot or embedding, to which −1 is the last one.
  Tensor values;
  /// What the numbers of a column of categories stand for, in order of their first appearance in
  /// this file: another file has another order.
  std::vector<std::string> categories = {};
  std::int64_t missing = 0;  ///< how many fields are
  bool is_categorical() const { return values.dtype() == DType::kInt64; }
};

struct Table {
  std::vector<Column> columns;
  std::int64_t rows = 0;
  /// By name. Throws Error(kValue) naming the closest.
  WENGERT_API const Column& at(std::string_view name,
                               std::source_location where = std::source_location::current()) const;
  /// Columns of numbers side by side, [N, columns], in their order here. Throws Error(kValue) on an
  /// unknown name, on categories, and on missing numbers, saying how many and where the first is.
  WENGERT_API Tensor matrix(std::span<const std::string> names, DType dtype = DType::kFloat32,
                            std::source_location where = std::source_location::current()) const;
  Tensor matrix(std::initializer_list<std::string> names, DType dtype = DType::kFloat32,
                std::source_location where = std::source_location::current()) const {
    return matrix(std::span<const std::string>(names.begin(), names.size()), dtype, where);
  }
};

struct CsvOptions {
  char separator = ',';
  bool header = true;  ///< the first row has the names; else they are "column 1", …
  /// Fields that mean nothing, beside empty ones.
  std::vector<std::string> missing = {"NA", "N/A", "NaN", "nan", "null", "?"};
  /// Bytes that a gzipped file may unpack to, which takes several times as much memory. 0: 32
  /// times the file, 64 MiB at least.
  std::int64_t unpacked_limit = 0;
};

/// Reads a table (RFC 4180: quoted fields may hold separators, line breaks and doubled quotes),
/// plain or gzipped, lines ended by LF or CRLF; empty lines are passed over. A column is one of
/// numbers if every field that is not missing is one, blanks around it aside.
///
/// Throws IoError, naming the line, where the file cannot be read, is empty, has a row of another
/// length than the first, a quote that does not end or goes on after its end, a zero byte, more
/// than a million columns, or two columns of one name; or where it unpacks to more than the limit.
WENGERT_API Table read_csv(const std::string& path, const CsvOptions& options = {},
                           std::source_location where = std::source_location::current());

}  // namespace wengert::io
