#include "wengert/ops/kernels/reduce.h"

#include <algorithm>

#include "wengert/graph/op.h"

namespace wengert::kernels {
namespace {

constexpr std::int64_t kBlock = 128;  // elements summed in a row before pairing

/// Pairwise sum of a dense run; eight partial sums in the blocks let the compiler vectorize.
template <class T>
T sum_run(const T* x, std::int64_t n) {
  if (n <= kBlock) {
    T lanes[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
      for (int k = 0; k < 8; ++k) lanes[k] += x[i + k];
    }
    T total = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
              ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    for (; i < n; ++i) total += x[i];
    return total;
  }
  std::int64_t half = kBlock;
  while (half * 2 < n) half *= 2;
  return sum_run(x, half) + sum_run(x + half, n - half);
}

/// to[j] (+)= Σ_i x[i·inner + j], rows paired in fixed blocks.
template <class T>
void sum_rows(const T* x, std::int64_t rows, std::int64_t inner, T* to, bool accumulate,
              T* scratch) {
  // Rows are added in order within blocks of kBlock; long columns gain from the second level.
  if (!accumulate) std::fill(to, to + inner, T(0));
  for (std::int64_t begin = 0; begin < rows; begin += kBlock) {
    const std::int64_t end = std::min(rows, begin + kBlock);
    T* target = rows <= kBlock ? to : scratch;
    if (target == scratch) std::fill(scratch, scratch + inner, T(0));
    for (std::int64_t i = begin; i < end; ++i) {
      const T* row = x + i * inner;
      for (std::int64_t j = 0; j < inner; ++j) target[j] += row[j];
    }
    if (target == scratch) {
      for (std::int64_t j = 0; j < inner; ++j) to[j] += scratch[j];
    }
  }
}

template <class T>
void reduce(const T* from, std::span<const std::int64_t> sizes, std::span<const bool> reduced,
            T* to, bool accumulate) {
  // Merged dimensions alternate between reduced and kept. The last two decide the loop; the
  // others are walked by recursion over at most kMaxRank levels.
  if (sizes.empty()) {
    to[0] = accumulate ? to[0] + from[0] : from[0];
    return;
  }
  std::int64_t inner = 1, kept = 1;
  for (std::size_t d = 1; d < sizes.size(); ++d) {
    inner *= sizes[d];
    if (!reduced[d]) kept *= sizes[d];
  }
  if (sizes.size() == 1) {
    if (reduced[0]) {
      const T total = sum_run(from, sizes[0]);
      to[0] = accumulate ? to[0] + total : total;
    } else {
      for (std::int64_t i = 0; i < sizes[0]; ++i) to[i] = accumulate ? to[i] + from[i] : from[i];
    }
    return;
  }
  if (sizes.size() == 2 && reduced[0] && !reduced[1]) {
    T* scratch = sizes[0] > kBlock ? new T[static_cast<std::size_t>(inner)] : nullptr;
    sum_rows(from, sizes[0], inner, to, accumulate, scratch);
    delete[] scratch;
    return;
  }
  for (std::int64_t i = 0; i < sizes[0]; ++i) {
    reduce(from + i * inner, sizes.subspan(1), reduced.subspan(1),
           reduced[0] ? to : to + i * kept, accumulate || (reduced[0] && i > 0));
  }
  if (sizes[0] == 0 && reduced[0] && !accumulate) std::fill(to, to + kept, T(0));
}

}  // namespace

void reduce_sum(DType dtype, const std::byte* from, std::span<const std::int64_t> shape,
                const bool* reduced, std::byte* to, bool accumulate) {
  std::int64_t sizes[kMaxRank];
  bool marks[kMaxRank];
  std::size_t rank = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    if (rank > 0 && marks[rank - 1] == reduced[d]) {
      sizes[rank - 1] *= shape[d];
    } else {
      sizes[rank] = shape[d];
      marks[rank++] = reduced[d];
    }
  }
  dispatch_floating(dtype, [&]<class T>(T) {
    reduce(reinterpret_cast<const T*>(from), std::span<const std::int64_t>(sizes, rank),
           std::span<const bool>(marks, rank), reinterpret_cast<T*>(to), accumulate);
  });
}

}  // namespace wengert::kernels
