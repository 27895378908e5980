#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// An op with two results of which a loss uses one, the other, or both.
namespace wengert {
namespace {

using ::testing::ElementsAre;

/// y0 = 2x, y1 = 3x.
void infer_pair(InferContext& call) {
  call.output(call.dtype(0), call.shape(0));
  call.output(call.dtype(0), call.shape(0));
}

void evaluate_pair(EvalContext& call) {
  const TensorView x = call.input(0);
  for (std::int64_t i = 0; i < x.count(); ++i) {
    call.output(0).as<double>()[i] = 2 * x.as<double>()[i];
    call.output(1).as<double>()[i] = 3 * x.as<double>()[i];
  }
}

void pair_vjp(VjpContext& c) {
  Var total;
  const Var first = c.cotangent(0), second = c.cotangent(1);
  if (first.has_value()) total = first * 2.0;
  if (second.has_value()) total = total.has_value() ? total + second * 3.0 : second * 3.0;
  c.set(0, total);
}

void backward_pair(BackwardContext& c) {
  const BackwardContext::Destination to = c.gradient(0);
  const TensorView g[] = {c.cotangent(0), c.cotangent(1)};
  for (std::int64_t i = 0; i < to.view.count(); ++i) {
    double total = to.accumulate ? to.view.as<double>()[i] : 0;
    for (int k = 0; k < 2; ++k) {
      if (g[k].data != nullptr) total += (2 + k) * g[k].as<double>()[i];
    }
    to.view.as<double>()[i] = total;
  }
}

OpDef pair_op(bool fused) {
  OpDef op;
  op.name = fused ? "fused_pair" : "recorded_pair";
  op.doc = {.summary = "Two multiples.", .formula = "y0 = 2x, y1 = 3x"};
  op.differentiable = 1;
  op.infer = infer_pair;
  op.evaluate = evaluate_pair;
  op.vjp = pair_vjp;
  if (fused) op.backward = backward_pair;
  return op;
}

class SeveralOutputs : public testing::TestWithParam<bool> {};

TEST_P(SeveralOutputs, EachAloneAndBoth) {
  const OpDef op = pair_op(GetParam());
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  const Var middle = x * 1.0;
  const Var* inputs[] = {&middle};
  const std::vector<Var> y = apply_multiple(op, inputs, nullptr, std::source_location::current());
  for (const bool recorded : {false, true}) {
    const BackwardOptions options{.create_graph = recorded, .retain = true};
    const auto of = [&](const Var& loss) {
      EXPECT_EQ(grad(loss, middle, options).value().to_vector<double>(),
                backward(loss, options)[x].value().to_vector<double>());
      return backward(loss, options)[x].value().to_vector<double>();
    };
    EXPECT_THAT(of(sum(y[0])), ElementsAre(2, 2));
    EXPECT_THAT(of(sum(y[1])), ElementsAre(3, 3));
    EXPECT_THAT(of(sum(y[0] + y[1])), ElementsAre(5, 5));
    const Var seed = Tensor::from({1.0, 10.0}, {2});
    EXPECT_THAT(grad({y[0]}, {x}, {seed}, options)[0].value().to_vector<double>(),
                ElementsAre(2, 20));
    EXPECT_THAT(grad({y[1]}, {x}, {seed}, options)[0].value().to_vector<double>(),
                ElementsAre(3, 30));
    EXPECT_EQ(grad(sum(y[1]), y[1], options).value().to_vector<double>(),
              (std::vector<double>{1, 1}));
  }
}
INSTANTIATE_TEST_SUITE_P(Rules, SeveralOutputs, testing::Bool(),
                         [](const auto& info) { return info.param ? "fused" : "in_ops"; });

TEST(SeveralOutputs, OnePartOfASplit) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 2.0}, {2}));
  EXPECT_THAT(backward(sum(split(x, 2)[1]))[x].value().to_vector<double>(), ElementsAre(0, 1));
  EXPECT_THAT(backward(sum(split(x, 2)[0]))[x].value().to_vector<double>(), ElementsAre(1, 0));
}

}  // namespace
}  // namespace wengert
