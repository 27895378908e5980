#include "wengert/ops/shape/axis_tables.h"

#include <algorithm>
#include <utility>

#include "wengert/ops/dense_input.h"

namespace wengert::ops {

RunWalk::RunWalk(std::span<const std::int64_t> result, std::span<const std::int64_t> source,
                 AxisTables tables)
    : tables_(std::move(tables)) {
  std::size_t last = 0;
  for (std::size_t d = 0; d < tables_.size(); ++d) {
    if (!tables_[d].empty()) last = d;
  }
  const Strides strides = dense_strides(source);
  for (std::size_t d = 0; d < result.size() && d < last; ++d) {
    outer_.push_back({result[d], strides[static_cast<int>(d)]});
    rows_ *= result[d];
  }
  std::int64_t block = 1;  // elements of one position along the last axis
  for (std::size_t d = last + 1; d < result.size(); ++d) block *= result[d];
  if (tables_.empty() || tables_[last].empty()) {
    row_length_ = result.empty() ? 1 : result[last] * block;
    runs_.push_back({0, 0, row_length_});
  } else {
    const std::vector<std::int64_t>& table = tables_[last];
    row_length_ = static_cast<std::int64_t>(table.size()) * block;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const bool joins =
          i > 0 &&
          (table[i] < 0 ? table[i - 1] < 0 : table[i - 1] >= 0 && table[i] == table[i - 1] + 1);
      if (joins) {
        runs_.back().length += block;
      } else {
        runs_.push_back(
            {static_cast<std::int64_t>(i) * block, table[i] < 0 ? -1 : table[i] * block, block});
      }
    }
  }
  if (row_length_ == 0) rows_ = 0;
}

std::int64_t RunWalk::row_source(std::span<const std::int64_t> index) const {
  std::int64_t from = 0;
  for (std::size_t d = 0; d < outer_.size(); ++d) {
    const Axis& axis = outer_[d];
    const std::int64_t at =
        tables_[d].empty() ? index[d] : tables_[d][static_cast<std::size_t>(index[d])];
    if (at < 0) return -1;
    from += at * axis.stride;
  }
  return from;
}

void copy_by_tables(EvalContext& call, AxisTables tables, const ExactNumber& otherwise) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const RunWalk walk(out.shape(), x.view().shape(), std::move(tables));
  dispatch(out.dtype, [&]<class T>(T) {
    const T* from = x.view().as<T>();
    T* to = out.as<T>();
    const T filler = otherwise.as<T>();
    walk.for_each([&](const Run& run) {
      if (run.from < 0) {
        std::fill_n(to + run.to, run.length, filler);
      } else {
        std::copy_n(from + run.from, run.length, to + run.to);
      }
    });
  });
}

}  // namespace wengert::ops
