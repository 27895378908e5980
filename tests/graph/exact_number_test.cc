#include "wengert/graph/exact_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/graph/attributes.h"
#include "wengert/graph/parameter.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/training/loader.h"

namespace wengert {
namespace {

constexpr std::int64_t k53 = std::int64_t{1} << 53;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

/// Integers around those from which on doubles have gaps, and the ends.
const std::vector<std::int64_t> kIntegers = {
    0,     1,      -1,         k53 - 1,   k53,        k53 + 1, -k53 - 1, k53 + 3,     kMost - 1,
    kMost, kLeast, kLeast + 1, kMost / 2, kLeast / 2, 1 << 30, -k53 + 1, kMost - 1024};

TEST(ExactNumber, HoldsEveryInteger) {
  for (const std::int64_t integer : kIntegers) {
    const ExactNumber number = integer;
    EXPECT_TRUE(number.is_integer()) << integer;
    EXPECT_EQ(number.integer(), integer);
    EXPECT_EQ(number.as<std::int64_t>(), integer);
    EXPECT_EQ(number.as<double>(), static_cast<double>(integer));
    EXPECT_EQ(number.as<float>(), static_cast<float>(integer));
    EXPECT_EQ(number.str(), std::to_string(integer));
    EXPECT_TRUE(number.is_held_by(DType::kInt64));
    EXPECT_EQ(number.is_held_by(DType::kInt32), static_cast<std::int32_t>(integer) == integer);
    EXPECT_EQ(number.is_held_by(DType::kUint8), static_cast<std::uint8_t>(integer) == integer);
    EXPECT_EQ(number.is_held_by(DType::kBool), integer == 0 || integer == 1);
  }
}

TEST(ExactNumber, IsOrderedAsTheNumbersAre) {
  for (const std::int64_t a : kIntegers) {
    for (const std::int64_t b : kIntegers) {
      EXPECT_EQ(ExactNumber(a) < ExactNumber(b), a < b) << a << " " << b;
      EXPECT_EQ(ExactNumber(a) == ExactNumber(b), a == b) << a << " " << b;
    }
    EXPECT_LT(ExactNumber(a), ExactNumber(0x1p63));
    EXPECT_LT(ExactNumber(-std::numeric_limits<double>::infinity()), ExactNumber(a));
    EXPECT_FALSE(ExactNumber(a) <= ExactNumber(std::nan("")));
  }
  EXPECT_EQ(ExactNumber(2), ExactNumber(2.0));  // one spelling, however it is written
  EXPECT_EQ(ExactNumber(k53), ExactNumber(0x1p53));
}

TEST(ExactNumber, RealsAreDoubles) {
  for (const double real : {0.5, -0.0, 1e300, -0x1p63, 0x1p63, 5e-324}) {
    const ExactNumber number = real;
    EXPECT_EQ(std::signbit(number.as<double>()), std::signbit(real));
    EXPECT_EQ(number.as<double>(), real);
    EXPECT_FALSE(number.is_beyond_reals());
  }
  EXPECT_FALSE(ExactNumber(0x1p63).is_integer());
  EXPECT_TRUE(ExactNumber(-0x1p63).is_integer());
  EXPECT_FALSE(ExactNumber(0.5).is_integer());
  EXPECT_FALSE(ExactNumber(std::nan("")).is_held_by(DType::kInt64));
  EXPECT_TRUE(ExactNumber(std::nan("")).is_held_by(DType::kFloat32));
  // Beyond int64 an integer counts as a real.
  EXPECT_EQ(ExactNumber(std::numeric_limits<std::uint64_t>::max()).real(), 0x1p64);
  EXPECT_EQ(ExactNumber(static_cast<std::uint64_t>(kMost)).integer(), kMost);
}

using Integers = std::vector<std::int64_t>;

Tensor int64(const Integers& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}
Integers list(const Tensor& tensor) { return tensor.to_vector<std::int64_t>(); }

/// `op` by record, every attribute by name.
Integers by_name(const char* op, const std::vector<Var>& inputs,
                 const std::vector<std::pair<const char*, std::int64_t>>& numbers,
                 const std::vector<std::pair<const char*, Integers>>& lists) {
  Attributes attributes(*find_op(op));
  for (const auto& [name, number] : numbers) attributes.set(name, number);
  for (const auto& [name, values] : lists) {
    attributes.set(name, std::span<const std::int64_t>(values));
  }
  if (inputs.empty()) attributes.set("dtype", "int64");
  std::vector<const Var*> pointers;
  for (const Var& input : inputs) pointers.push_back(&input);
  return list(apply(*find_op(op), pointers, attributes.get()).value());
}

TEST(ExactNumber, IsWhatEveryCallIsTold) {
  for (const std::int64_t n : kIntegers) {
    SCOPED_TRACE(n);
    EXPECT_EQ(list(full({2}, n, DType::kInt64).value()), (Integers{n, n}));
    EXPECT_EQ(list(Tensor::full({2}, n, DType::kInt64)), (Integers{n, n}));
    EXPECT_EQ(by_name("full", {}, {{"value", n}}, {{"shape", {2}}}), (Integers{n, n}));
    EXPECT_EQ(list(pad(int64({7}), {1}, {2}, PadMode::kConstant, n).value()),
              (Integers{n, 7, n, n}));
    EXPECT_EQ(by_name("pad", {int64({7})}, {{"value", n}}, {{"before", {1}}, {"after", {0}}}),
              (Integers{n, 7}));
    EXPECT_EQ(list(clip(int64({kLeast, kMost}), n, n).value()), (Integers{n, n}));
    EXPECT_EQ(by_name("clip", {int64({kLeast, kMost})}, {{"low", n}, {"high", n}}, {}),
              (Integers{n, n}));
    if (n > kLeast + 3) {
      EXPECT_EQ(list(arange(n - 3, n, 1, DType::kInt64).value()), (Integers{n - 3, n - 2, n - 1}));
      EXPECT_EQ(list(arange(n, n - 3, -2, DType::kInt64).value()), (Integers{n, n - 2}));
      EXPECT_EQ(by_name("arange", {}, {{"start", n - 2}, {"stop", n}, {"step", 1}}, {}),
                (Integers{n - 2, n - 1}));
    }
    ParameterSet set;
    Buffer& buffer = set.declare_buffer("count", {}, DType::kInt64, n);
    EXPECT_EQ(buffer.value().item<std::int64_t>(), n);
    EXPECT_EQ(&set.declare_buffer("count", {}, DType::kInt64, n), &buffer);
    const optim::SequenceLoader loader(
        {.inputs = {int64({1, 2}), int64({3})}, .targets = int64({0, 0}), .input_padding = n},
        {.batch_size = 2, .shuffle = false});
    EXPECT_EQ(list(loader.batch(1, 0).inputs), (Integers{1, 2, 3, n}));
  }
}

TEST(ExactNumber, RangesEndWhereTheySay) {
  const std::int64_t n = 10'000'000'000'000'000;
  EXPECT_EQ(list(arange(n - 1, n + 1, 1, DType::kInt64).value()), (Integers{n - 1, n}));
  EXPECT_EQ(list(arange(kLeast, kMost, kMost, DType::kInt64).value()),
            (Integers{kLeast, -1, kMost - 1}));
  EXPECT_EQ(list(arange(kMost, kLeast, kLeast, DType::kInt64).value()), (Integers{kMost, -1}));
  EXPECT_EQ(arange(5, 5, 1, DType::kInt64).element_count(), 0);
  EXPECT_EQ(arange(5, 4, 1, DType::kInt64).element_count(), 0);
  // Of reals each element is the nearest to its number.
  const Tensor doubles = arange(k53 + 1, k53 + 4, 1, DType::kFloat64).value();
  EXPECT_EQ(doubles.to_vector<double>(), (std::vector<double>{0x1p53, 0x1p53 + 2, 0x1p53 + 4}));
  EXPECT_ERROR(arange(kLeast, kMost), kValue,
               "too many elements: from -9223372036854775808 to 9223372036854775807 by 1");
}

TEST(ExactNumber, WhatADtypeDoesNotHoldIsRefused) {
  EXPECT_ERROR(Tensor::full({2}, 300, DType::kUint8), kValue, "300 is no uint8");
  EXPECT_ERROR(Tensor::full({2}, 0.5, DType::kInt64), kValue, "0.5 is no int64");
  EXPECT_ERROR(Tensor::full({2}, std::nan(""), DType::kInt32), kValue, "nan is no int32");
  EXPECT_ERROR(Tensor::full({2}, 2, DType::kBool), kValue, "2 is no bool");
  EXPECT_ERROR(full({2}, std::int64_t{1} << 40, DType::kInt32), kValue,
               "value 1099511627776 is no int32");
  EXPECT_ERROR(clip(int64({1}), kMost, kMost - 1), kValue, "low lies above high");
  ParameterSet set;
  EXPECT_ERROR(set.declare_buffer("count", {}, DType::kInt64, 0.5), kValue, "0.5 is no int64");
  set.declare_buffer("seen", {}, DType::kInt64, k53 + 1);
  EXPECT_ERROR(set.declare_buffer("seen", {}, DType::kInt64, k53), kParameter,
               "buffer 'seen' began as 9007199254740993, used here with 9007199254740992");
}

TEST(ExactNumber, AndDtypesThatDoNotExist) {
  const auto none = static_cast<DType>(99);
  const Tensor x = Tensor::zeros({2});
  EXPECT_ERROR(cast(x, none), kDType, "no such dtype");
  EXPECT_ERROR(zeros({2}, none), kDType, "no such dtype");
  EXPECT_ERROR(full({2}, 1, none), kDType, "no such dtype");
  EXPECT_ERROR(arange(0, 1, 1, none), kDType, "no such dtype");
  EXPECT_ERROR(one_hot(int64({0}), 2, none), kDType, "no such dtype");
  EXPECT_ERROR(Tensor::zeros({2}, none), kDType, "no such dtype");
  EXPECT_EQ(name_of(none), "unknown");
}

}  // namespace
}  // namespace wengert
