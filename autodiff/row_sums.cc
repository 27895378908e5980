#include "wengert/autodiff/row_sums.h"

#include <algorithm>
#include <cstring>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/records.h"

namespace wengert::detail {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements added in a task; cut by size alone

struct Row {
  std::int64_t index;
  const std::byte* data;
};

/// Adds rows of `width` elements of one dtype.
class RowAdder {
 public:
  RowAdder(DType dtype, std::int64_t width)
      : kernel_(ops::add_op.elementwise->kernels->forward[static_cast<int>(dtype)]),
        width_(width),
        bytes_(static_cast<std::size_t>(width) * size_of(dtype)) {}
  std::size_t bytes() const { return bytes_; }
  std::int64_t width() const { return width_; }

  /// `to` may be one of them.
  void add(const std::byte* a, const std::byte* b, std::byte* to) const {
    const void* const in[] = {a, b};
    kernel_(in, to, width_, nullptr);
  }
  void copy(const std::byte* from, std::byte* to) const {
    if (bytes_ > 0) std::memcpy(to, from, bytes_);
  }
  /// The sum of n ≥ 1 rows, halves first. `scratch` has room for as many rows as n can be halved.
  void sum(const Row* rows, std::int64_t n, std::byte* to, std::byte* scratch) const {
    if (n == 1) return copy(rows[0].data, to);
    if (n == 2) return add(rows[0].data, rows[1].data, to);
    const std::int64_t half = n / 2;
    sum(rows, half, to, scratch);
    sum(rows + half, n - half, scratch, scratch + bytes_);
    add(to, scratch, to);
  }

 private:
  decltype(ops::add_op.elementwise->kernels->forward[0]) kernel_;
  std::int64_t width_;
  std::size_t bytes_;
};

std::int64_t width_of(const Shape& shape) {
  std::int64_t width = 1;
  for (int d = 1; d < shape.size(); ++d) width *= shape[d];
  return width;
}

/// By index, digit by digit from the last: rows of one index stay in their order.
void sort_by_index(std::vector<Row>& rows, std::int64_t height) {
  constexpr int kBits = 8;
  constexpr std::size_t kDigits = std::size_t{1} << kBits;
  std::vector<Row> sorted(rows.size());
  for (int shift = 0; shift < 63 && (height - 1) >> shift > 0; shift += kBits) {
    const auto digit = [shift](const Row& row) {
      return static_cast<std::size_t>(row.index >> shift) % kDigits;
    };
    std::size_t next[kDigits + 1] = {};
    for (const Row& row : rows) ++next[digit(row) + 1];
    for (std::size_t i = 1; i < kDigits; ++i) next[i] += next[i - 1];
    for (const Row& row : rows) sorted[next[digit(row)]++] = row;
    rows.swap(sorted);
  }
}

/// How often n can be halved, and once more.
int halvings(std::int64_t n) {
  int count = 1;
  for (; n > 1; n = (n + 1) / 2) ++count;
  return count;
}

/// body(first group, groups) over pieces that are cut by the size of the rows alone.
template <class Body>
void in_pieces(std::int64_t groups, std::int64_t width, Body&& body) {
  const std::int64_t piece = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, width));
  if (groups <= piece) return body(std::int64_t{0}, groups);
  kernels::parallel_for((groups + piece - 1) / piece, [&](std::int64_t task) {
    body(task * piece, std::min(piece, groups - task * piece));
  });
}

Tensor tensor_of(const std::vector<std::int64_t>& indices) {
  return Tensor::from(indices, {static_cast<std::int64_t>(indices.size())});
}

Tensor empty_rows(std::int64_t count, const Shape& shape, DType dtype) {
  Shape rows = shape;
  rows[0] = count;
  return Tensor::empty(rows, dtype);
}

}  // namespace

