#include "wengert/ops/kernels/measure.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "wengert/ops/kernels/level.h"
#include "wengert/ops/kernels/measure_table.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::kernels {

WENGERT_LEVEL_TABLE(MeasureTable, measure_table)

namespace {

constexpr std::int64_t kGrain = 1 << 16;  // elements a task; cut by size alone

int index_of(DType dtype) { return dtype == DType::kFloat64 ? 1 : 0; }

std::int64_t piece_count(std::int64_t n) { return (n + kGrain - 1) / kGrain; }

/// body(piece, first element, elements) over pieces of [0, n).
template <class Body>
void in_pieces(std::int64_t n, Body&& body) {
  if (n <= kGrain) return body(std::int64_t{0}, std::int64_t{0}, n);
  parallel_for(piece_count(n), [&](std::int64_t piece) {
    const std::int64_t begin = piece * kGrain;
    body(piece, begin, std::min(kGrain, n - begin));
  });
}

const std::byte* at(DType dtype, const void* base, std::int64_t element) {
  return static_cast<const std::byte*>(base) + element * static_cast<std::int64_t>(size_of(dtype));
}

}  // namespace

bool all_finite(DType dtype, const void* x, std::int64_t n) {
  const auto kernel = active_measure_table().all_finite[index_of(dtype)];
  WENGERT_SPLIT(MeasureTasks, n, kGrain);
  if (n <= kGrain) return kernel(x, n);
  std::atomic<bool> finite = true;
  in_pieces(n, [&](std::int64_t, std::int64_t begin, std::int64_t count) {
    if (finite.load(std::memory_order_relaxed) && !kernel(at(dtype, x, begin), count)) {
      finite.store(false, std::memory_order_relaxed);
    }
  });
  return finite;
}

double sum_of_squares(DType dtype, const void* x, std::int64_t n) {
  const auto kernel = active_measure_table().sum_of_squares[index_of(dtype)];
  WENGERT_SPLIT(MeasureTasks, n, kGrain);
  if (n <= kGrain) return kernel(x, n);
  std::vector<double> parts(static_cast<std::size_t>(piece_count(n)));
  in_pieces(n, [&](std::int64_t piece, std::int64_t begin, std::int64_t count) {
    parts[static_cast<std::size_t>(piece)] = kernel(at(dtype, x, begin), count);
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

void scaled(DType dtype, const void* x, std::int64_t n, double factor, void* y, bool accumulate) {
  const auto kernel = active_measure_table().scaled[index_of(dtype)];
  WENGERT_SPLIT(MeasureTasks, n, kGrain);
  in_pieces(n, [&](std::int64_t, std::int64_t begin, std::int64_t count) {
    kernel(at(dtype, x, begin), count, factor, const_cast<std::byte*>(at(dtype, y, begin)),
           accumulate);
  });
}

}  // namespace wengert::kernels
