#include "wengert/autodiff/backward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/graph/errors.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using ::testing::ElementsAre;

TEST(Backward, SeveralGradientsFromOneTape) {
  Tape tape;
  const Var x = variable(2.0), z = variable(3.0), unused = variable(1.0);
  const Var y = x * x * z;
  const Gradients gradients = backward(y);
  EXPECT_EQ(gradients[x].scalar_value(), 12);
  EXPECT_EQ(gradients[z].scalar_value(), 4);
  EXPECT_EQ(gradients[unused].scalar_value(), 0);
  EXPECT_EQ(gradients.entries().size(), 2u);
  EXPECT_ERROR(gradients[y], kGraph, "not a variable or parameter");
  EXPECT_ERROR(gradients[Var()], kGraph, "an empty Var");
}

TEST(Backward, AfterOneThatFailedSaysSo) {
  Tape tape;
  const Var x = variable(0.5);
  const Var h = exp(x);
  const Var y = exp(h);
  tape.name(h, "h");
  on_gradient("h", [](const Tensor&) { throw std::runtime_error("the hook's own"); });
  EXPECT_THROW((void)backward(y), std::runtime_error);
  EXPECT_ERROR(backward(y), kGraph,
               "its saved values were given back by an earlier backward that ended in an error");
  const Var again = exp(x);
  EXPECT_EQ(backward(again)[x].scalar_value(), again.scalar_value());
}

TEST(Backward, AVariableThatNoOpHasUsedCanBeNamed) {
  Tape tape;
  const Var x = variable(2.0);
  tape.name(x, "x");
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 4);
  EXPECT_EQ(tape.find("x"), 0u);
}

TEST(Grad, OfALinearFunctionTwiceIsZero) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  for (const Var& y : {sum(x * 3.0), sum(x + x), sum(x)}) {
    const Var dy = grad(y, x, {.create_graph = true});
    const Var seed = Tensor::from({1.0, 1.0}, {2});
    const Var ddy = grad({dy}, {x}, {seed}, {.create_graph = true})[0];
    EXPECT_THAT(ddy.value().to_vector<double>(), ElementsAre(0, 0));
    EXPECT_THAT(grad({ddy}, {x}, {seed})[0].value().to_vector<double>(), ElementsAre(0, 0));
  }
  const Var unrecorded = grad(sum(x * x), x);
  EXPECT_ERROR(grad(unrecorded, x), kGraph, "this Var was not recorded on the tape");
  EXPECT_ERROR(grad(sum(unrecorded), x), kGraph, "f64[] depends on no variable or parameter");
}

TEST(Backward, TwiceNeedsRetain) {
  Tape tape;
  const Var x = variable(0.5);
  const Var y = exp(x * x);
  const double first = backward(y, {.retain = true})[x].scalar_value();
  const double second = backward(y, {.retain = true})[x].scalar_value();
  EXPECT_EQ(first, second);
  EXPECT_EQ(backward(y)[x].scalar_value(), first);
  EXPECT_ERROR(backward(y), kGraph, "its saved values were given back by an earlier backward");
  // The tape itself is fine.
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 1);
}

TEST(Backward, SeveralLossesOverSharedParts) {
  Tape tape;
  const Var x = variable(2.0);
  const Var shared = x * x;
  const Var a = shared * 3.0, b = exp(shared);
  EXPECT_EQ(backward(a, {.retain = true})[x].scalar_value(), 12);
  EXPECT_DOUBLE_EQ(backward(b, {.retain = true})[x].scalar_value(), 4 * std::exp(4.0));
  EXPECT_DOUBLE_EQ(backward(a + b)[x].scalar_value(), 12 + 4 * std::exp(4.0));
}

TEST(Backward, DiamondsAndRepeatedArgumentsAddUp) {
  Tape tape;
  const Var x = variable(3.0);
  EXPECT_EQ(backward(x + x)[x].scalar_value(), 2);
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 6);
  EXPECT_EQ(backward(x - x)[x].scalar_value(), 0);
  const Var left = x * 2.0, right = x * 5.0;
  EXPECT_EQ(backward(left * right)[x].scalar_value(), 60);
  Var doubled = x;
  for (int i = 0; i < 50; ++i) doubled = doubled + doubled;
  EXPECT_EQ(backward(doubled)[x].scalar_value(), std::ldexp(1.0, 50));
}

TEST(Backward, ALeafCanBeTheLoss) {
  Tape tape;
  const Var x = variable(3.0);
  const Var y = x * 1.0;
  EXPECT_EQ(backward(y)[x].scalar_value(), 1);
  EXPECT_EQ(grad(x, x).scalar_value(), 1);
  EXPECT_EQ(backward(x)[x].scalar_value(), 1);
}

