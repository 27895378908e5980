#include <algorithm>

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

RunUpdate::RunUpdate(const UpdateLevels& levels, ParameterStep& step, const char* writer)
    : kernels_(*levels[static_cast<int>(kernels::cpu_level())]) {
  Tensor& value = step.parameter.mutable_value();
  dtype_ = value.dtype() == DType::kFloat64 ? 1 : 0;
  count_ = value.element_count();
  bytes_ = static_cast<std::int64_t>(size_of(value.dtype()));
  value_ = WriteGuard(value, writer, step.where).data();
  for (int k = 0; k < kernels_.slots; ++k) {
    Tensor& slot = step.slots[static_cast<std::size_t>(k)];
    slots_.push_back(WriteGuard(slot, writer, step.where).data());
  }
  gradient_ = step.gradient.data();
}

std::vector<double> RunUpdate::measure(const void* numbers) const {
  const auto sums = static_cast<std::size_t>(kernels_.sums);
  const auto pieces =
      static_cast<std::size_t>(std::max<std::int64_t>(1, (count_ + kGrain - 1) / kGrain));
  std::vector<double> parts(pieces * sums);
  in_pieces(count_, [&](std::int64_t piece, std::int64_t begin, std::int64_t n) {
    void* at[kernels::kMostSlots];
    for (std::size_t k = 0; k < slots_.size(); ++k) at[k] = slots_[k] + begin * bytes_;
    kernels_.measure[dtype_](value_ + begin * bytes_, gradient_ + begin * bytes_, at, n, numbers,
                             parts.data() + static_cast<std::size_t>(piece) * sums);
  });
  std::vector<double> totals(sums);
  for (std::size_t i = 0; i < parts.size(); ++i) totals[i % sums] += parts[i];
  return totals;
}

void RunUpdate::update(const void* numbers) const {
  in_pieces(count_, [&](std::int64_t, std::int64_t begin, std::int64_t n) {
    void* at[kernels::kMostSlots];
    for (std::size_t k = 0; k < slots_.size(); ++k) at[k] = slots_[k] + begin * bytes_;
    kernels_.update[dtype_](value_ + begin * bytes_, gradient_ + begin * bytes_, at, n, numbers);
  });
}

}  // namespace wengert::optim
