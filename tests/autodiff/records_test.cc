#include <gtest/gtest.h>

#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/op.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/user_op.h"

// What a record can say that few ops of the table need: hidden outputs, saves of late inputs and of
// single outputs, formulas of three operands with attributes.
namespace wengert {
namespace {

const std::source_location kHere = std::source_location::current();

// ---- y = x/‖x‖, with ‖x‖ as a hidden output that the derivative reads

void infer_unit(InferContext& call) {
  call.output(call.dtype(0), call.shape(0));
  call.output(call.dtype(0), Shape{});
}

void evaluate_unit(EvalContext& call) {
  const TensorView x = call.input(0);
  double squares = 0;
  for (std::int64_t i = 0; i < x.count(); ++i) squares += x.as<double>()[i] * x.as<double>()[i];
  *call.output(1).as<double>() = std::sqrt(squares);
  for (std::int64_t i = 0; i < x.count(); ++i) {
    call.output(0).as<double>()[i] = x.as<double>()[i] / std::sqrt(squares);
  }
}

template <bool kHiddenToo>
void unit_vjp(VjpContext& c) {
  const Var y = c.output(0), length = c.output(1), g = c.cotangent(0), h = c.cotangent(1);
  Var gradient;
  if (g.has_value()) gradient = (g - y * sum(g * y)) / length;
  if (h.has_value() && kHiddenToo) gradient = gradient.has_value() ? gradient + y * h : y * h;
  c.set(0, gradient);
}

OpDef unit_op(bool hidden_too) {
  OpDef op;
  op.name = "unit";
  op.doc = {.summary = "Direction.", .formula = "y = x/‖x‖"};
  op.differentiable = 1;
  op.reads = {reads_output(0) | reads_output(1)};
  op.layouts = {Layout::kDense};
  op.hidden_outputs = 1;
  op.infer = infer_unit;
  op.evaluate = evaluate_unit;
  op.vjp = hidden_too ? unit_vjp<true> : unit_vjp<false>;
  return op;
}

TEST(HiddenOutputs, AreNotHandedOutButDifferentiated) {
  const OpDef op = unit_op(true), forgetful = unit_op(false);
  const Tensor x = Tensor::from({0.3, -1.2, 0.5}, {3}), at[] = {x};
  const auto call = [](const OpDef& def) {
    return [&def](std::span<const Var> v) {
      const Var* inputs[] = {&v[0]};
      return sum(exp(apply(def, inputs)));
    };
  };
  EXPECT_TRUE(gradcheck(call(op), at, {.order = 2}).passed);
  // A rule that forgets the hidden output's cotangent is right once and wrong twice.
  EXPECT_TRUE(gradcheck(call(forgetful), at, {.order = 1}).passed);
  EXPECT_FALSE(gradcheck(call(forgetful), at, {.order = 2}).passed);
  const Var v = x;
  const Var* one[] = {&v};
  EXPECT_EQ(apply_multiple(op, one).size(), 1u);
  EXPECT_EQ(apply_all(op, one, nullptr, kHere).size(), 2u);
}

TEST(HiddenOutputs, AreGivenBackAfterBackward) {
  const OpDef op = unit_op(true);
  Tape tape;
  const Var x = variable(Tensor::from({3.0, 4.0}, {2}));
  const Var* inputs[] = {&x};
  const Var loss = sum(square(apply(op, inputs)) * 2.0);
  (void)backward(loss);
  EXPECT_THROW((void)backward(loss), Error);
}

TEST(DiscreteOutputs, CarryNoGradient) {
  OpDef op = unit_op(true);
  op.hidden_outputs = 0;
  op.discrete_outputs = 0b10;
  Tape tape;
  const Var x = variable(Tensor::from({3.0, 4.0}, {2}));
  const Var* inputs[] = {&x};
  const std::vector<Var> both = apply_multiple(op, inputs);
  EXPECT_TRUE(both[0].requires_grad());
  EXPECT_FALSE(both[1].requires_grad());
}

// ---- y = Σ weights: eight inputs, of which the derivative by input 7 reads input 6 alone

void infer_last(InferContext& call) { call.output(call.dtype(0), Shape{}); }
void evaluate_last(EvalContext& call) {
  *call.output().as<double>() = *call.input(6).as<double>() * *call.input(7).as<double>();
}
void last_vjp(VjpContext& c) {
  if (c.needs(7)) c.set(7, c.cotangent() * c.input(6));
}

TEST(Reads, ReachInputsBeyondTheFirstFew) {
  OpDef op;
  op.name = "last_product";
  op.doc = {.summary = "Product of the last two.", .formula = "y = x₆·x₇"};
  op.min_inputs = op.max_inputs = 8;
  op.differentiable = 1u << 7;
  op.reads = {0, 0, 0, reads_input(6)};
  op.infer = infer_last;
  op.evaluate = evaluate_last;
  op.vjp = last_vjp;
  Tape tape;
  std::vector<Var> x;
  std::vector<const Var*> inputs;
  for (int i = 0; i < 8; ++i) x.push_back(variable(i + 1.0));
  for (const Var& v : x) inputs.push_back(&v);
  const Var y = apply(op, inputs, nullptr);
  EXPECT_EQ(tape.node(y.get()->id).saved_inputs(), 1u << 6);
  EXPECT_EQ(backward(y)[x[7]].scalar_value(), 7);
}

// ---- a formula of three operands with attributes

struct Blend {  // y = scale·(a + c·(b − a))
  struct Attributes {
    double scale;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("scale", self.scale);
    }
  };
  static constexpr int reads_a = kC, reads_b = kC, reads_c = kA | kB;
  static auto value(auto a, auto b, auto c, const Attributes& k) -> decltype(a) {
    return like(a, k.scale) * (a + c * (b - a));
  }
  static auto partial_a(auto, auto, auto c, auto, const Attributes& k) -> decltype(c) {
    return like(c, k.scale) * (1.0 - c);
  }
  static auto partial_b(auto, auto, auto c, auto, const Attributes& k) -> decltype(c) {
    return like(c, k.scale) * c;
  }
  static auto partial_c(auto a, auto b, auto, auto, const Attributes& k) -> decltype(a) {
    return like(a, k.scale) * (b - a);
  }
};

TEST(Formulas, OfThreeOperandsBroadcastAndHaveAttributes) {
  const OpDef& op = elementwise_op<Blend>("blend", {"Blend.", "y = scale·(a + c·(b − a))"});
  const auto call = [&](std::span<const Var> x) {
    return apply(op, {&x[0], &x[1], &x[2]}, Blend::Attributes{3.0}, kHere);
  };
  const Tensor a = Tensor::from({1.0, 2.0, 3.0}, {3}), b = Tensor::from({5.0, -1.0}, {2, 1});
  const Tensor c = Tensor::from({0.25, 0.5, 0.75, 0.1, 0.2, 0.3}, {2, 3});
  const Var vars[] = {a, b, c};
  const Tensor y = call(vars).value();
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_DOUBLE_EQ(y.at(4), 3 * (2 + 0.2 * (-1 - 2)));
  const Tensor at[] = {a, b, c};
  const auto result = gradcheck(call, at, {.order = 3});
  EXPECT_TRUE(result.passed) << result.message;
  // Beyond a tile, in both precisions, against the formula.
  const Tensor wide = Tensor::full({3, 2501}, 0.5, DType::kFloat32);
  const Var big[] = {wide, Tensor::full({3, 1}, 2, DType::kFloat32),
                     Tensor::full({2501}, 0.25, DType::kFloat32)};
  EXPECT_EQ(call(big).value().at(7000), 3 * (0.5 + 0.25 * 1.5));
}

}  // namespace
}  // namespace wengert
