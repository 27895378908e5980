#include "wengert/ops/kernels/reduce.h"

#include <algorithm>
#include <vector>

#include "wengert/graph/tensor_view.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace {

constexpr std::int64_t kPart = 65536;    // elements a task sums; fixed, so that bits are too
constexpr std::int64_t kRowPart = 1024;  // least rows of a task that sums columns
constexpr std::int64_t kFewTerms = 16;   // sums of so many terms are not paired

/// Calls body(begin, end) for fixed parts of [0, n) on the pool.
template <class Body>
void in_parts(std::int64_t n, std::int64_t part, Body&& body) {
  if (n <= part) {
    body(0, n);
    return;
  }
  parallel_for((n + part - 1) / part,
               [&](std::int64_t i) { body(i * part, std::min(n, (i + 1) * part)); });
}

/// Sum of a dense run: parts of fixed size on the pool, then the parts' sums.
template <class T>
T sum_run(const T* x, std::int64_t n) {
  WENGERT_SPLIT(SumElements, n, kPart);
  if (n <= kPart) return row_kernels<T>().sum(x, n);
  std::vector<T> parts(static_cast<std::size_t>((n + kPart - 1) / kPart));
  in_parts(n, kPart, [&](std::int64_t begin, std::int64_t end) {
    parts[static_cast<std::size_t>(begin / kPart)] = row_kernels<T>().sum(x + begin, end - begin);
  });
  return sum_run(parts.data(), static_cast<std::int64_t>(parts.size()));
}

/// to[i] (+)= Σ_j x[i·inner + j].
template <class T>
void sum_each_row(const T* x, std::int64_t rows, std::int64_t inner, T* to, bool accumulate) {
  if (inner > kPart) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const T total = sum_run(x + i * inner, inner);
      to[i] = accumulate ? to[i] + total : total;
    }
    return;
  }
  const std::int64_t part = std::max<std::int64_t>(1, kPart / std::max<std::int64_t>(inner, 1));
  WENGERT_SPLIT(SumRowTasks, rows, part);
  in_parts(rows, part, [&](std::int64_t begin, std::int64_t end) {
    row_kernels<T>().sums(x + begin * inner, end - begin, inner, to + begin, accumulate);
  });
}

/// to[j] (+)= Σ_i x[i·inner + j]: parts of rows and strips of columns on the pool, then the parts'
/// sums in the same way.
template <class T>
void sum_rows(const T* x, std::int64_t rows, std::int64_t inner, T* to, bool accumulate) {
  if (rows <= kRowPart && inner <= kPart / kRowPart) {
    row_kernels<T>().sum_columns(x, rows, inner, inner, to, accumulate);
    return;
  }
  const std::int64_t part = std::max(kRowPart, kPart / std::max<std::int64_t>(inner, 1));
  const std::int64_t parts = (rows + part - 1) / part;
  // Strips of whole cache lines; what is left over goes with the last one.
  const std::int64_t wanted = kPart / std::max<std::int64_t>(std::min(rows, part), 1);
  const std::int64_t strip = (std::max<std::int64_t>(wanted, 64) + 63) / 64 * 64;
  const std::int64_t strips = std::max<std::int64_t>(1, inner / strip);
  std::vector<T> sums(parts > 1 ? static_cast<std::size_t>(parts * inner) : 0);
  const auto task = [&](std::int64_t i) {
    const std::int64_t p = i / strips, row = p * part, column = i % strips * strip;
    const std::int64_t end = i % strips == strips - 1 ? inner : column + strip;
    row_kernels<T>().sum_columns(x + row * inner + column, std::min(part, rows - row), end - column,
                                 inner, (parts > 1 ? sums.data() + p * inner : to) + column,
                                 parts == 1 && accumulate);
  };
  WENGERT_SPLIT(SumColumnRows, rows, part);
  if (inner > strip) WENGERT_SPLIT(SumColumnStrips, inner, strip);
  if (parts * strips == 1) {
    task(0);
  } else {
    parallel_for(parts * strips, task);
  }
  if (parts > 1) sum_rows(sums.data(), parts, inner, to, accumulate);
}

/// Sums of integers, which wrap around: unsigned arithmetic defines that.
template <class T>
void sum_integers(const T* x, std::span<const std::int64_t> sizes, std::span<const bool> reduced,
                  std::uint64_t* to) {
  if (sizes.empty()) {
    *to += static_cast<std::uint64_t>(static_cast<std::int64_t>(*x));
    return;
  }
  std::int64_t inner = 1, kept = 1;
  for (std::size_t d = 1; d < sizes.size(); ++d) {
    inner *= sizes[d];
    if (!reduced[d]) kept *= sizes[d];
  }
  for (std::int64_t i = 0; i < sizes[0]; ++i) {
    sum_integers(x + i * inner, sizes.subspan(1), reduced.subspan(1),
                 reduced[0] ? to : to + i * kept);
  }
}