std::int64_t read_positions(const Tensor& indices, std::int64_t height,
                            std::vector<std::int64_t>& positions) {
  const Tensor dense = indices.contiguous();
  if (dense.dtype() == DType::kInt32) {
    const auto given = dense.span<std::int32_t>();
    positions.assign(given.begin(), given.end());
  } else {
    const auto given = dense.span<std::int64_t>();
    positions.assign(given.begin(), given.end());
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    std::int64_t& at = positions[i];
    if (at < -height || at >= height) return static_cast<std::int64_t>(i);
    if (at < 0) at += height;
  }
  return -1;
}

SortedRows sum_rows(std::span<const RowPart> parts, const Shape& shape, DType dtype) {
  const RowAdder adder(dtype, width_of(shape));
  std::vector<Row> rows;
  std::size_t count = 0;
  for (const RowPart& part : parts) count += part.indices.size();
  rows.reserve(count);
  for (const RowPart& part : parts) {
    const std::byte* data = part.rows.data();
    for (const std::int64_t index : part.indices) {
      rows.push_back({index, data});
      data += adder.bytes();
    }
  }
  sort_by_index(rows, shape[0]);
  std::vector<std::int64_t> indices, starts;
  std::int64_t longest = 1;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i].index == rows[i - 1].index) continue;
    const auto at = static_cast<std::int64_t>(i);
    if (!starts.empty()) longest = std::max(longest, at - starts.back());
    indices.push_back(rows[i].index);
    starts.push_back(at);
  }
  if (!starts.empty()) {
    longest = std::max(longest, static_cast<std::int64_t>(rows.size()) - starts.back());
  }
  starts.push_back(static_cast<std::int64_t>(rows.size()));
  const auto groups = static_cast<std::int64_t>(indices.size());
  const Tensor result = empty_rows(groups, shape, dtype);
  auto* const to = const_cast<std::byte*>(result.data());  // memory that nobody else knows yet
  in_pieces(groups, adder.width(), [&](std::int64_t first, std::int64_t n) {
    std::vector<std::byte> scratch(adder.bytes() * static_cast<std::size_t>(halvings(longest)));
    for (std::int64_t group = first; group < first + n; ++group) {
      const auto g = static_cast<std::size_t>(group);
      adder.sum(rows.data() + starts[g], starts[g + 1] - starts[g], to + g * adder.bytes(),
                scratch.data());
    }
  });
  return {tensor_of(indices), result};
}

SortedRows merge_rows(const SortedRows& a, const SortedRows& b) {
  const auto of_a = a.indices.span<std::int64_t>(), of_b = b.indices.span<std::int64_t>();
  std::vector<std::int64_t> indices;
  std::set_union(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), std::back_inserter(indices));
  const RowAdder adder(a.rows.dtype(), width_of(a.rows.shape()));
  const Tensor result =
      empty_rows(static_cast<std::int64_t>(indices.size()), a.rows.shape(), a.rows.dtype());
  auto* to = const_cast<std::byte*>(result.data());
  const std::byte *from_a = a.rows.data(), *from_b = b.rows.data();
  std::size_t i = 0, k = 0;
  for (const std::int64_t index : indices) {
    const bool in_a = i < of_a.size() && of_a[i] == index;
    const bool in_b = k < of_b.size() && of_b[k] == index;
    if (in_a && in_b) {
      adder.add(from_a, from_b, to);
    } else {
      adder.copy(in_a ? from_a : from_b, to);
    }
    if (in_a) ++i, from_a += adder.bytes();
    if (in_b) ++k, from_b += adder.bytes();
    to += adder.bytes();
  }
  return {tensor_of(indices), result};
}

void add_rows(std::byte* dense, const SortedRows& rows) {
  const RowAdder adder(rows.rows.dtype(), width_of(rows.rows.shape()));
  const std::byte* from = rows.rows.data();
  for (const std::int64_t index : rows.indices.span<std::int64_t>()) {
    std::byte* to = dense + static_cast<std::size_t>(index) * adder.bytes();
    adder.add(to, from, to);
    from += adder.bytes();
  }
}

}  // namespace wengert::detail
