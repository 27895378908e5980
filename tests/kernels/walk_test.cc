#include "wengert/ops/kernels/walk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

namespace wengert::kernels {
namespace {

/// A view of numbered elements: element at memory place p of type T holds the lower bits of p.
struct Operand {
  DType dtype = DType::kInt64;
  std::vector<std::int64_t> sizes, strides;
  std::int64_t offset = 0;
  std::vector<std::byte> memory;

  TensorView view() {
    return {dtype, static_cast<int>(sizes.size()), sizes.data(), strides.data(),
            memory.data() + offset * static_cast<std::int64_t>(size_of(dtype))};
  }
  /// Where the element lies that a position of `shape` reads.
  std::int64_t place(const std::vector<std::int64_t>& shape, std::int64_t position) const {
    std::int64_t at = offset;
    for (std::size_t d = shape.size(); d-- > 0;) {
      const std::int64_t index = position % shape[d];
      position /= shape[d];
      if (d + sizes.size() < shape.size()) continue;
      const std::size_t own = d + sizes.size() - shape.size();
      if (sizes[own] != 1) at += index * strides[own];
    }
    return at;
  }
};

/// Dense, permuted, padded or reversed memory, and axes of one element, by chance.
Operand random_operand(const std::vector<std::int64_t>& shape, std::mt19937& random) {
  const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  Operand operand;
  operand.dtype = chance(2) ? DType::kInt32 : chance(2) ? DType::kInt64 : DType::kUint8;
  const bool plain = chance(3), scalar = !plain && chance(5);
  if (!scalar) operand.sizes = shape;
  if (!plain && !scalar) {
    for (std::int64_t& size : operand.sizes) size = chance(4) && size > 0 ? 1 : size;
    if (chance(4) && !operand.sizes.empty()) operand.sizes.erase(operand.sizes.begin());
  }
  const std::size_t rank = operand.sizes.size();
  std::vector<std::size_t> order(rank);  // from the innermost axis of the memory outwards
  std::iota(order.begin(), order.end(), 0u);
  std::reverse(order.begin(), order.end());
  if (!plain) std::shuffle(order.begin(), order.end(), random);
  operand.strides.assign(rank, 0);
  std::int64_t step = 1;
  for (const std::size_t d : order) {
    if (!plain && chance(5)) step *= 2;  // every other element
    operand.strides[d] = step;
    step *= std::max<std::int64_t>(operand.sizes[d], 1);
    if (!plain && chance(5)) step += 3;
    if (!plain && chance(6) && operand.sizes[d] > 0) {
      operand.offset += operand.strides[d] * (operand.sizes[d] - 1);
      operand.strides[d] = -operand.strides[d];
    }
  }
  const auto bytes = size_of(operand.dtype);
  operand.memory.resize(static_cast<std::size_t>(step + 1) * bytes);
  for (std::int64_t i = 0; i <= step; ++i) {
    std::memcpy(operand.memory.data() + static_cast<std::size_t>(i) * bytes, &i, bytes);
  }
  return operand;
}

std::uint64_t element(const void* from, std::int64_t i, DType dtype) {
  std::uint64_t value = 0;
  const auto bytes = size_of(dtype);
  std::memcpy(&value, static_cast<const std::byte*>(from) + static_cast<std::size_t>(i) * bytes,
              bytes);
  return value;
}

std::uint64_t lower_bits(std::int64_t value, DType dtype) {
  return static_cast<std::uint64_t>(value) & (~std::uint64_t{0} >> (64 - 8 * size_of(dtype)));
}

// Sizes around tiles (1024), blocks (16 × 64), short rows (64) and tasks (32768).
const std::vector<std::int64_t> kShapes[] = {
    {},          {1},          {5},        {1024},     {1025},       {32769},
    {70000},     {0, 3},       {3, 0},     {1, 7, 1},  {64, 65},     {17, 129},
    {512, 64},   {3, 1030},    {2, 3000},  {3000, 2},  {700, 3, 5},  {41, 63},
    {5, 40, 64}, {33, 17, 65}, {2, 33000}, {40000, 2}, {16, 1, 900}, {9, 2, 3, 4, 70}};

TEST(Walk, VisitsEachPositionOnceWithItsElements) {
  std::mt19937 random(5);
  for (const auto& shape : kShapes) {
    const std::int64_t count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                                               std::multiplies<std::int64_t>());
    for (int round = 0; round < 24; ++round) {
      set_thread_count(1 + round % 3);
      std::vector<Operand> operands;
      for (int k = 0; k < 1 + round % kMaxOperands; ++k) {
        operands.push_back(random_operand(shape, random));
      }
      std::vector<TensorView> views;
      for (Operand& operand : operands) views.push_back(operand.view());
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      std::atomic<std::int64_t> wrong{0};
      walk(shape, views, [&](const void* const* in, std::int64_t position, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) {
          ++visits[static_cast<std::size_t>(position + i)];
          for (std::size_t k = 0; k < operands.size(); ++k) {
            const std::int64_t place = operands[k].place(shape, position + i);
            const DType dtype = operands[k].dtype;
            if (element(in[k], i, dtype) != lower_bits(place, dtype)) ++wrong;
          }
        }
      });
      for (const auto& visit : visits) ASSERT_EQ(visit, 1) << testing::PrintToString(shape);
      ASSERT_EQ(wrong, 0) << testing::PrintToString(shape) << " round " << round;
    }
  }
  set_thread_count(0);
}

TEST(CopyToDense, ReadsEveryLayout) {
  std::mt19937 random(6);
  for (const auto& shape : kShapes) {
    for (int round = 0; round < 24; ++round) {
      Operand operand = random_operand(shape, random);
      const TensorView view = operand.view();
      const std::int64_t count = view.count();
      std::vector<std::byte> dense(static_cast<std::size_t>(count) * size_of(view.dtype) + 1,
                                   std::byte{42});
      copy_to_dense(view, dense.data());
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(element(dense.data(), i, view.dtype),
                  lower_bits(operand.place(operand.sizes, i), view.dtype))
            << testing::PrintToString(operand.sizes) << testing::PrintToString(operand.strides);
      }
      ASSERT_EQ(dense.back(), std::byte{42});
    }
  }
}

}  // namespace
}  // namespace wengert::kernels
