#include "wengert/ops/kernels/strided.h"

#include <cstring>

#include "wengert/ops/kernels/reduce.h"

namespace wengert::kernels {
namespace {

/// Elements of `bytes` size each, gathered from a strided run.
void gather(const std::byte* from, std::int64_t stride, std::int64_t n, std::size_t bytes,
            std::byte* to) {
  const auto run = [&]<class U>(U) {
    const U* source = reinterpret_cast<const U*>(from);
    U* target = reinterpret_cast<U*>(to);
    for (std::int64_t i = 0; i < n; ++i) target[i] = source[i * stride];
  };
  if (bytes == 4) {
    run(std::uint32_t{});
  } else if (bytes == 8) {
    run(std::uint64_t{});
  } else {
    run(std::uint8_t{});
  }
}

}  // namespace

LoopNest plan(std::span<const std::int64_t> shape, std::span<const TensorView> views) {
  LoopNest nest;
  nest.operands = static_cast<int>(views.size());
  const int rank = static_cast<int>(shape.size());
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
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t offset;
    offsets_at(nest, o, &offset);
    const std::byte* source = from.data + offset * static_cast<std::int64_t>(bytes);
    std::byte* target = to + o * inner * static_cast<std::int64_t>(bytes);
    if (stride == 1) {
      std::memcpy(target, source, static_cast<std::size_t>(inner) * bytes);
    } else {
      gather(source, stride, inner, bytes, target);
    }
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
