#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/op.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// The one way into every op: what it refuses, and what a refused call leaves behind.
namespace wengert {
namespace {

const std::source_location kHere = std::source_location::current();

void infer_nothing(InferContext&) {}
void infer_same(InferContext& call) { call.output(call.dtype(0), call.shape(0)); }
void infer_two(InferContext& call) {
  infer_same(call);
  infer_same(call);
}
void infer_dense(InferContext& call) { call.want_dense(0); }
void infer_expansion(InferContext& call) { call.want_expansion(); }
void evaluate_nothing(EvalContext&) {}

OpDef op_with(void (*infer)(InferContext&), void (*evaluate)(EvalContext&)) {
  OpDef op;
  op.name = "broken";
  op.doc = {.summary = "For tests.", .formula = "y = x"};
  op.infer = infer;
  op.evaluate = evaluate;
  return op;
}

class Misuse : public testing::TestWithParam<bool> {
 protected:
  Misuse() {
    if (GetParam()) tape_.emplace();
  }
  std::optional<Tape> tape_;
  const Var x_ = variable(Tensor::from({1.0f, 2.0f}, {2}));
};

TEST_P(Misuse, OfRegisteredOps) {
  EXPECT_ERROR(apply(*find_op("add"), x_, kHere), kValue, "1 inputs");
  EXPECT_ERROR(apply(*find_op("tanh"), x_, x_, kHere), kValue, "2 inputs");
  EXPECT_ERROR(apply(*find_op("clip"), x_, kHere), kValue, "applied without its attributes");
  EXPECT_ERROR(apply(*find_op("trace"), x_, kHere), kShape, "needs a matrix, got f32[2]");
  const int attributes = 0;
  const Var* inputs[] = {&x_};
  EXPECT_ERROR(apply(*find_op("tanh"), inputs, &attributes, kHere), kInternal,
               "attributes given to an op that has none");
}

TEST_P(Misuse, OfAttributes) {
  const OpDef& sum = *find_op("sum");
  EXPECT_ERROR(Attributes(sum).set("axis", 1), kValue, "has no attribute 'axis'");
  EXPECT_ERROR(Attributes(sum).set("keepdims", 1), kValue, "'keepdims' was given 1");
  EXPECT_ERROR(Attributes(sum).set("axes", 1.5), kValue, "'axes' was given 1.5");
  EXPECT_ERROR(Attributes(*find_op("softmax_cross_entropy")).set("reduction", "total"), kValue,
               "'total' is none of the words for 'reduction'");
  EXPECT_ERROR(Attributes(*find_op("cast")).set("dtype", "float16"), kValue,
               "'float16' is none of the words for 'dtype'");
  EXPECT_ERROR(Attributes(*find_op("tanh")).set("axis", 1), kValue,
               "has no attributes, 'axis' was set");
}

TEST(Apply, TakesAttributesByNameAndTheirDefaults) {
  const Var x = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {2, 3});
  const Var* inputs[] = {&x};
  const OpDef& sum = *find_op("sum");
  EXPECT_EQ(apply(sum, inputs).scalar_value(), 21);
  Attributes rows(sum);
  rows.set("axes", {1}).set("keepdims", true);
  const Var by_rows = apply(sum, inputs, rows.get());
  EXPECT_EQ(by_rows.shape(), (Shape{2, 1}));
  EXPECT_EQ(by_rows.value().at(1), 15);
  const Var pair[] = {x, x};
  const Var* operands[] = {&pair[0], &pair[1]};
  Attributes equation(*find_op("einsum"));
  equation.set("equation", "ij,ij->i");
  EXPECT_EQ(apply(*find_op("einsum"), operands, equation.get()).value().at(0), 14);
  Attributes narrow(*find_op("cast"));
  EXPECT_EQ(apply(*find_op("cast"), inputs, narrow.set("dtype", "float32").get()).dtype(),
            DType::kFloat32);
  EXPECT_EQ(apply_multiple(*find_op("sort"), inputs).size(), 2u);
}

TEST(Apply, CopiesOperandsThatLieOtherwiseThanARecordTakesThem) {
  const Tensor a = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {2, 3});
  for (const bool recorded : {false, true}) {
    std::optional<Tape> tape;
    if (recorded) tape.emplace();
    const Var x = variable(a);
    const Var turned = transpose(x);  // [3,2], a view
    const Var y = apply(*find_op("linear"), turned, x, kHere);
    EXPECT_EQ(y.value().to_vector<double>(), matmul(turned, x).value().to_vector<double>());
    if (recorded) {
      EXPECT_EQ(tape->node(y.get()->id - 1).op->name, "contiguous");
    }
    Attributes flat(*find_op("reshape"));
    const Var* inputs[] = {&turned};
    const Var line = apply(*find_op("reshape"), inputs, flat.set("shape", {6}).get());
    EXPECT_EQ(line.value().to_vector<double>(), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  }
}

TEST_P(Misuse, OfBrokenRecords) {
  EXPECT_ERROR(apply(op_with(infer_nothing, evaluate_nothing), x_, kHere), kInternal,
               "its infer states no output");
  EXPECT_ERROR(apply(op_with(infer_two, evaluate_nothing), x_, kHere), kInternal,
               "gives 2 visible outputs where 1 are asked for");
  EXPECT_ERROR(apply(op_with(infer_dense, evaluate_nothing), x_, kHere), kInternal,
               "its infer asks for dense copies of what is dense");
  EXPECT_ERROR(apply(op_with(infer_expansion, evaluate_nothing), x_, kHere), kInternal,
               "its infer asks for an expansion that its record lacks");
  EXPECT_ERROR(apply(op_with(infer_same, nullptr), x_, kHere), kInternal,
               "its record has no evaluate, but its output is no view");
}

INSTANTIATE_TEST_SUITE_P(Tape, Misuse, testing::Bool(),
                         [](const auto& info) { return info.param ? "live" : "none"; });

TEST(Apply, AFailedCallLeavesTheTapeAsItWas) {
  Tape tape;
  const Tensor a = Tensor::zeros({2, 3}, DType::kFloat32), b = Tensor::zeros({4}, DType::kFloat32);
  EXPECT_THROW((void)matmul(a, a), Error);
  EXPECT_THROW((void)(Var(a) + b), Error);
  EXPECT_EQ(tape.size(), 0u);
}

Parameter* g_weight = nullptr;

/// Records parts, names one, and fails in the last.
Var expand_unfinished(const ExpandContext& call) {
  const Var part = call.operand(0) * 2.5 + use(*g_weight) * call.operand(1) + call.operand(2);
  Tape::current()->name(part, "part");
  return matmul(reshape(part, {1, 2}), reshape(part, {1, 2}));
}

TEST(Apply, WhatAFailedCallHasRecordedIsTakenBack) {
  OpDef unfinished;
  unfinished.name = "unfinished";
  unfinished.min_inputs = unfinished.max_inputs = 3;
  unfinished.expand = expand_unfinished;
  constexpr std::uint32_t kChunk = 32768;
  for (const std::uint32_t before : {1u, kChunk - 3, kChunk - 1, kChunk, kChunk + 1}) {
    SCOPED_TRACE(before);
    ParameterSet set;
    g_weight = &set.add("weight", Tensor::from({3., 4.}, {2}));
    Tape outer;
    const Var enclosing = variable(Tensor::from({5., 6.}, {2}));
    const Var used = enclosing * enclosing;
    Tape tape;
    Var x = variable(Tensor::from({1., 2.}, {2})), y = x;
    do {
      y = neg(y);
    } while (tape.size() < before);
    const Var fresh = variable(Tensor::from({7., 8.}, {2}));  // first met by the call that fails
    const Var* inputs[] = {&y, &enclosing, &fresh};
    const std::uint32_t size = tape.size(), leaves = tape.trained_leaves();
    for (int i = 0; i < 3; ++i) {
      EXPECT_THROW((void)apply(unfinished, inputs), Error);
      EXPECT_EQ(tape.size(), size);
      EXPECT_EQ(tape.trained_leaves(), leaves);
      EXPECT_EQ(tape.find("part"), Tape::kNoNode);
      EXPECT_TRUE(tape.parameters().empty());
      EXPECT_FALSE(tape.knows(enclosing));
      EXPECT_FALSE(tape.knows(fresh));
    }
    // The same values serve the next call.
    const Var loss = sum(y * 2.5 + use(*g_weight) * enclosing + fresh);
    tape.name(loss, "part");
    const Gradients gradients = backward(loss);
    EXPECT_EQ(gradients.at("weight").value().to_vector<double>(), (std::vector<double>{5, 6}));
    EXPECT_EQ(gradients[enclosing].value().to_vector<double>(), (std::vector<double>{3, 4}));
    EXPECT_EQ(gradients[fresh].value().to_vector<double>(), (std::vector<double>{1, 1}));
    EXPECT_EQ(std::fabs(gradients[x].value().at(1)), 2.5);
    EXPECT_TRUE(outer.owns(used));
  }
}

TEST(Apply, ErrorsFromBelowCarryOpScopeAndLine) {
  const Scope scope("encoder");
  constexpr std::int64_t kLarge = std::int64_t{1} << 40;
  try {
    (void)broadcast_to(Tensor::zeros({1, 1}, DType::kFloat32), {kLarge, kLarge});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.op(), "broadcast_to");
    EXPECT_EQ(error.scope(), "encoder");
    EXPECT_EQ(base_name(error.file()), "apply_test.cc");
  }
}

