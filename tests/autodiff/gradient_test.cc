#include "wengert/autodiff/gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <source_location>

#include "tests/autodiff/rows.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// One gradient, dense or a few rows, and what rules that send rows may not do.
namespace wengert {
namespace {

using ::testing::ElementsAre;

/// The error that `body` throws; fails the test when there is none.
Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorKind::kInternal, "none", "none"};
}

TEST(Gradient, OfRowsSortsThemAndAddsThoseOfOneIndex) {
  const Gradient g =
      Gradient::of_rows(Tensor::from<std::int32_t>({3, 0, -1, 3}, {4}),
                        Tensor::from<double>({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2}), {5, 2});
  ASSERT_TRUE(g.is_rows());
  EXPECT_EQ(g.shape(), (Shape{5, 2}));
  EXPECT_THAT(indices_in(g), ElementsAre(0, 3, 4));
  EXPECT_EQ(g.indices().dtype(), DType::kInt64);
  EXPECT_THAT(numbers(g.rows()), ElementsAre(3, 4, 8, 10, 5, 6));
  EXPECT_THAT(numbers(g.dense()), ElementsAre(3, 4, 0, 0, 0, 0, 8, 10, 5, 6));
  EXPECT_EQ(g.describe(), "rows 3 of f64[5,2]");
  EXPECT_EQ(Gradient(g.dense()).describe(), "f64[5,2]");
  EXPECT_EQ(Gradient().describe(), "empty");
}

/// float32 sums that their order decides: the first half's sum plus the second half's.
TEST(Gradient, RowsOfOneIndexAreAddedInHalvesOfTheirOrder) {
  const float big = 1e8f;
  const auto sum = [](const std::vector<float>& terms, std::int64_t height) {
    const auto n = static_cast<std::int64_t>(terms.size());
    return Gradient::of_rows(Tensor::zeros({n}, DType::kInt64), Tensor::from(terms, {n}), {height})
        .rows()
        .at(0);
  };
  for (const std::int64_t height : {1, 1000}) {
    EXPECT_EQ(sum({big, 1, -big, 1}, height), 0);  // (big + 1) + (−big + 1), not 1
    EXPECT_EQ(sum({1, 1, big, -big}, height), 2);
    EXPECT_EQ(sum({1, big, -big}, height), 1);  // 1 + (big − big), not 0
    EXPECT_EQ(sum({big, -big, 3, 4, 5}, height), 12);
  }
}

TEST(Gradient, OfRowsRefusesWhatDoesNotFit) {
  const Tensor two = Tensor::zeros({2, 3}, DType::kFloat32);
  const auto of = [](const Tensor& indices, const Tensor& rows, const Shape& shape) {
    return error_of([&] { (void)Gradient::of_rows(indices, rows, shape); });
  };
  EXPECT_EQ(of(indices_of({0, 1}), two, {5, 4}).message(),
            "rows f32[2,3] at indices i64[2] of a value [5,4]");
  EXPECT_EQ(of(indices_of({0}), two, {5, 3}).kind(), ErrorKind::kShape);
  EXPECT_EQ(of(indices_of({0, 1}), two, {}).kind(), ErrorKind::kShape);
  EXPECT_EQ(of(Tensor::zeros({2}), two, {5, 3}).message(),
            "indices must be int32 or int64, got f32[2]");
  EXPECT_EQ(of(indices_of({0, 1}), Tensor::zeros({2, 3}, DType::kInt32), {5, 3}).kind(),
            ErrorKind::kDType);
  EXPECT_EQ(of(indices_of({0, 5}), two, {5, 3}).message(),
            "index 5 at position 1 is out of range for size 5");
  EXPECT_EQ(of(indices_of({-6, 0}), two, {5, 3}).kind(), ErrorKind::kIndex);
  const Gradient dense = Var(two);
  EXPECT_EQ(error_of([&] { (void)dense.rows(); }).message(), "a dense gradient has no rows");
  EXPECT_EQ(error_of([&] { (void)dense.indices(); }).message(), "a dense gradient has no indices");
}

