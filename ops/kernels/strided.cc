#include "wengert/ops/kernels/strided.h"

#include <algorithm>
#include <cstring>

#include "wengert/ops/kernels/reduce.h"
#include "wengert/ops/kernels/splits.h"

namespace wengert::kernels {
namespace {

/// A square of as many elements as a 16-byte vector holds, rows and columns exchanged.
template <class U>
void transpose_square(const U* from, std::int64_t stride, U* to, std::int64_t to_stride) {
  typedef U Vector __attribute__((vector_size(16)));
  constexpr int kCount = 16 / sizeof(U);
  Vector v[kCount];
  for (int i = 0; i < kCount; ++i) std::memcpy(&v[i], from + i * stride, sizeof v[i]);
  if constexpr (kCount == 2) {
    const Vector first = __builtin_shufflevector(v[0], v[1], 0, 2);
    v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
    v[0] = first;
  } else {
    const Vector a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const Vector b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const Vector c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const Vector d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
  }
  for (int i = 0; i < kCount; ++i) std::memcpy(to + i * to_stride, &v[i], sizeof v[i]);
}

/// to[r·to_stride + j] = from[j·stride + r].
template <class U>
void transpose(const U* from, std::int64_t stride, std::int64_t rows, std::int64_t n, U* to,
               std::int64_t to_stride) {
  std::int64_t done_rows = 0, done = 0;  // of these rows the first `done` columns
  if constexpr (sizeof(U) > 1) {
    constexpr std::int64_t kCount = 16 / sizeof(U);
    done_rows = rows / kCount * kCount;
    done = n / kCount * kCount;
    for (std::int64_t r = 0; r < done_rows; r += kCount) {
      for (std::int64_t j = 0; j < done; j += kCount) {
        transpose_square(from + j * stride + r, stride, to + r * to_stride + j, to_stride);
      }
    }
  }
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t r = j < done ? done_rows : 0; r < rows; ++r) {
      to[r * to_stride + j] = from[j * stride + r];
    }
  }
}

/// A compiler that fills element by element takes three times as long.
template <class U>
void fill(U value, std::int64_t n, U* to) {
  typedef U Vector __attribute__((vector_size(16)));
  constexpr std::int64_t kCount = 16 / sizeof(U);
  const Vector values = Vector{} + value;
  std::int64_t i = 0;
  for (; i + kCount <= n; i += kCount) std::memcpy(to + i, &values, sizeof values);
  for (; i < n; ++i) to[i] = value;
}

template <class U>
void gather(const U* from, std::int64_t row_stride, std::int64_t stride, std::int64_t rows,
            std::int64_t n, U* to, std::int64_t to_stride) {
  if (row_stride == 1 && stride != 0 && stride != 1)
    return transpose(from, stride, rows, n, to, to_stride);
  for (std::int64_t r = 0; r < rows; ++r, from += row_stride, to += to_stride) {
    if (stride == 1 && n > 8) {
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(U));
    } else if (stride == 0) {
      fill(*from, n, to);
    } else {
      for (std::int64_t j = 0; j < n; ++j) to[j] = from[j * stride];
    }
  }
}

}  // namespace

LoopNest plan(std::span<const std::int64_t> shape, std::span<const TensorView> views) {
  LoopNest nest;
  nest.operands = static_cast<int>(views.size());
  const int rank = static_cast<int>(shape.size());
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) {
    // Strides of what has no elements may be of any size, and products of its other sizes too.
    nest.rank = 1;
    nest.sizes[0] = 0;
    for (int k = 0; k < nest.operands; ++k) nest.strides[k][0] = 0;
    return nest;
  }
  Strides full[kMaxOperands];
  for (int k = 0; k < nest.operands; ++k) {
    const TensorView& view = views[k];
    const Strides own = view.resolved_strides();
    full[k].resize(rank, 0);
    for (int d = 0; d < view.rank; ++d) {
      const int at = d + rank - view.rank;
      full[k][at] = view.sizes[d] == 1 && shape[at] != 1 ? 0 : own[d];
    }
  }
  for (int d = 0; d < rank; ++d) {
    if (shape[d] == 1) continue;
    bool merges = nest.rank > 0;
    for (int k = 0; k < nest.operands && merges; ++k) {
      merges = nest.strides[k][nest.rank - 1] == full[k][d] * shape[d];
    }
    if (!merges) {
      ++nest.rank;
      nest.sizes[nest.rank - 1] = 1;
    }
    nest.sizes[nest.rank - 1] *= shape[d];
    for (int k = 0; k < nest.operands; ++k) nest.strides[k][nest.rank - 1] = full[k][d];
  }
  return nest;
}

