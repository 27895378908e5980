#include "wengert/io/csv.h"

#include "wengert/graph/error.h"
#include "wengert/tests/fuzz/target.h"

namespace wengert::fuzz {

FUZZ_TARGET(csv) {
  const std::uint8_t choices = input.byte();
  const bool packed = (choices & 1) != 0;
  io::CsvOptions options;
  options.header = (choices & 2) != 0;
  options.separator = (choices & 4) != 0 ? ';' : (choices & 8) != 0 ? '\t' : ',';
  const std::string bytes = input.rest();
  const MemoryFile file(packed ? gzip(bytes) : bytes);
  io::Table table;
  try {
    table = io::read_csv(file.path(), options);
  } catch (const IoError& error) {
    require(error.path() == file.path(), "an error of another file");
    return;
  }
  accept();
  for (const io::Column& column : table.columns) {
    require(column.values.shape() == Shape{table.rows}, "a column of another length");
    require(&table.at(column.name) == &column, "two columns of one name");
    std::int64_t missing = 0;
    for (const double value : column.values.to_vector<double>()) {
      missing += column.is_categorical() ? value < 0 : value != value;
      require(!column.is_categorical() || value < static_cast<double>(column.categories.size()),
              "a category that is none");
    }
    require(missing == column.missing, "another count of missing fields");
  }
}

}  // namespace wengert::fuzz