TEST(Gradient, SumsAreRowsWhereBothAre) {
  const auto rows = [](const Indices& indices, const std::vector<double>& values) {
    return Gradient::of_rows(indices_of(indices),
                             Tensor::from(values, {static_cast<std::int64_t>(values.size())}), {6});
  };
  const Gradient a = rows({1, 4}, {1, 2}), b = rows({5, 4, 0}, {8, 16, 32});
  Gradient sum = a;
  sum += b;
  ASSERT_TRUE(sum.is_rows());
  EXPECT_THAT(indices_in(sum), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(numbers(sum.rows()), ElementsAre(32, 1, 18, 8));
  EXPECT_THAT(numbers(a.rows()), ElementsAre(1, 2));  // shared by nobody's sum
  const Gradient dense = Var(Tensor::full({6}, 0.5, DType::kFloat64));
  Gradient left = a, right = dense;
  left += dense;
  right += a;
  for (const Gradient& mixed : {left, right}) {
    EXPECT_FALSE(mixed.is_rows());
    EXPECT_THAT(numbers(mixed.dense()), ElementsAre(.5, 1.5, .5, .5, 2.5, .5));
  }
  EXPECT_THAT(numbers(dense.dense()), ::testing::Each(0.5));
  sum *= 2;
  EXPECT_TRUE(sum.is_rows());
  EXPECT_THAT(numbers(sum.rows()), ElementsAre(64, 2, 36, 16));
  Gradient none;
  none += a;
  EXPECT_THAT(indices_in(none), ElementsAre(1, 4));
  none += Gradient();
  EXPECT_THAT(indices_in(none), ElementsAre(1, 4));
  EXPECT_EQ(error_of([&] { none += Var(Tensor::zeros({6})); }).kind(), ErrorKind::kDType);
  EXPECT_EQ(error_of([&] { none += Var(Tensor::zeros({5}, DType::kFloat64)); }).message(),
            "the sum of rows 2 of f64[6] and f64[5]");
}

// ---------------------------------------------------------------------------- wrong rules

struct WrongRows {
  const char* name;
  void (*vjp)(VjpContext&);
  const char* message;
};

Var rows_of(const Shape& shape, DType dtype = DType::kFloat64) {
  return Tensor::zeros(shape, dtype);
}

const WrongRows kWrongRows[] = {{"shape",
                                 [](VjpContext& c) {
                                   c.add_rows(0, indices_of({0, 1}), rows_of({2, 3}));
                                 },
                                 "its vjp adds rows to input 0, f64[4,2]: f64[2,3] at i64[2]"},
                                {"count",
                                 [](VjpContext& c) {
                                   c.add_rows(0, indices_of({0}), rows_of({2, 2}));
                                 },
                                 "its vjp adds rows to input 0, f64[4,2]: f64[2,2] at i64[1]"},
                                {"dtype",
                                 [](VjpContext& c) {
                                   c.add_rows(0, indices_of({0}), rows_of({1, 2}, DType::kFloat32));
                                 },
                                 "its vjp adds rows to input 0, f64[4,2]: f32[1,2] at i64[1]"},
                                {"indices",
                                 [](VjpContext& c) {
                                   c.add_rows(0, rows_of({1}), rows_of({1, 2}));
                                 },
                                 "its vjp adds rows to input 0, f64[4,2]: f64[1,2] at f64[1]"},
                                {"position",
                                 [](VjpContext& c) {
                                   c.add_rows(0, indices_of({0, 4}), rows_of({2, 2}));
                                 },
                                 "its vjp adds rows to input 0, f64[4,2], at position 4"},
                                {"input",
                                 [](VjpContext& c) {
                                   c.add_rows(3, indices_of({0}), rows_of({1, 2}));
                                 },
                                 "its vjp asks for input 3 of 1"}};

class WrongRowsTest : public ::testing::TestWithParam<WrongRows> {};

TEST_P(WrongRowsTest, NameTheRecord) {
  OpDef op;
  op.name = "test_rows";
  op.differentiable = kAllInputs;
  op.infer = [](InferContext& call) { call.output_view(0, call.shape(0), call.strides(0)); };
  op.vjp = GetParam().vjp;
  const Tape tape;
  const Var x = variable(Tensor::zeros({4, 2}, DType::kFloat64));
  const Var y = apply(op, x, std::source_location::current());
  const Error error = error_of([&] { (void)backward(sum(y)); });
  EXPECT_EQ(error.kind(), ErrorKind::kInternal);
  EXPECT_EQ(error.op(), "test_rows");
  EXPECT_EQ(error.message(), GetParam().message);
}

TEST(WrongRows, AreRefusedWhereNoneAreTaken) {
  OpDef op;
  op.name = "test_rows";
  op.differentiable = kAllInputs;
  op.infer = [](InferContext& call) { call.output_view(0, call.shape(0), call.strides(0)); };
  op.vjp = [](VjpContext& c) { c.add_rows(0, indices_of({0}), rows_of({1, 2})); };
  const Tape tape;
  const Var x = variable(Tensor::zeros({4, 2}, DType::kFloat64));
  const Var y = apply(op, x, std::source_location::current());
  EXPECT_EQ(error_of([&] { (void)grad(sum(y), x); }).message(),
            "its vjp adds rows to input 0, which takes none");
}

INSTANTIATE_TEST_SUITE_P(Records, WrongRowsTest, ::testing::ValuesIn(kWrongRows),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace wengert
