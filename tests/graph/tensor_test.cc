#include "wengert/graph/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "tests/graph/errors.h"

namespace wengert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor every_second(const Tensor& whole) {
  detail::retain(whole.storage());
  return Tensor::from_storage(whole.storage(), const_cast<std::byte*>(whole.data()), whole.dtype(),
                              {whole.element_count() / 2}, {2});
}

TEST(Tensor, HoldsWhatItIsGiven) {
  const Tensor t = Tensor::from({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, {2, 3});
  EXPECT_EQ(t.dtype(), DType::kFloat32);
  EXPECT_EQ(t.shape(), (Shape{2, 3}));
  EXPECT_EQ(t.strides(), (Strides{3, 1}));
  EXPECT_EQ(t.size(-1), 3);
  EXPECT_EQ(t.at(4), 5);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data()) % 64, 0u);
  EXPECT_THAT(t.to_vector<int>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(Tensor::scalar(true).dtype(), DType::kBool);
  EXPECT_EQ(Tensor::scalar(std::uint8_t{7}).item<std::uint8_t>(), 7);
  EXPECT_EQ(Tensor::full({2}, 3.0, DType::kInt64).at(1), 3);
  EXPECT_EQ(Tensor().item<float>(), 0.f);
}

TEST(Tensor, ZeroSizesAreTensorsToo) {
  const Tensor t = Tensor::zeros({2, 0, 3}, DType::kFloat64);
  EXPECT_EQ(t.element_count(), 0);
  EXPECT_TRUE(t.is_dense());
  EXPECT_EQ(t.str(), "f64[2,0,3] []");
  EXPECT_TRUE(t.to_vector<double>().empty());
  EXPECT_EQ(t.clone().shape(), t.shape());
  EXPECT_EQ(Tensor::zeros({1 << 30, 1 << 30, 0}, DType::kFloat32).element_count(), 0);
  // The other sizes must be countable all the same: strides and views are worked out from them.
  EXPECT_ERROR(Tensor::zeros({1 << 30, 1 << 30, 1 << 30, 0}, DType::kFloat32), kShape,
               "the product of [1073741824,1073741824,1073741824,0] overflows 64 bits");
}

TEST(Tensor, BadShapesAreErrorsNotAllocations) {
  const std::int64_t big = std::int64_t{1} << 32;
  EXPECT_ERROR(Tensor::empty({2, -1}, DType::kFloat32), kShape, "negative size in [2,-1]");
  EXPECT_ERROR(Tensor::empty({big, big}, DType::kUint8), kShape,
               "the product of [4294967296,4294967296] overflows 64 bits");
  EXPECT_ERROR(Tensor::empty({std::int64_t{1} << 61}, DType::kFloat64), kShape,
               "f64[2305843009213693952] needs more than 2⁶³ − 1 bytes");
  EXPECT_ERROR(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), kShape, "more than 8 dimensions");
  EXPECT_ERROR(
      Tensor::empty({std::int64_t{1} << 62}, DType::kUint8), kMemory,
      "the system has no memory left for u8[4611686018427387904], 4611686018427387904 bytes");
  EXPECT_ERROR(Tensor::from({1.f, 2.f}, {3}), kShape, "2 values for shape [3] of 3 elements");
}

TEST(Tensor, ItemAndSpansCheckWhatIsAsked) {
  const Tensor t = Tensor::from({1.0, 2.0}, {2});
  EXPECT_ERROR(t.item<double>(), kShape, "f64[2] has 2 elements, not 1");
  EXPECT_ERROR(Tensor::scalar(1.0).item<float>(), kDType, "asked for float32 of f64[]");
  EXPECT_ERROR(t.span<float>(), kDType, "asked for float32 elements of f64[2]");
  EXPECT_ERROR(every_second(t).reshaped({2}), kShape, "f64[1] cannot become [2]");
  EXPECT_ERROR(t.at(2), kIndex, "element 2 of f64[2]");
  EXPECT_ERROR(t.size(1), kAxis, "axis 1 of f64[2]");
  EXPECT_ERROR(t.rows(1, 3), kIndex, "rows 1 to 3 of f64[2]");
  EXPECT_EQ(Tensor::scalar(std::int64_t{5}).scalar_value(), 5);
}