TEST(Apply, MemoryThatTheSystemDoesNotHaveIsAnError) {
  const Var wide = broadcast_to(Tensor::zeros({1}, DType::kFloat32), {std::int64_t{1} << 59});
  try {
    const Var sum = wide + 1;
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMemory) << error.what();
    EXPECT_EQ(error.op(), "add");
    EXPECT_EQ(base_name(error.file()), "apply_test.cc");
  }
}

TEST(Apply, NumbersBeyondInt64AreFractional) {
  const Var y = Var(Tensor::scalar(1.0)) * std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(y.scalar_value(), 0x1p64);
}

TEST(Apply, ANumberAsCotangentTakesTheDtype) {
  Tape tape;
  const Var x = variable(3.0f), z = variable(3.0);
  const Var yx = x * x, yz = z * z, two = 2.0;
  const Var gx = grad({yx}, {x}, {two})[0];
  EXPECT_EQ(gx.dtype(), DType::kFloat32);
  EXPECT_EQ(gx.scalar_value(), 12);
  const Var third = 1.0 / 3;
  EXPECT_EQ(grad({yz}, {z}, {third})[0].scalar_value(), 2.0);
}

TEST(Apply, AMovedFromTensorIsEmpty) {
  Tensor tensor = Tensor::from({1.0f, 2.0f}, {2});
  const Tensor taken = std::move(tensor);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_EQ(tensor.shape(), Shape{0});
  EXPECT_EQ(tensor.clone().element_count(), 0);
  EXPECT_EQ(tensor.version(), 0u);
  { const WriteGuard guard(tensor, "test"); }
  Tape tape;
  const Var x = variable(tensor);
  EXPECT_EQ(sum(x).scalar_value(), 0);
  EXPECT_EQ(backward(sum(x))[x].element_count(), 0);
  // NOLINTEND(bugprone-use-after-move)
}

TEST(Apply, AVarOverNoMemoryReleasesIt) {
  int released = 0;
  {
    const Var x = Tensor::view_of(
        static_cast<float*>(nullptr), {0}, [](void* count) { ++*static_cast<int*>(count); },
        &released);
  }
  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace wengert
