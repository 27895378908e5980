#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <type_traits>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// How Vars are written down: conditions that are none, assignments, indices, lists, bindings, text.
namespace wengert {
namespace {

using ::testing::ElementsAre;

template <class T>
concept Condition = std::is_constructible_v<bool, T>;
template <class T>
concept Negatable = requires(T a) {
  !a;
};
template <class T>
concept Conjoinable = requires(T a) {
  a&& a;
};
template <class T>
concept Choosing = requires(T a) {
  a ? 1 : 2;
};

// Named or not, a Var chooses no branch: if (x > 5) and Var c = x > 5; if (c) do not compile.
static_assert(!Condition<Var> && !Condition<Var&> && !Condition<const Var&>);
static_assert(!Negatable<Var> && !Negatable<Var&>);
static_assert(!Conjoinable<Var> && !Conjoinable<Var&>);
static_assert(!Choosing<Var> && !Choosing<Var&>);
static_assert(Condition<bool> && Negatable<bool> && Conjoinable<bool> && Choosing<bool>);

std::vector<double> values(const Var& x) { return x.value().to_vector<double>(); }

TEST(Var, IsEmptyUntilItNamesAValue) {
  Var x;
  EXPECT_FALSE(x.has_value());
  x = Var(false);
  EXPECT_TRUE(x.has_value());
  const Var y = std::move(x);
  EXPECT_FALSE(x.has_value());
  EXPECT_TRUE(y.has_value());
}

TEST(Assignment, ComputesAndRecords) {
  Tape tape;
  const Var x = variable(3.0);
  Var y = x;
  y += 1.0;    // 4
  y *= x;      // 12
  y -= 4 * x;  // 0
  y += x;      // 3
  y /= 2;      // 1.5
  EXPECT_EQ(y.scalar_value(), 1.5);
  EXPECT_EQ(x.scalar_value(), 3) << "another handle names what it named";
  EXPECT_EQ(grad(y, x).scalar_value(), 2) << "y = (x² − 2x)/2";
  Var total = 0;
  for (int i = 1; i <= 3; ++i) total += i * x;
  EXPECT_EQ(grad(total * total, x).scalar_value(), 2 * 36 * 3);
}

TEST(Assignment, KeepsTheHandleWhereItFails) {
  Var x = Tensor::from({1.0, 2.0}, {2});
  unsigned line = 0;
  try {
    line = __LINE__ + 1;
    x += Tensor::from({1.0, 2.0, 3.0}, {3});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.line(), line) << error.what();
  }
  EXPECT_THAT(values(x), ElementsAre(1, 2));
}

TEST(Index, IsAViewAlongTheFirstAxis) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {3, 2}));
  EXPECT_THAT(values(x[0]), ElementsAre(1, 2));
  EXPECT_THAT(values(x[-1]), ElementsAre(5, 6));
  EXPECT_THAT(values(x[std::size_t{1}]), ElementsAre(3, 4));
  EXPECT_EQ(x[2][-2].scalar_value(), 5);
  EXPECT_EQ(x[2][1].rank(), 0);
  EXPECT_THAT(values(transpose(x)[1]), ElementsAre(2, 4, 6));
  EXPECT_EQ(x[1].value().storage(), x.value().storage()) << "no element is copied";
  const Var y = x[1] * x[1];
  EXPECT_THAT(values(grad(sum(y), x)), ElementsAre(0, 0, 6, 8, 0, 0));
  EXPECT_EQ(tape.node(x[0].get()->id).op, find_op("squeeze"));
}

TEST(Index, OutsideIsAnErrorAtItsLine) {
  const Var x = Tensor::from({1.0, 2.0, 3.0}, {3});
  EXPECT_ERROR(x[3], kIndex, "index 3 of f64[3]");
  EXPECT_ERROR(x[-4], kIndex, "index -4 of f64[3]");
  EXPECT_ERROR(x[0][0], kAxis, "f64[] has no axis to index");
  EXPECT_ERROR(zeros({0, 2})[0], kIndex, "index 0 of f32[0,2]");
  EXPECT_ERROR(Var()[0], kGraph, "this Var is empty (default constructed or moved from)");
  try {
    (void)x[7];
  } catch (const Error& error) {
    EXPECT_EQ(error.line(), static_cast<unsigned>(__LINE__ - 2)) << error.what();
    EXPECT_EQ(error.fix(), "indices go from -3 to 2");
  }
}