/// Sums of blocks of rows of `width`, paired as a binary counter counts.
template <class T>
class PairedSums {
 public:
  explicit PairedSums(std::int64_t width) : width_(width) {}
  void add(const T* x, std::int64_t rows) {
    std::vector<T> block(static_cast<std::size_t>(width_));
    sum_rows(x, rows, width_, block.data(), false);
    std::size_t level = 0;
    for (; level < waiting_.size() && !waiting_[level].empty(); ++level) {
      sum_into(waiting_[level], block);
      waiting_[level].clear();
    }
    if (level == waiting_.size()) waiting_.emplace_back();
    waiting_[level] = std::move(block);
  }
  void finish(T* to, bool accumulate) {
    std::vector<T> total;
    for (std::vector<T>& part : waiting_) {
      if (part.empty()) continue;
      if (!total.empty()) sum_into(part, total);
      if (total.empty()) total = std::move(part);
    }
    for (std::int64_t j = 0; j < width_; ++j) {
      const T sum = total[static_cast<std::size_t>(j)];
      to[j] = accumulate ? to[j] + sum : sum;
    }
  }

 private:
  /// total = earlier + total.
  static void sum_into(const std::vector<T>& earlier, std::vector<T>& total) {
    for (std::size_t j = 0; j < total.size(); ++j) total[j] = earlier[j] + total[j];
  }
  std::int64_t width_;
  std::vector<std::vector<T>> waiting_;  ///< [l]: the sums of 2^l blocks, or none
};

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
    sum_rows(from, sizes[0], inner, to, accumulate);
    return;
  }
  if (sizes.size() == 2 && !reduced[0] && reduced[1]) {
    sum_each_row(from, sizes[0], inner, to, accumulate);
    return;
  }
  const auto reduce_at = [&](std::int64_t i, T* result, bool add) {
    reduce(from + i * inner, sizes.subspan(1), reduced.subspan(1), result, add);
  };
  if (!reduced[0]) {
    for (std::int64_t i = 0; i < sizes[0]; ++i) reduce_at(i, to + i * kept, accumulate);
    return;
  }
  if (sizes[0] <= kFewTerms) {
    for (std::int64_t i = 0; i < sizes[0]; ++i) reduce_at(i, to, accumulate || i > 0);
    return;
  }
  // A few results are summed as rows of a matrix, in as many steps as keep that small.
  const std::int64_t step = std::clamp<std::int64_t>(kPart / kept, 1, sizes[0]);
  WENGERT_SPLIT(SumSteps, sizes[0], step);
  std::vector<T> results(static_cast<std::size_t>(step * kept));
  PairedSums<T> sums(kept);
  for (std::int64_t begin = 0; begin < sizes[0]; begin += step) {
    const std::int64_t end = std::min(sizes[0], begin + step);
    for (std::int64_t i = begin; i < end; ++i) {
      reduce_at(i, results.data() + (i - begin) * kept, false);
    }
    sums.add(results.data(), end - begin);
  }
  sums.finish(to, accumulate);
}

}  // namespace

void reduce_sum(DType dtype, const std::byte* from, std::span<const std::int64_t> shape,
                const bool* reduced, std::byte* to, bool accumulate) {
  bool nothing = false;
  std::uint64_t results = 1;  // wraps only beside a size of 0
  for (std::size_t d = 0; d < shape.size(); ++d) {
    nothing |= shape[d] == 0;
    if (!reduced[d]) results *= static_cast<std::uint64_t>(shape[d]);
  }
  if (nothing) {  // axes beside the empty one may be too long to walk
    if (!accumulate)
      std::fill_n(to, results * size_of(is_floating(dtype) ? dtype : DType::kInt64), std::byte{0});
    return;
  }
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
  if (!is_floating(dtype)) {
    std::int64_t kept = 1;
    for (std::size_t d = 0; d < rank; ++d) kept *= marks[d] ? 1 : sizes[d];
    auto* totals = reinterpret_cast<std::uint64_t*>(to);
    if (!accumulate) std::fill(totals, totals + kept, 0);
    dispatch(dtype, [&]<class T>(T) {
      sum_integers(reinterpret_cast<const T*>(from), std::span<const std::int64_t>(sizes, rank),
                   std::span<const bool>(marks, rank), totals);
    });
    return;
  }
  dispatch_floating(dtype, [&]<class T>(T) {
    reduce(reinterpret_cast<const T*>(from), std::span<const std::int64_t>(sizes, rank),
           std::span<const bool>(marks, rank), reinterpret_cast<T*>(to), accumulate);
  });
}

}  // namespace wengert::kernels
