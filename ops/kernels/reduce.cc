#include "wengert/ops/kernels/reduce.h"

#include <algorithm>
#include <vector>

#include "wengert/graph/tensor_view.h"
#include "wengert/ops/kernels/rows.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {
namespace {

constexpr std::int64_t kPart = 65536;  // elements a task sums; fixed, so that bits are too

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
  in_parts(rows, std::max<std::int64_t>(1, kPart / std::max<std::int64_t>(inner, 1)),
           [&](std::int64_t begin, std::int64_t end) {
             row_kernels<T>().sums(x + begin * inner, end - begin, inner, to + begin, accumulate);
           });
}

/// to[j] (+)= Σ_i x[i·inner + j]: strips of columns on the pool.
template <class T>
void sum_rows(const T* x, std::int64_t rows, std::int64_t inner, T* to, bool accumulate) {
  const std::int64_t strip = std::max<std::int64_t>(64, kPart / std::max<std::int64_t>(rows, 1));
  in_parts(inner, (strip + 63) / 64 * 64, [&](std::int64_t begin, std::int64_t end) {
    row_kernels<T>().sum_columns(x + begin, rows, end - begin, inner, to + begin, accumulate);
  });
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
  for (std::int64_t i = 0; i < sizes[0]; ++i) {
    reduce(from + i * inner, sizes.subspan(1), reduced.subspan(1), reduced[0] ? to : to + i * kept,
           accumulate || (reduced[0] && i > 0));
  }
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
