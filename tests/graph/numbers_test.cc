#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using ::testing::HasSubstr;

TEST(Numbers, TakeTheDtypeOfTheTensorBesideThem) {
  const Tensor f32 = Tensor::from({1.f, 2.f}, {2}), f64 = Tensor::from({1.0, 2.0}, {2});
  const Tensor i32 = Tensor::from({1, 2}, {2});
  EXPECT_EQ((Var(f32) * 2.0).dtype(), DType::kFloat32);
  EXPECT_EQ((Var(f64) * 2.f).dtype(), DType::kFloat64);
  EXPECT_EQ((Var(f64) * 2).dtype(), DType::kFloat64);
  EXPECT_EQ((3 - Var(i32)).dtype(), DType::kInt32);
  EXPECT_EQ((3 - Var(i32)).value().at(1), 1);
  EXPECT_EQ((2.0 * Var(i32)).value().at(1), 4);  // a whole number is one, however it is written
  EXPECT_EQ((0.1 * Var(f64)).value().at(0), 0.1);
  EXPECT_EQ((0.1 * Var(f32)).value().at(0), static_cast<double>(0.1f));
}

TEST(Numbers, AloneTheyAreFloat32OrInt64) {
  EXPECT_EQ(Var(2.5).dtype(), DType::kFloat32);
  EXPECT_EQ(Var(2).dtype(), DType::kInt64);
  EXPECT_EQ(add(1, 2).dtype(), DType::kInt64);
  EXPECT_EQ(add(1, 2).value().item<std::int64_t>(), 3);
  EXPECT_EQ(add(1, 2.5).dtype(), DType::kFloat32);
  EXPECT_EQ(add(1, 2.5).scalar_value(), 3.5);
  EXPECT_EQ(variable(2.5).dtype(), DType::kFloat64);
  EXPECT_EQ(variable(2.5f).dtype(), DType::kFloat32);
}

TEST(Numbers, StayNumbersThroughArithmeticAmongThemselves) {
  const Tensor f64 = Tensor::from({1.0, 2.0}, {2}), f32 = Tensor::from({1.f, 2.f}, {2});
  const Var product = Var(0.1) * Var(0.2), sine = sin(Var(.5)), third = 1 - Var(2) / 3.0;
  EXPECT_EQ((product * f64).value().at(0), 0.1 * 0.2);
  EXPECT_EQ((product * f32).value().at(0), static_cast<double>(static_cast<float>(0.1 * 0.2)));
  EXPECT_NEAR((sine * f64).value().at(0), std::sin(.5), 1e-16);
  EXPECT_EQ((third * f64).value().at(0), 1 - 2 / 3.0);
  EXPECT_EQ((Var(1) + 2 + Tensor::from({1, 2}, {2})).value().at(1), 5);
  const Tape tape;
  const Var y = (Var(2) * 3.5 + 1) * variable(2.0);
  EXPECT_EQ(tape.size(), 3u);  // the variable, one constant and the product
  EXPECT_EQ(y.scalar_value(), 16);
}

TEST(Numbers, ThatWereCastHaveADtype) {
  const Tensor f64 = Tensor::from({1.0, 2.0}, {2});
  EXPECT_ERROR(cast(2.5, DType::kFloat32) * f64, kDType, "mixed dtypes: f32[] and f64[2]");
  EXPECT_ERROR(cast(2, DType::kInt64) * f64, kDType, "mixed dtypes: i64[] and f64[2]");
  EXPECT_EQ((cast(2.5, DType::kFloat64) * f64).dtype(), DType::kFloat64);
}

TEST(Numbers, BesideBoolsAre0Or1) {
  const Tensor bits = Tensor::from({1, 0}, {2}).to(DType::kBool);
  EXPECT_EQ(logical_and(bits, 1).value().at(0), 1);
  EXPECT_EQ(logical_or(bits, 0).value().at(1), 0);
  for (const int bad : {2, -1}) {
    EXPECT_ERROR(logical_and(bits, bad), kDType,
                 "the number " + std::to_string(bad) + " does not fit into a bool tensor");
  }
  EXPECT_ERROR(logical_and(bits, 0.5), kDType, "the number 0.5 does not fit into a bool tensor");
}

