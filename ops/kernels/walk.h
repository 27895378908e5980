#pragma once

// Private to the library.

#include <algorithm>
#include <cstring>

#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/strided.h"
#include "wengert/ops/kernels/thread_pool.h"

// Element by element over operands of any layout, on the pool: kernels see dense runs only.
namespace wengert::kernels {

/// How much of a nest is made dense at a time: rows, which follow each other in the last dimension
/// but one, times columns of the last.
struct WalkBlock {
  std::int64_t rows, columns;
  bool packed;  ///< the rows of every operand are to follow each other without gaps
};
WalkBlock walk_block(const LoopNest& nest);

/// The dense copies of one task.
class WalkTiles {
 public:
  static constexpr std::int64_t kElements = 1024;  // four operands of doubles fit the L1 cache

  struct Rows {
    const std::byte* data;
    std::int64_t pitch;  ///< bytes from row to row
  };
  /// `rows` rows of n elements of operand k: in place where they are dense, otherwise copied. What
  /// is repeated, such as a number or a bias, is copied once.
  Rows rows_of(int k, std::int64_t bytes, const std::byte* from, std::int64_t stride,
               std::int64_t row_stride, std::int64_t rows, std::int64_t n, bool packed);

 private:
  alignas(64) std::byte memory_[kMaxOperands][kElements * 8];
  struct Copied {
    const std::byte* from = nullptr;
    std::int64_t rows = 0, n = 0;
  } copied_[kMaxOperands];
};

/// Counts how walk() cuts this nest, where a test asks.
void note_walk(const LoopNest& nest, const WalkBlock& block, std::int64_t task_rows);

/// Whether all views are dense and of this shape.
bool all_dense(std::span<const std::int64_t> shape, std::span<const TensorView> views);

inline constexpr std::int64_t kWalkGrain = 32768;  // elements a task: some microseconds of work

/// Calls run(pointers, position, n) for dense runs that cover `shape`, to which the views
/// broadcast: an operand's n elements lie at its pointer. `position` counts elements of the shape
/// in order. Work is cut by size alone.
template <class Run>
void walk(std::span<const std::int64_t> shape, std::span<const TensorView> views, Run&& run) {
  const int operands = static_cast<int>(views.size());
  if (all_dense(shape, views)) {
    const std::int64_t count = views[0].count();
    const auto part = [&](std::int64_t begin, std::int64_t n) {
      const void* pointers[kMaxOperands];
      for (int k = 0; k < operands; ++k) {
        pointers[k] = views[k].data + begin * static_cast<std::int64_t>(size_of(views[k].dtype));
      }
      run(pointers, begin, n);
    };
    if (count == 0) return;
    WENGERT_SPLIT(WalkTasks, count, kWalkGrain);
    if (count <= kWalkGrain) return part(0, count);
    return parallel_for((count + kWalkGrain - 1) / kWalkGrain, [&](std::int64_t task) {
      part(task * kWalkGrain, std::min(kWalkGrain, count - task * kWalkGrain));
    });
  }
  const LoopNest nest = plan(shape, views);
  const std::int64_t inner = nest.inner(), outer = nest.outer();
  if (inner == 0 || outer == 0) return;
  const WalkBlock block = walk_block(nest);
  const std::int64_t task_rows = std::max<std::int64_t>(1, kWalkGrain / inner);
  const std::int64_t task_columns = std::min(inner, kWalkGrain);
  const std::int64_t across = (inner + task_columns - 1) / task_columns;
  if (splits_counted) [[unlikely]]
    note_walk(nest, block, task_rows);
  parallel_for((outer + task_rows - 1) / task_rows * across, [&](std::int64_t index) {
    WalkTiles tiles;
    const std::int64_t row_end = std::min(outer, (index / across + 1) * task_rows);
    const std::int64_t column = index % across * task_columns;
    const std::int64_t column_end = std::min(inner, column + task_columns);
    for (std::int64_t row = index / across * task_rows; row < row_end;) {
      const std::int64_t rows =
          block.rows == 1 ? 1 : std::min({block.rows, row_end - row, nest.rows_left(row)});
      std::int64_t offsets[kMaxOperands];
      offsets_at(nest, row, offsets);
      for (std::int64_t begin = column; begin < column_end; begin += block.columns) {
        const std::int64_t n = std::min(block.columns, column_end - begin);
        const void* pointers[kMaxOperands];
        std::int64_t pitches[kMaxOperands];
        for (int k = 0; k < operands; ++k) {
          const auto bytes = static_cast<std::int64_t>(size_of(views[k].dtype));
          const std::int64_t stride = nest.inner_stride(k);
          const auto got =
              tiles.rows_of(k, bytes, views[k].data + (offsets[k] + begin * stride) * bytes, stride,
                            nest.row_stride(k), rows, n, block.packed);
          pointers[k] = got.data;
          pitches[k] = got.pitch;
        }
        if (block.packed) {
          run(pointers, row * inner, rows * n);
          continue;
        }
        for (std::int64_t r = 0; r < rows; ++r) {
          run(pointers, (row + r) * inner + begin, n);
          for (int k = 0; k < operands; ++k) {
            pointers[k] = static_cast<const std::byte*>(pointers[k]) + pitches[k];
          }
        }
      }
      row += rows;
    }
  });
}

}  // namespace wengert::kernels
