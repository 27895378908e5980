#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tensor.h"
#include "wengert/io/csv.h"

// Columns of a table as inputs and targets of a network, by numbers that are kept with it.
namespace wengert::io {

/// What a missing number of an input becomes.
enum class MissingNumbers {
  kRefused,
  kMean,  ///< the mean of the rows that were learned from: 0 once it is standardized
};
/// What a missing category of an input becomes, or one that the rows learned from have not.
enum class UnknownCategories {
  kRefused,
  kZeros,  ///< none of the known ones
};
enum class TargetKind {
  kByColumn,  ///< classes where the column has categories, else a number
  kNumber,    ///< regression
  kClass,     ///< classification; numbers are classes too
};

struct TableColumns {
  std::vector<std::string> numbers = {};     ///< standardized: (x − mean)/deviation
  std::vector<std::string> categories = {};  ///< a 0 or 1 for each known category
  std::string target = {};                   ///< empty: there is none
  TargetKind target_kind = TargetKind::kByColumn;
  MissingNumbers missing = MissingNumbers::kRefused;
  UnknownCategories unknown = UnknownCategories::kRefused;
};

/// Rows of a table; none given: all.
using TableRows = std::optional<std::vector<std::int64_t>>;

/// What is worth knowing of rows of a table.
struct TableReport {
  std::int64_t rows = 0;
  std::vector<std::string> constant;  ///< numbers that are all alike: every input is 0
  std::vector<std::pair<std::string, std::int64_t>> missing;  ///< columns with such, and how many
  std::vector<std::pair<std::string, std::int64_t>> unknown;  ///< categories not learned, likewise
  /// "120 rows; constant: 'a'; missing: 3 of 'b'; unknown: 1 of 'c'"
  WENGERT_API std::string str() const;
};

/// What makes a table's columns inputs [N, width] and targets. It is learned from training rows
/// alone and kept as buffers of a set, so that it is saved, loaded and applied with the model: to
/// validation, tests and any later table by the same numbers. Columns are found by name.
///
/// Buffers: `NAME/mean`, `NAME/deviation` (float64, one for each column of numbers; the deviation
/// divides by n, and is 1 for a constant column), `NAME/target` (mean and deviation of a numeric
/// target, else 0 and 1), `NAME/columns` (names and categories, as bytes).
class WENGERT_API TableFeatures {
 public:
  /// Learns from `rows`. Throws Error(kValue) where a column is not there or twice among the
  /// inputs, there is no input, a column of numbers has categories or no number, a number is
  /// infinite or missing (see TableColumns::missing; a target never may be); Error(kIndex) on rows
  /// beyond the table; Error(kParameter) where the set has such buffers.
  static TableFeatures learn(ParameterSet& parameters, const std::string& name, const Table& table,
                             const TableColumns& columns, const TableRows& rows = {},
                             std::source_location where = std::source_location::current());
  /// What the buffers of a loaded set hold. Throws Error(kParameter) where they are not there or
  /// are of another form.
  static TableFeatures of(const ParameterSet& parameters, const std::string& name,
                          std::source_location where = std::source_location::current());

  /// float32 [N, width]: the columns of numbers, then the categories of each column. Throws as
  /// learn does, and Error(kValue) on a category that is not known (see TableColumns::unknown).
  Tensor inputs(const Table& table, const TableRows& rows = {},
                std::source_location where = std::source_location::current()) const;
  /// float32 [N, 1], standardized, or int64 [N], classes in the order of classes(). Throws
  /// Error(kValue) where there is no target, one is missing, infinite or of no known class.
  Tensor targets(const Table& table, const TableRows& rows = {},
                 std::source_location where = std::source_location::current()) const;
  /// What a network says of a numeric target, in the target's own unit: value·deviation + mean, in
  /// float64, of any shape.
  Tensor in_units(const Tensor& outputs) const;
  /// What of these rows is constant, missing or unknown; refuses nothing of that.
  TableReport report(const Table& table, const TableRows& rows = {},
                     std::source_location where = std::source_location::current()) const;

  std::int64_t width() const;
  /// Names of the inputs: "age", "colour=red".
  std::vector<std::string> input_names() const;
  bool is_classification() const { return target_is_class_; }
  /// Of the target; empty for a number.
  const std::vector<std::string>& classes() const { return classes_; }
  const std::vector<double>& means() const { return means_; }
  const std::vector<double>& deviations() const { return deviations_; }

 private:
  struct Categories {
    std::string name;
    std::vector<std::string> known;
  };
  TableFeatures() = default;
  void learn_numbers(const Table& table, const std::vector<std::int64_t>& rows);
  void learn_target(const Table& table, const TableColumns& columns,
                    const std::vector<std::int64_t>& rows);
  std::string text() const;
  bool parse(const std::string& text);

  std::vector<std::string> numbers_;
  std::vector<double> means_, deviations_;
  std::vector<Categories> categories_;
  std::string target_;
  bool has_target_ = false, target_is_class_ = false;
  std::vector<std::string> classes_;
  double target_mean_ = 0, target_deviation_ = 1;
  bool fills_missing_ = false, passes_unknown_ = false;
};

}  // namespace wengert::io