TEST(Backward, BroadcastOperandsGetSums) {
  Tape tape;
  const Var a = variable(Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {2, 3}));
  const Var row = variable(Tensor::from({1.0, 10.0, 100.0}, {3}));
  const Var column = variable(Tensor::from({1.0, -1.0}, {2, 1}));
  const Gradients gradients = backward(sum(a * row * column));
  EXPECT_THAT(gradients[a].value().to_vector<double>(), ElementsAre(1, 10, 100, -1, -10, -100));
  EXPECT_THAT(gradients[row].value().to_vector<double>(), ElementsAre(-3, -3, -3));
  EXPECT_THAT(gradients[column].value().to_vector<double>(), ElementsAre(321, 654));
  EXPECT_EQ(gradients[column].shape(), (Shape{2, 1}));
}

TEST(Backward, WhatItCannotDifferentiateIsAnErrorAndTheTapeLivesOn) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  const Var y = x * x;
  EXPECT_ERROR(backward(y), kShape, "needs a scalar, got f64[2]");
  EXPECT_ERROR(backward(Var()), kGraph, "the value to differentiate is an empty Var");
  EXPECT_ERROR(backward(sum(y.value())), kGraph, "f64[] depends on no variable or parameter");
  EXPECT_ERROR(backward(Tensor::scalar(1.0)), kGraph, "this Var was not recorded on the tape");
  const Var constant = Var(Tensor::scalar(2.0)) * 3.0;
  EXPECT_ERROR(backward(constant), kGraph, "f64[] depends on no variable or parameter");
  EXPECT_ERROR(grad(sum(y), Var(Tensor::scalar(1.0))), kGraph,
               "this Var was not recorded on the tape");
  const Var wrong_shape = Tensor::scalar(1.0), wrong_dtype = Tensor::zeros({2}, DType::kFloat32);
  EXPECT_ERROR(grad({y}, {x}, {wrong_shape}), kShape, "the cotangent is f64[] for a value f64[2]");
  EXPECT_ERROR(grad({y}, {x}, {wrong_dtype}), kDType, "the cotangent is f32[2] for a value f64[2]");
  EXPECT_THAT(backward(sum(y))[x].value().to_vector<double>(), ElementsAre(2, 4));
}

TEST(Grad, ReachesIntermediateValues) {
  Tape tape;
  const Var x = variable(2.0);
  const Var h = x * x;
  const Var y = h * h * x;
  const Var xs[] = {h, x, y};
  const auto gradients = grad({y}, xs, {}, {.retain = true});
  EXPECT_EQ(gradients[0].scalar_value(), 2 * 4 * 2);
  EXPECT_EQ(gradients[1].scalar_value(), 5 * 16);
  EXPECT_EQ(gradients[2].scalar_value(), 1);
  EXPECT_EQ(grad(y, h).scalar_value(), 16);
}

TEST(Grad, VectorJacobianProductsAndSeveralRoots) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  const Var ys[] = {x * x, sum(x)};
  const Var us[] = {Tensor::from({10.0, 100.0}, {2}), Var()};  // an empty one means 1
  EXPECT_THAT(grad(ys, {x}, us)[0].value().to_vector<double>(), ElementsAre(21, 401));
  EXPECT_ERROR(grad(ys, {x}, {us[0]}), kValue, "1 cotangents for 2 values");
}

TEST(Grad, OfWhatIsNotReachedIsZero) {
  Tape tape;
  const Var x = variable(2.0), z = variable(Tensor::from({1.f, 2.f}, {2}));
  const Var y = x * x;
  const Var unrelated = z * 2.0;
  EXPECT_EQ(grad(y, z, {.retain = true}).shape(), Shape{2});
  EXPECT_EQ(grad(y, unrelated, {.retain = true}).dtype(), DType::kFloat32);
  const Var never_used = variable(1.0);
  EXPECT_EQ(grad(y, never_used).scalar_value(), 0);
}

TEST(Grad, LeavesTheRestOfTheTapeAlone) {
  // Only what lies between x and y is swept: the other branch keeps its saved values.
  Tape tape;
  const Var x = variable(2.0), z = variable(3.0);
  const Var other = exp(z);
  const Var y = x * x + other;
  EXPECT_EQ(grad(y, x).scalar_value(), 4);
  EXPECT_DOUBLE_EQ(backward(other * 1.0)[z].scalar_value(), std::exp(3.0));
}

TEST(Grad, ADetachedValueCarriesNone) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = x * Var((x * x).value());
  EXPECT_EQ(backward(y)[x].scalar_value(), 4);
}

TEST(Grad, StopGradientIsAConstantInEveryOrder) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = x * stop_gradient(x * x);
  EXPECT_EQ(y.scalar_value(), 8);
  const Var g = grad(y, x, {.create_graph = true});
  EXPECT_EQ(g.scalar_value(), 4);
  EXPECT_FALSE(g.requires_grad() && grad(g, x).scalar_value() != 0);
  EXPECT_FALSE(stop_gradient(x).requires_grad());
}