TEST(Numbers, OfOneValueAreOneNode) {
  const Tape tape;
  Var x = variable(0.5);
  for (int i = 0; i < 100; ++i) x = x * 1.0001 + 2;
  EXPECT_EQ(tape.size(), 203u);
  const Var y = cast(x, DType::kFloat32);
  EXPECT_EQ((y * 1.0001).dtype(), DType::kFloat32);  // another dtype is another constant
  EXPECT_EQ(tape.size(), 206u);
}

TEST(Numbers, ThatADtypeCannotHoldAreErrors) {
  const Var i32 = Tensor::from({1, 2}, {2}), u8 = Tensor::full({2}, 1, DType::kUint8);
  EXPECT_ERROR(i32 * 2.5, kDType, "the number 2.5 does not fit into an int32 tensor");
  EXPECT_ERROR(i32 + (std::int64_t{1} << 40), kDType,
               "the number 1099511627776 does not fit into an int32 tensor");
  EXPECT_ERROR(u8 + 256, kDType, "the number 256 does not fit into a uint8 tensor");
  EXPECT_ERROR(u8 - (-1), kDType, "the number -1 does not fit into a uint8 tensor");
  EXPECT_EQ((u8 + 255).value().at(0), 0);  // the sum wraps around, as documented
  const std::int64_t big = (std::int64_t{1} << 62) + 1;
  const Var i64 = Tensor::scalar(std::int64_t{0});
  EXPECT_EQ((i64 + big).value().item<std::int64_t>(), big);
}

TEST(Numbers, HaveNoGradientAndNoPlaceAmongTheLeaves) {
  Tape tape;
  const Var x = variable(3.0);
  const Var y = 2.0 * x + 1;
  EXPECT_EQ(backward(y, {.retain = true}).entries().size(), 1u);
  EXPECT_EQ(backward(y * 1.0)[x].scalar_value(), 2);
}

TEST(Dtypes, DoNotMix) {
  const Var f32 = Tensor::zeros({2, 3}, DType::kFloat32), f64 = Tensor::zeros({3}, DType::kFloat64);
  try {
    (void)(f32 + f64);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDType);
    EXPECT_THAT(error.what(), HasSubstr("f32[2,3]"));
    EXPECT_THAT(error.what(), HasSubstr("f64[3]"));
    EXPECT_THAT(error.what(), HasSubstr("cast("));
  }
  EXPECT_THROW((void)matmul(f32, reshape(f64, {3, 1})), Error);
}

TEST(Dtypes, OnlyFloatingOnesHaveGradients) {
  EXPECT_ERROR(variable(Tensor::from({1, 2}, {2})), kDType,
               "gradients exist for float32 and float64, not for i32[2]");
  Tape tape;
  const Var x = variable(2.0);
  const Var is_more = greater(x, 1.0);
  EXPECT_EQ(is_more.dtype(), DType::kBool);
  EXPECT_FALSE(is_more.requires_grad());
  EXPECT_ERROR(backward(is_more), kDType, "cannot differentiate bool[]");
  const Var count = Tensor::scalar(std::int64_t{3});
  EXPECT_ERROR(backward(count + 1), kDType, "cannot differentiate i64[]");
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 4);
}

TEST(Shapes, ThatDoNotBroadcastAreErrorsNamingBoth) {
  const Var a = Tensor::zeros({2, 3}, DType::kFloat32), b = Tensor::zeros({2}, DType::kFloat32);
  try {
    (void)(a + b);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kShape);
    EXPECT_THAT(error.message(), HasSubstr("f32[2,3]"));
    EXPECT_THAT(error.message(), HasSubstr("f32[2]"));
    EXPECT_EQ(error.op(), "add");
    EXPECT_EQ(error.line(), static_cast<unsigned>(__LINE__ - 7));
  }
}

}  // namespace
}  // namespace wengert
