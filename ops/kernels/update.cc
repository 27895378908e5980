#include "wengert/ops/kernels/update.h"

#include <algorithm>

#include "wengert/ops/kernels/level.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/kernels/update_table.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(UpdateTable, update_table)

namespace {

constexpr std::int64_t kGrain = 1 << 16;  // elements a task; cut by size alone

int index_of(DType dtype) { return dtype == DType::kFloat64 ? 1 : 0; }

/// body(byte offset, elements) over pieces of [0, n).
template <class Body>
void in_pieces(DType dtype, std::int64_t n, Body&& body) {
  const auto bytes = static_cast<std::int64_t>(size_of(dtype));
  if (n <= kGrain) {
    body(std::int64_t{0}, n);
    return;
  }
  parallel_for((n + kGrain - 1) / kGrain, [&](std::int64_t task) {
    const std::int64_t begin = task * kGrain;
    body(begin * bytes, std::min(kGrain, n - begin));
  });
}

std::byte* at(void* base, std::int64_t offset) { return static_cast<std::byte*>(base) + offset; }
const std::byte* at(const void* base, std::int64_t offset) {
  return static_cast<const std::byte*>(base) + offset;
}

}  // namespace

void update_sgd(DType dtype, void* w, const void* g, std::int64_t n, double rate) {
  const auto kernel = active_update_table().sgd[index_of(dtype)];
  in_pieces(dtype, n, [&](std::int64_t offset, std::int64_t count) {
    kernel(at(w, offset), at(g, offset), count, rate);
  });
}

void update_momentum(DType dtype, void* w, const void* g, void* m, std::int64_t n, double rate,
                     double beta) {
  const auto kernel = active_update_table().momentum[index_of(dtype)];
  in_pieces(dtype, n, [&](std::int64_t offset, std::int64_t count) {
    kernel(at(w, offset), at(g, offset), at(m, offset), count, rate, beta);
  });
}

void update_nesterov(DType dtype, void* w, const void* g, void* m, std::int64_t n, double rate,
                     double beta) {
  const auto kernel = active_update_table().nesterov[index_of(dtype)];
  in_pieces(dtype, n, [&](std::int64_t offset, std::int64_t count) {
    kernel(at(w, offset), at(g, offset), at(m, offset), count, rate, beta);
  });
}

void update_adam(DType dtype, void* w, const void* g, void* m, void* s, std::int64_t n,
                 const AdamNumbers& numbers) {
  const auto kernel = active_update_table().adam[index_of(dtype)];
  in_pieces(dtype, n, [&](std::int64_t offset, std::int64_t count) {
    kernel(at(w, offset), at(g, offset), at(m, offset), at(s, offset), count, numbers);
  });
}

bool all_finite(DType dtype, const void* x, std::int64_t n) {
  return active_update_table().all_finite[index_of(dtype)](x, n);
}

}  // namespace wengert::kernels