TEST(Grad, AZeroCotangentWinsOverInfinity) {
  Tape tape;
  const Var x = variable(0.0);
  const Var inverse = 1.0 / x;
  for (const bool create : {false, true}) {
    EXPECT_EQ(grad(inverse * 0.0, x, {.create_graph = create, .retain = true}).scalar_value(), 0);
  }
  const Var safe = where(greater(x, 0.0), inverse, x * 3.0);
  EXPECT_EQ(grad(safe, x, {.retain = true}).scalar_value(), 3);
  const Var g = grad(safe, x, {.create_graph = true});
  EXPECT_EQ(g.scalar_value(), 3);
  EXPECT_EQ(grad(g * g, x).scalar_value(), 0);
}

TEST(Hooks, SeeTheWholeGradientOfANamedValue) {
  std::vector<double> seen;
  const auto note = [&seen](const Tensor& g) { seen.push_back(g.scalar_value()); };
  const Var x = variable(2.0);
  {
    Tape tape;
    const Var h = x * x;
    tape.name(h, "hidden");
    on_gradient("hidden", note);
    EXPECT_ERROR(on_gradient("nothing", note), kParameter, "no value named 'nothing' on this tape");
    (void)backward(h * 3.0 + h * 4.0, {.retain = true});
    EXPECT_THAT(seen, ElementsAre(7));
    { Tape inner; }
    (void)backward(h * h);
    EXPECT_THAT(seen, ElementsAre(7, 8));
  }
  Tape tape;  // it ended with its tape
  const Var h = x * x;
  (void)backward(h);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Hooks, SurviveTapesInsideAndMayDifferentiate) {
  Tape tape;
  const Var x = variable(2.0);
  const Var h = x * x;
  tape.name(h, "hidden");
  double inside = 0;
  on_gradient("hidden", [&inside](const Tensor& g) {
    Tape inner;
    const Var u = variable(g);
    inside = backward(u * u)[u].scalar_value();
  });
  {
    Tape inner;
    const Var z = variable(1.0);
    inner.name(z * 1.0, "product");
    on_gradient("product", [](const Tensor&) {});
  }
  EXPECT_EQ(backward(h * 5.0)[x].scalar_value(), 20);
  EXPECT_EQ(inside, 10);
}

class Recorder final : public GradientObserver {
 public:
  void on_edge(const Tape&, std::uint32_t consumer, int input, const Gradient& g) override {
    edges.push_back({double(consumer), double(input), g.dense().scalar_value()});
  }
  void on_node(const Tape&, std::uint32_t node, const Gradient& g) override {
    nodes.push_back({double(node), g.dense().scalar_value()});
  }
  std::vector<std::vector<double>> edges, nodes;
};

TEST(Observer, SeesEveryEdgeAndNode) {
  Tape tape;
  const Var x = variable(3.0);  // 0
  const Var square = x * x;     // 1
  const Var y = square + x;     // 2
  Recorder recorder;
  EXPECT_EQ(backward(y, {.observer = &recorder})[x].scalar_value(), 7);
  EXPECT_THAT(recorder.nodes, ElementsAre(ElementsAre(2, 1), ElementsAre(1, 1), ElementsAre(0, 7)));
  EXPECT_THAT(recorder.edges,
              ::testing::UnorderedElementsAre(ElementsAre(2, 0, 1), ElementsAre(2, 1, 1),
                                              ElementsAre(1, 0, 3), ElementsAre(1, 1, 3)));
}

TEST(Grad, OfAFunctionOfADerivativeThatIsConstantIsZero) {
  const Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  const Var slope = grad(sum(3.0 * x), x, {.create_graph = true});
  for (const Var& y : {sum(slope), sum(slope * slope), sum(tanh(slope)), slope[0]}) {
    EXPECT_EQ(grad(y, x, {.retain = true}).value().to_vector<double>(),
              (std::vector<double>{0, 0}));
  }
}

TEST(Grad, ThatShallBeRecordedIsRefusedUnderNoGrad) {
  const Tape tape;
  const Var x = variable(2.0);
  const Var y = x * x;
  {
    const NoGrad off;
    EXPECT_ERROR(grad(y, x, {.create_graph = true}), kGraph,
                 "create_graph records the derivative, but a NoGrad is open");
    EXPECT_EQ(grad(y, x, {.retain = true}).scalar_value(), 4);
    const Tape inner;  // records again
    const Var z = variable(3.0);
    EXPECT_TRUE(grad(z * z, z, {.create_graph = true}).requires_grad());
  }
  EXPECT_TRUE(grad(y, x, {.create_graph = true}).requires_grad());
}

}  // namespace
}  // namespace wengert
