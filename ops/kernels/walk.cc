#include "wengert/ops/kernels/walk.h"

namespace wengert::kernels {
namespace {

constexpr std::int64_t kShortRow = 64;        // below, a kernel's call costs more than a copy
constexpr std::int64_t kTransposedRows = 16;  // a cache line of floats

}  // namespace

bool all_dense(std::span<const std::int64_t> shape, std::span<const TensorView> views) {
  for (const TensorView& view : views) {
    if (!std::ranges::equal(view.shape(), shape) || !view.is_dense()) return false;
  }
  return !views.empty();
}

WalkBlock walk_block(const LoopNest& nest) {
  constexpr std::int64_t kElements = WalkTiles::kElements;
  const std::int64_t inner = nest.inner();
  if (nest.rank >= 2 && inner <= kShortRow) return {kElements / inner, inner, true};
  bool direct = true, transposed = false;
  for (int k = 0; k < nest.operands; ++k) {
    const std::int64_t stride = nest.inner_stride(k);
    direct &= stride == 1;
    // Its rows lie side by side: read a few at a time, cache lines are used up.
    transposed |= nest.rank >= 2 && stride != 0 && stride != 1 && nest.row_stride(k) == 1;
  }
  if (direct) return {1, kWalkGrain, false};
  if (transposed) return {kTransposedRows, kElements / kTransposedRows, false};
  return {1, kElements, false};
}

void note_walk(const LoopNest& nest, const WalkBlock& block, std::int64_t task_rows) {
  WENGERT_SPLIT(WalkRowTasks, nest.outer(), task_rows);
  if (nest.inner() > kShortRow) WENGERT_SPLIT(WalkColumnTasks, nest.inner(), kWalkGrain);
  if (block.packed) {
    WENGERT_SPLIT(WalkPackedRows, std::min(task_rows, nest.rows_left(0)), block.rows);
  } else if (block.rows > 1) {
    WENGERT_SPLIT(WalkTransposedRows, std::min(task_rows, nest.rows_left(0)), block.rows);
    WENGERT_SPLIT(WalkTransposedColumns, nest.inner(), block.columns);
  } else if (block.columns < kWalkGrain) {
    WENGERT_SPLIT(WalkColumns, nest.inner(), block.columns);
  }
}

WalkTiles::Rows WalkTiles::rows_of(int k, std::int64_t bytes, const std::byte* from,
                                   std::int64_t stride, std::int64_t row_stride, std::int64_t rows,
                                   std::int64_t n, bool packed) {
  if (stride == 1 && (!packed || rows == 1 || row_stride == n)) return {from, row_stride * bytes};
  const Rows tile = {memory_[k], n * bytes};
  Copied& copied = copied_[k];
  const bool repeated = row_stride == 0 || rows == 1;
  const bool enough =
      stride == 0 ? rows * n <= copied.rows * copied.n : n == copied.n && rows <= copied.rows;
  if (repeated && copied.from == from && enough) return tile;
  copied = repeated ? Copied{from, rows, n} : Copied{};
  gather_rows(from, row_stride, stride, rows, n, static_cast<std::size_t>(bytes), memory_[k], n);
  return tile;
}

}  // namespace wengert::kernels
