#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/checkpoint.h"
#include "wengert/autodiff/jvp.h"
#include "wengert/graph/captured_graph.h"
#include "wengert/graph/error.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Operands that a call leaves out: recorded as one node where others follow them, else not at all.
namespace wengert {
namespace {

const Tensor kScores = Tensor::from({1., 2., 0.5, -1., 0.25, 3.}, {2, 3});
const Tensor kClasses = Tensor::from<std::int64_t>({2, 0}, {2});
const Tensor kRowWeights = Tensor::from({0.5, 2.}, {2});

Var loss_of(const Var& scores) {
  return softmax_cross_entropy(scores, kClasses, Reduction::kMean, {.weights = kRowWeights});
}

TEST(OptionalInputs, InTheMiddleAreOneNodeOfTheTape) {
  Tape tape;
  const Var x = variable(kScores);
  const Var first = loss_of(x), second = loss_of(x);
  const auto of = [&](const Var& y) { return tape.inputs(tape.id_of(y, "test")); };
  ASSERT_EQ(of(first).size(), 4u);
  EXPECT_EQ(tape.node(of(first)[2]).op, &detail::absent_op);
  EXPECT_EQ(of(first)[2], of(second)[2]);
}

TEST(OptionalInputs, AtTheEndAreNotRecorded) {
  Tape tape;
  const Var x = variable(kScores);
  const Var none;
  const Var* inputs[] = {&x, &x, &none, &none};
  const OpDef& op = *find_op("softmax_cross_entropy");
  const Var y = apply(op, inputs);
  EXPECT_EQ(tape.inputs(tape.id_of(y, "test")).size(), 2u);
}

TEST(OptionalInputs, GradientsAndTangentsDoWithoutThem) {
  const double expected[] = {0.046, 0.125, -0.171};
  Tape tape;
  const Var x = variable(kScores);
  const Var y = loss_of(x);
  const Var tangent = jvp({y}, {x}, {Tensor::full({2, 3}, 1, DType::kFloat64)})[0];
  EXPECT_NEAR(tangent.item<double>(), 0, 1e-15);  // the loss does not see a shift of all scores
  const Var g = grad(y, x, {.create_graph = true});
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(g.value().at(i), expected[i], 1e-3) << i;
  EXPECT_TRUE(grad(sum(g * g), x).has_value());
}

TEST(OptionalInputs, StayAbsentWhereCallsAreMadeAgain) {
  Tape tape;
  const Var x = variable(kScores);
  const Var y = loss_of(x);
  const CapturedGraph graph = CapturedGraph::capture(tape, std::vector<Var>{y});
  EXPECT_NE(graph.str().find("absent"), std::string::npos) << graph.str();
  EXPECT_EQ(graph.run()[0].item<double>(), y.item<double>());
  const Var again =
      checkpoint([](std::span<const Var> in) { return std::vector<Var>{loss_of(in[0])}; }, {x})[0];
  EXPECT_EQ(grad(again, x).value().at(4), grad(y, x).value().at(4));
  {
    Tape inner;
    EXPECT_EQ(loss_of(kScores).item<double>(), y.item<double>());
  }
}

TEST(OptionalInputs, ArePicturedAsNone) {
  Tape tape;
  const Var y = loss_of(variable(kScores));
  const GraphView view = graph_view(tape, {.root = y});
  ASSERT_EQ(view.nodes.size(), 2u);
  const std::vector<std::string>& constants = view.nodes[1].constants;
  ASSERT_EQ(constants.size(), 3u);
  EXPECT_EQ(constants[1], "input 2: none");
}

TEST(OptionalInputs, OthersMayNotBeLeftOut) {
  const Var none, x = variable(kScores);
  const Var* inputs[] = {&x, &none};
  EXPECT_THROW((void)apply(*find_op("softmax_cross_entropy"), inputs), Error);
  EXPECT_THROW((void)linear(x, none), Error);
}

/// "op a=1 b=[2]" of the last call on the tape.
std::string recorded(const Tape& tape, const Var& y) {
  const CapturedGraph graph = CapturedGraph::capture(tape, std::vector<Var>{y});
  const std::string text = graph.str();
  return text.substr(text.rfind(' ', text.rfind('(')) + 1);
}

TEST(Spelling, OfOneCallIsOneRecord) {
  Tape tape;
  const Var x = variable(Tensor::zeros({2, 3, 4}));
  const std::vector<std::vector<Var>> alike = {
      {sum(x), sum(x, {0, 1, 2}), sum(x, {-1, 0, 1})},
      {sum(x, {1}), sum(x, {-2})},
      {variance(x, {2, 0}), variance(x, {0, -1})},
      {norm(x, {2}), norm(x, {-1})},
      {flip(x), flip(x, {2, 1, 0})},
      {softmax(x), softmax(x, 2)},
      {cumsum(x, -1), cumsum(x, 2)},
      {transpose(x), transpose(x, 2, 1), transpose(x, -1, 1)},
      {permute(x, {2, 0, 1}), permute(x, {-1, 0, -2})},
      {slice(x, {0, 1}, {1, 3}), slice(x, {1, 0}, {3, 1}, {1, 0}),
       slice(x, {1, 0}, {3, 1}, {-2, 0}, {1, 1})},
      {expand_dims(x, -1), expand_dims(x, 3)},
      {squeeze(expand_dims(x, 0), {0}), squeeze(expand_dims(x, 0), {-4})},
      {concat({x, x}, -1), concat({x, x}, 2)},
      {roll(x, 1, -1), roll(x, 1, 2)},
      {repeat_interleave(x, 2, -1), repeat_interleave(x, 2, 2)},
      {diagonal(x), diagonal(x, 0, 1, 2)},
  };
  for (const std::vector<Var>& calls : alike) {
    for (const Var& y : calls) EXPECT_EQ(recorded(tape, y), recorded(tape, calls[0]));
  }
}

TEST(Spelling, KeepsWhatDependsOnSizes) {
  Tape tape;
  const Var x = variable(Tensor::zeros({2, 3}));
  tape.name(x, "x");
  const Var y = reshape(slice(x, {1}, {1 << 20}, {1}), {-1});
  const CapturedGraph graph = CapturedGraph::capture(tape, std::vector<Var>{y});
  EXPECT_EQ(graph.run({{"x", Tensor::zeros({5, 9})}})[0].shape(), Shape({40}));
}

}  // namespace
}  // namespace wengert
