#include "wengert/autodiff/gradient_flow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "wengert/graph/error.h"
#include "wengert/tests/export/model.h"

namespace wengert::export_tests {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(TensorStatistics, CountsAndNorms) {
  const TensorStatistics s =
      statistics_of(Tensor::from<double>({3, -4, 0, kNaN, -kInfinity, -0.0}, {2, 3}));
  EXPECT_EQ(s.count, 6);
  EXPECT_EQ(s.zeros, 2);
  EXPECT_EQ(s.non_finite, 2);
  EXPECT_DOUBLE_EQ(s.l2, 5);
  EXPECT_DOUBLE_EQ(s.max, 4);
  EXPECT_DOUBLE_EQ(s.rms(), 2.5);  // √(25/4)
  EXPECT_DOUBLE_EQ(s.zero_share(), 1.0 / 3);
}

TEST(TensorStatistics, SquaresNeitherOverflowNorVanish) {
  EXPECT_DOUBLE_EQ(statistics_of(Tensor::from<double>({3e200, 4e200}, {2})).l2, 5e200);
  EXPECT_DOUBLE_EQ(statistics_of(Tensor::from<double>({3e-200, 4e-200}, {2})).l2, 5e-200);
  EXPECT_DOUBLE_EQ(statistics_of(Tensor::from<float>({3e30f, 4e30f}, {2})).rms(),
                   std::hypot(double{3e30f}, double{4e30f}) / std::sqrt(2.0));
}

TEST(TensorStatistics, EmptyStridedAndIntegerTensors) {
  EXPECT_EQ(statistics_of(Tensor::zeros({0, 3}, DType::kFloat32)).rms(), 0);
  const Tensor matrix = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  EXPECT_DOUBLE_EQ(statistics_of(transpose(matrix).value()).l2, std::sqrt(30.0));
  EXPECT_THROW(statistics_of(Tensor::scalar(std::int32_t{1})), Error);
}

TEST(TensorStatistics, MergingIsMeasuringTogether) {
  TensorStatistics a = statistics_of(Tensor::from<double>({1, 0, 2}, {3}));
  a.merge(statistics_of(Tensor::from<double>({-5, kNaN}, {2})));
  const TensorStatistics together = statistics_of(Tensor::from<double>({1, 0, 2, -5, kNaN}, {5}));
  EXPECT_EQ(a.count, together.count);
  EXPECT_EQ(a.zeros, together.zeros);
  EXPECT_EQ(a.non_finite, together.non_finite);
  EXPECT_DOUBLE_EQ(a.l2, together.l2);
  EXPECT_DOUBLE_EQ(a.max, together.max);
}

TEST(GradientFlow, EdgesAreMeasuredBeforeTheyAreAdded) {
  // L = Σ 3x + Σ x²: at x the edges carry 3 and 2x, the node 3 + 2x.
  Tape tape;
  const Var x = variable(Tensor::from<double>({1, -2}, {2}));
  const Var tripled = x * 3.0, squared = square(x);
  const Var loss = sum(tripled + squared);
  GradientFlow flow;
  (void)backward(loss, {.observer = &flow});
  const std::uint32_t xs = tape.id_of(x, "test");
  const auto* linear = flow.edge(tape.id_of(tripled, "test"), 0);
  const auto* quadratic = flow.edge(tape.id_of(squared, "test"), 0);
  ASSERT_NE(linear, nullptr);
  ASSERT_NE(quadratic, nullptr);
  EXPECT_DOUBLE_EQ(linear->gradient.rms(), 3);
  EXPECT_DOUBLE_EQ(linear->gradient.l2, 3 * std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(quadratic->gradient.rms(), std::sqrt((4.0 + 16.0) / 2));
  EXPECT_DOUBLE_EQ(quadratic->gradient.max, 4);
  const auto* node = flow.node(xs);
  ASSERT_NE(node, nullptr);
  EXPECT_DOUBLE_EQ(node->gradient.l2, std::hypot(5, -1));
  EXPECT_DOUBLE_EQ(node->value->l2, std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(node->cancellation.value(),
                   std::hypot(5, -1) / (3 * std::sqrt(2.0) + std::sqrt(20.0)));
  EXPECT_EQ(flow.edge(xs, 0), nullptr);
}

TEST(GradientFlow, ContributionsThatCancel) {
  Tape tape;
  const Var x = variable(Tensor::from<double>({1, 2}, {2}));
  GradientFlow flow;
  (void)backward(sum(x * 2.0 - x * 2.0), {.observer = &flow});
  EXPECT_EQ(flow.node(tape.id_of(x, "test"))->cancellation.value(), 0);
}

TEST(GradientFlow, ObservingDoesNotChangeTheGradient) {
  const auto gradient = [](GradientObserver* observer) {
    Tape tape;
    const Var x = variable(Tensor::from<double>({0.3, -1.7, 2.2, 0.1}, {2, 2}));
    const Var h = tanh(matmul(x, x)) * x;
    return backward(sum(square(h)), {.observer = observer})[x].value().to_vector<double>();
  };
  GradientFlow flow;
  EXPECT_EQ(gradient(&flow), gradient(nullptr));
}

TEST(GradientFlow, BroadcastGradientsAreMeasuredInTheInputsShape) {
  Tape tape;
  const Var x = variable(Tensor::full({5, 2}, 1, DType::kFloat64));
  const Var bias = variable(Tensor::from<double>({1, 2}, {2}));
  const Var y = x + bias;
  GradientFlow flow;
  (void)backward(sum(y), {.observer = &flow});
  const auto* edge = flow.edge(tape.id_of(y, "test"), 1);
  EXPECT_EQ(edge->gradient.count, 2);
  EXPECT_DOUBLE_EQ(edge->gradient.rms(), 5);
}

TEST(GradientFlow, ASecondPassReplacesAndAnotherTapeStartsAnew) {
  GradientFlow flow;
  {
    Tape tape;
    const Var x = variable(Tensor::from<double>({1, 2}, {2}));
    const Var y = sum(x * 2.0 + x * 3.0);
    (void)backward(y, {.retain = true, .observer = &flow});
    const std::size_t edges = flow.record().edges.size();
    (void)backward(y, {.observer = &flow});
    EXPECT_EQ(flow.record().edges.size(), edges);
    EXPECT_DOUBLE_EQ(flow.node(tape.id_of(x, "test"))->cancellation.value(), 1);
  }
  Tape tape;
  const Var x = variable(1.0);
  (void)backward(square(x), {.observer = &flow});
  EXPECT_EQ(flow.record().edges.size(), 1u);
  EXPECT_EQ(flow.record().tape, tape.serial());
  flow.clear();
  EXPECT_TRUE(flow.record().nodes.empty());
}

TEST(GradientFlow, APassThatFailedLeavesNothingToTheNext) {
  Tape tape;
  const Var x = variable(Tensor::from({0.5, 1.5}, {2}));
  const Var p = exp(x), q = tanh(x);
  const Var y = sum(p + q);
  tape.name(p, "p");
  bool fails = true;
  // q's contribution to x is measured by then, p's is not.
  on_gradient("p", [&fails](const Tensor&) {
    if (std::exchange(fails, false)) throw std::runtime_error("once");
  });
  GradientFlow flow;
  EXPECT_THROW((void)backward(y, {.retain = true, .observer = &flow}), std::runtime_error);
  EXPECT_FALSE(fails);
  ASSERT_EQ(flow.node(tape.id_of(x, "test")), nullptr);
  (void)backward(y, {.retain = true, .observer = &flow});
  GradientFlow fresh;
  (void)backward(y, {.observer = &fresh});
  const auto measured = flow.node(tape.id_of(x, "test"))->cancellation;
  ASSERT_TRUE(measured.has_value());
  EXPECT_EQ(measured, fresh.node(tape.id_of(x, "test"))->cancellation);
}

TEST(GradientFlow, FindsItsWayIntoTheView) {
  ParameterSet parameters;
  Tape tape;
  Var x = Tensor::full({1, 4}, 0.5, DType::kFloat64);
  const Var w = weight(parameters, "w", hadamard(0.25));
  const Var h = matmul(x, w);
  GradientFlow flow;
  (void)backward(sum(h * 2.0), {.observer = &flow});
  const GraphView view = graph_view(tape, {.gradients = &flow.record()});
  // dL/dh = 2, dL/dw = xᵀ·2 = 1 everywhere.
  EXPECT_DOUBLE_EQ(find_edge(view, "matmul#0", "mul#0")->gradient->rms(), 2);
  EXPECT_DOUBLE_EQ(find_edge(view, "parameter#0", "matmul#0", 1)->gradient->rms(), 1);
  const ViewNode* node = find_node(view, "parameter#0");
  EXPECT_DOUBLE_EQ(node->value->l2, 1);
  EXPECT_DOUBLE_EQ(node->gradient->l2, 4);
  // What was saved was given back by now, but the record remembers it.
  ASSERT_EQ(find_node(view, "matmul#0")->saved.size(), 1u);
  EXPECT_EQ(find_node(view, "matmul#0")->saved[0].bytes, 4 * 8);
  EXPECT_FALSE(graph_view(tape, {.view = GraphDirection::kForward, .gradients = &flow.record()})
                   .has_gradients);
}

}  // namespace
}  // namespace wengert::export_tests