TEST(Tensor, StridedViewsReadThroughTheirStrides) {
  const Tensor whole = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {6});
  const Tensor view = every_second(whole);
  EXPECT_FALSE(view.is_dense());
  EXPECT_THAT(view.to_vector<double>(), ElementsAre(1, 3, 5));
  EXPECT_ERROR(view.span<double>(), kValue,
               "f64[3] is a strided view, its elements are not in a row");
  const Tensor dense = view.contiguous();
  EXPECT_THAT(dense.span<double>(), ElementsAre(1, 3, 5));
  EXPECT_NE(dense.storage(), whole.storage());
  EXPECT_EQ(whole.contiguous().storage(), whole.storage());
  EXPECT_THAT(whole.rows(2, 5).to_vector<double>(), ElementsAre(3, 4, 5));
  EXPECT_EQ(whole.rows(2, 5).storage(), whole.storage());
}

TEST(Tensor, ConversionsAreDefinedEverywhere) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor t = Tensor::from({nan, 1e300, -1e300, 2.9, -2.9, 0.0}, {6});
  EXPECT_THAT(t.to(DType::kInt32).to_vector<std::int32_t>(),
              ElementsAre(0, 2147483647, -2147483648, 2, -2, 0));
  EXPECT_THAT(t.to(DType::kUint8).to_vector<int>(), ElementsAre(0, 255, 0, 2, 0, 0));
  EXPECT_THAT(t.to(DType::kBool).to_vector<bool>(),
              ElementsAre(true, true, true, true, true, false));
  EXPECT_TRUE(std::isinf(t.to(DType::kFloat32).at(1)));
}

TEST(Tensor, UserMemoryIsViewedNotCopiedAndReleasedOnce) {
  std::vector<float> memory = {1, 2, 3, 4};
  int released = 0;
  {
    const Tensor view = Tensor::view_of(
        memory.data(), {2, 2}, [](void* count) { ++*static_cast<int*>(count); }, &released);
    EXPECT_EQ(static_cast<const void*>(view.data()), memory.data());
    memory[3] = 40;
    EXPECT_EQ(view.at(3), 40);
    const Tensor row = view.rows(1, 2);
    EXPECT_EQ(released, 0);
    std::thread([row] { EXPECT_EQ(row.at(0), 3); }).join();
  }
  EXPECT_EQ(released, 1);
  // Any alignment of the type's own will do.
  const Tensor odd = Tensor::view_of(memory.data() + 1, {3});
  EXPECT_EQ(odd.at(0), 2);
}

TEST(Tensor, MemoryOfTheUsersIsNeverTakenForTheLibrarysOwn) {
  // The header of the view goes into the hole right in front of the user's memory, where the
  // elements of a block of our own would lie.
  int released = 0;
  void* hole = std::malloc(sizeof(detail::Storage));
  auto* memory = static_cast<float*>(std::malloc(4096));
  std::free(hole);
  {
    const Tensor view = Tensor::view_of(
        memory, {1024}, [](void* count) { ++*static_cast<int*>(count); }, &released);
  }
  EXPECT_EQ(released, 1);
  const Tensor other = Tensor::empty({1024}, DType::kFloat32);
  EXPECT_NE(static_cast<const void*>(other.data()), static_cast<const void*>(memory));
  std::free(memory);
}

TEST(Tensor, PrintsShortAndReadable) {
  EXPECT_EQ(Tensor::scalar(1.5f).str(), "f32[] 1.5");
  EXPECT_EQ(Tensor::scalar(std::int64_t{9007199254740993}).str(), "i64[] 9007199254740993");
  EXPECT_EQ(Tensor::scalar(std::int64_t{-9223372036854775807}).str(), "i64[] -9223372036854775807");
  EXPECT_EQ(Tensor::from({1, 2, 3}, {3}).str(), "i32[3] [1, 2, 3]");
  EXPECT_EQ(Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 2}).str(), "f64[2,2]\n[[1, 2],\n [3, 4]]");
  EXPECT_EQ(Tensor::full({2}, 1, DType::kBool).str(), "bool[2] [true, true]");
  const std::string large = Tensor::zeros({1000, 1000}, DType::kFloat32).str();
  EXPECT_LT(large.size(), 400u);
  EXPECT_THAT(large, HasSubstr("0, 0, 0, …, 0, 0, 0"));
}

TEST(Tensor, SavesNoTimeOnLargeIntegers) {
  const std::int64_t big = (std::int64_t{1} << 62) + 1;
  EXPECT_EQ(Tensor::scalar(big).item<std::int64_t>(), big);
  EXPECT_EQ(Tensor::from<std::int64_t>({big}, {1}).to_vector<std::int64_t>()[0], big);
}

}  // namespace
}  // namespace wengert
