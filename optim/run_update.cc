#include <algorithm>
#include <memory>
#include <new>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/optimizers/record.h"

namespace wengert::optim {
namespace {

constexpr std::int64_t kGrain = 1 << 16;  // elements a task; cut by size alone

/// body(piece, first element, elements) over pieces of [0, n).
template <class Body>
void in_pieces(std::int64_t n, Body&& body) {
  if (n <= kGrain) return body(std::int64_t{0}, std::int64_t{0}, n);
  kernels::parallel_for((n + kGrain - 1) / kGrain, [&](std::int64_t piece) {
    const std::int64_t begin = piece * kGrain;
    body(piece, begin, std::min(kGrain, n - begin));
  });
}

}  // namespace

RunUpdate::RunUpdate(const UpdateLevels& levels, ParameterStep& step, const char* writer,
                     double decay)
    : kernels_(*levels[static_cast<int>(kernels::cpu_level())]), decay_(decay) {
  Tensor& value = step.parameter.mutable_value();
  dtype_ = value.dtype() == DType::kFloat64 ? 1 : 0;
  count_ = value.element_count();
  width_ = value.rank() == 0 || value.shape()[0] == 0 ? count_ : count_ / value.shape()[0];
  bytes_ = static_cast<std::int64_t>(size_of(value.dtype()));
  value_ = WriteGuard(value, writer, step.where).data();
  for (int k = 0; k < kernels_.slots; ++k) {
    Tensor& slot = step.slots[static_cast<std::size_t>(k)];
    slots_[k] = WriteGuard(slot, writer, step.where).data();
  }
  gradient_ = step.gradient.data();
  has_rows_ = step.rows.has_value();
  if (has_rows_) rows_ = step.rows->span<std::int64_t>();
}

RunUpdate::Sums RunUpdate::measure(const void* numbers) const {
  const auto sums = static_cast<std::size_t>(kernels_.sums);
  const std::int64_t pieces = std::max<std::int64_t>(1, (count_ + kGrain - 1) / kGrain);
  Sums totals{};
  const auto measure_piece = [&](std::int64_t begin, std::int64_t n, double* part) {
    void* at[kernels::kMostSlots];
    for (int k = 0; k < kernels_.slots; ++k) at[k] = slots_[k] + begin * bytes_;
    kernels_.measure[dtype_](value_ + begin * bytes_, gradient_ + begin * bytes_, at, n, numbers,
                             part);
  };
  const auto add = [&](const double* part) {
    for (std::size_t i = 0; i < sums; ++i) totals[i] += part[i];
  };
  std::unique_ptr<double[]> parts(
      new (std::nothrow) double[static_cast<std::size_t>(pieces) * sums]());
  if (parts != nullptr) {
    in_pieces(count_, [&](std::int64_t piece, std::int64_t begin, std::int64_t n) {
      measure_piece(begin, n, parts.get() + static_cast<std::size_t>(piece) * sums);
    });
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      add(parts.get() + static_cast<std::size_t>(piece) * sums);
    }
    return totals;
  }
  // Without memory one after the other, with the same bits: other parameters were updated already.
  for (std::int64_t begin = 0; begin < std::max<std::int64_t>(1, count_); begin += kGrain) {
    double part[kernels::kMostSums] = {};
    measure_piece(begin, std::min(kGrain, count_ - begin), part);
    add(part);
  }
  return totals;
}

void RunUpdate::update(const void* numbers) const {
  // n elements from `begin` on, whose gradients lie from `from` on.
  const auto update_piece = [&](std::int64_t begin, std::int64_t from, std::int64_t n) {
    void* at[kernels::kMostSlots];
    for (int k = 0; k < kernels_.slots; ++k) at[k] = slots_[k] + begin * bytes_;
    if (decay_ != 0) {
      kernels_.update_decayed[dtype_](value_ + begin * bytes_, gradient_ + from * bytes_, at, n,
                                      numbers, decay_);
      return;
    }
    kernels_.update[dtype_](value_ + begin * bytes_, gradient_ + from * bytes_, at, n, numbers);
  };
  if (!has_rows_) {
    return in_pieces(count_, [&](std::int64_t, std::int64_t begin, std::int64_t n) {
      update_piece(begin, begin, n);
    });
  }
  const auto rows = static_cast<std::int64_t>(rows_.size());
  if (rows == 0 || width_ == 0) return;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / width_);
  kernels::parallel_for((rows + grain - 1) / grain, [&](std::int64_t task) {
    const std::int64_t end = std::min(rows, (task + 1) * grain);
    for (std::int64_t i = task * grain; i < end; ++i) {
      update_piece(rows_[static_cast<std::size_t>(i)] * width_, i * width_, width_);
    }
  });
}

}  // namespace wengert::optim