TEST(Lists, AreWrittenInBraces) {
  ParameterSet parameters;
  Parameter& w = parameters.add("w", Tensor::from({5.0}, {1}));
  Tape tape;
  const Var a = variable(Tensor::from({1.0, 2.0}, {2})), b = variable(Tensor::from({3.0}, {1}));
  EXPECT_THAT(values(concat({a, b, w})), ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(values(stack({a, a + 1.0}, 1)), ElementsAre(1, 2, 2, 3));
  EXPECT_EQ(einsum("i,i->", {a, a}).scalar_value(), 5);
  const std::vector<Var> list = {b, a};
  EXPECT_THAT(values(concat(list)), ElementsAre(3, 1, 2));
  EXPECT_THAT(values(concat(std::span(list).first(1))), ElementsAre(3));
  const auto [da, dw] = grad(sum(concat({a, w}) * 2.0), {a, w});
  EXPECT_THAT(values(da), ElementsAre(2, 2));
  EXPECT_THAT(values(dw), ElementsAre(2));
}

TEST(Bindings, OfGradientsAndOfOpsWithSeveralOutputs) {
  Tape tape;
  const Var a = variable(2.0), b = variable(3.0);
  const Var y = a * a * b;
  const auto [da, db] = grad(y, {a, b}, {.create_graph = true});
  static_assert(std::is_same_v<decltype(grad(y, {a, b})), std::array<Var, 2>>);
  EXPECT_EQ(da.scalar_value(), 12);
  EXPECT_EQ(db.scalar_value(), 4);
  const auto [daa, dab] = grad(da, {a, b}, {.retain = true});
  EXPECT_EQ(daa.scalar_value(), 6);
  EXPECT_EQ(dab.scalar_value(), 4);
  const auto [sum_a, sum_b] = grad({y, a + b}, {a, b}, {10.0, 1.0});
  EXPECT_EQ(sum_a.scalar_value(), 121);
  EXPECT_EQ(sum_b.scalar_value(), 41);

  const Var x = variable(Tensor::from({3.0, 1.0, 2.0}, {3}));
  const auto [sorted, order] = sort(x);
  EXPECT_THAT(values(sorted), ElementsAre(1, 2, 3));
  EXPECT_THAT(values(order), ElementsAre(1, 2, 0));
  const auto [best, places] = topk(x, 1);
  EXPECT_THAT(values(places), ElementsAre(0));
  EXPECT_THAT(values(grad(sum(best), x)), ElementsAre(1, 0, 0));
}

TEST(Text, IsStreamed) {
  std::ostringstream out;
  const Var x = Tensor::from({1.5, 2.0}, {2});
  out << x << " | " << x.value() << " | " << x.shape() << " | " << x.dtype() << " | " << Var();
  EXPECT_EQ(out.str(), "f64[2] [1.5, 2] | f64[2] [1.5, 2] | [2] | float64 | empty");
}

TEST(Hooks, KeepWhatTheyCaptureUntilTheTapeEnds) {
  auto seen = std::make_shared<std::vector<double>>();
  {
    Tape tape;
    const Var x = variable(2.0);
    tape.name(x, "x");
    on_gradient("x", [seen](const Tensor& g) { seen->push_back(g.scalar_value()); });
    for (const double factor : {3.0, 5.0}) EXPECT_EQ(grad(x * factor, x).scalar_value(), factor);
    EXPECT_THAT(*seen, ElementsAre(3, 5));
    EXPECT_EQ(seen.use_count(), 2);
  }
  EXPECT_EQ(seen.use_count(), 1);
}

}  // namespace
}  // namespace wengert
