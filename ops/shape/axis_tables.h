#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "wengert/graph/op.h"

// Copies whose result takes each element from an index worked out axis by axis. Private to the
// library.
namespace wengert::ops {

/// For each axis of the result, the source's index at each position; −1: none. An empty table
/// leaves its axis as it is.
using AxisTables = std::vector<std::vector<std::int64_t>>;

/// A stretch of the result that is one stretch of the source, in elements.
struct Run {
  std::int64_t to, from, length;  ///< from −1: no source
};

/// Calls move(Run) over the whole result, row-major. Result and source are dense.
class RunWalk {
 public:
  RunWalk(std::span<const std::int64_t> result, std::span<const std::int64_t> source,
          AxisTables tables);
  template <class Move>
  void for_each(Move&& move) const {
    std::vector<std::int64_t> index(outer_.size());
    for (std::int64_t row = 0; row < rows_; ++row) {
      const std::int64_t base = row_source(index);
      const std::int64_t to = row * row_length_;
      if (base < 0) {
        move(Run{to, -1, row_length_});
      } else {
        for (const Run& run : runs_) {
          move(Run{to + run.to, run.from < 0 ? -1 : base + run.from, run.length});
        }
      }
      for (std::size_t d = outer_.size(); d-- > 0;) {
        if (++index[d] < outer_[d].size) break;
        index[d] = 0;
      }
    }
  }

 private:
  struct Axis {
    std::int64_t size;    ///< of the result
    std::int64_t stride;  ///< of the source
  };
  std::int64_t row_source(std::span<const std::int64_t> index) const;
  AxisTables tables_;
  std::vector<Axis> outer_;  ///< axes before the last one with a table
  std::vector<Run> runs_;    ///< of one row: that axis and all after it
  std::int64_t rows_ = 1, row_length_ = 1;
};

/// Input 0 rearranged into the output; elements without a source become `otherwise`.
void copy_by_tables(EvalContext& call, AxisTables tables, const ExactNumber& otherwise = 0);

}  // namespace wengert::ops