void offsets_at(const LoopNest& nest, std::int64_t outer, std::int64_t* offsets) {
  for (int k = 0; k < nest.operands; ++k) offsets[k] = 0;
  for (int d = nest.rank - 2; d >= 0; --d) {
    const std::int64_t index = outer % nest.sizes[d];
    outer /= nest.sizes[d];
    for (int k = 0; k < nest.operands; ++k) offsets[k] += index * nest.strides[k][d];
  }
}

void gather_rows(const std::byte* from, std::int64_t row_stride, std::int64_t stride,
                 std::int64_t rows, std::int64_t n, std::size_t bytes, std::byte* to,
                 std::int64_t to_stride) {
  const auto run = [&]<class U>(U) {
    gather(reinterpret_cast<const U*>(from), row_stride, stride, rows, n, reinterpret_cast<U*>(to),
           to_stride);
  };
  if (bytes == 4) {
    run(std::uint32_t{});
  } else if (bytes == 8) {
    run(std::uint64_t{});
  } else {
    run(std::uint8_t{});
  }
}

void copy_to_dense(const TensorView& from, std::byte* to) {
  const std::size_t bytes = size_of(from.dtype);
  const std::int64_t count = from.count();
  if (count == 0) return;
  if (from.is_dense()) {
    std::memcpy(to, from.data, static_cast<std::size_t>(count) * bytes);
    return;
  }
  const LoopNest nest = plan(from.shape(), {&from, 1});
  const std::int64_t inner = nest.inner(), outer = nest.outer(), stride = nest.inner_stride(0);
  const bool transposed = nest.row_stride(0) == 1 && stride != 0 && stride != 1;
  // Blocks of rows that share cache lines, of as many columns as stay in the cache meanwhile.
  const std::int64_t block_rows = transposed ? 16 : 1, block_columns = transposed ? 64 : inner;
  if (transposed) {
    WENGERT_SPLIT(CopyRows, nest.rows_left(0), block_rows);
    WENGERT_SPLIT(CopyColumns, inner, block_columns);
  }
  for (std::int64_t row = 0; row < outer;) {
    const std::int64_t rows = std::min(block_rows, nest.rows_left(row));
    std::int64_t offset;
    offsets_at(nest, row, &offset);
    for (std::int64_t begin = 0; begin < inner; begin += block_columns) {
      gather_rows(from.data + (offset + begin * stride) * static_cast<std::int64_t>(bytes),
                  nest.row_stride(0), stride, rows, std::min(block_columns, inner - begin), bytes,
                  to + (row * inner + begin) * static_cast<std::int64_t>(bytes), inner);
    }
    row += rows;
  }
}

void sum_to_shape(DType dtype, const std::byte* from, std::span<const std::int64_t> shape,
                  std::byte* to, std::span<const std::int64_t> to_shape, bool accumulate) {
  bool reduced[kMaxRank] = {};
  const std::size_t lead = shape.size() - to_shape.size();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    reduced[d] = d < lead || (to_shape[d - lead] == 1 && shape[d] != 1);
  }
  reduce_sum(dtype, from, shape, reduced, to, accumulate);
}

}  // namespace wengert::kernels
