#include <gtest/gtest.h>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// What a record of a program's own does wrong is an error that names the record, and its input.
namespace wengert {
namespace {

constexpr auto here = [] { return std::source_location::current(); };

void infer_same(InferContext& call) { call.output(call.dtype(0), call.shape(0)); }

void evaluate_copy(EvalContext& call) {
  const TensorView from = call.input(0), to = call.output();
  copy_elements(from.dtype, from.data, from.resolved_strides(), to.dtype, to.data,
                dense_strides(to.shape()), Shape(to.shape()));
}

OpDef record() {
  OpDef op;
  op.name = "test_user";
  op.max_inputs = 2;
  op.differentiable = kAllInputs;
  op.infer = infer_same;
  op.evaluate = evaluate_copy;
  op.vjp = [](VjpContext& c) { c.set(0, c.cotangent()); };
  return op;
}

struct WrongVjp {
  const char* name;
  void (*vjp)(VjpContext&);
  const char* message;
};

Var filled(DType dtype, const Shape& shape) { return Tensor::full(shape, 1, dtype); }

const WrongVjp kWrongVjps[] = {
    {"set_beyond", [](VjpContext& c) { c.set(1, c.cotangent()); }, "its vjp asks for input 1 of 1"},
    {"set_far_beyond", [](VjpContext& c) { c.set(1000000, c.cotangent()); },
     "its vjp asks for input 1000000 of 1"},
    {"set_negative", [](VjpContext& c) { c.set(-1, c.cotangent()); },
     "its vjp asks for input -1 of 1"},
    {"input", [](VjpContext& c) { (void)c.input(7); }, "its vjp asks for input 7 of 1"},
    {"needs", [](VjpContext& c) { c.needs(-3); }, "its vjp asks for input -3 of 1"},
    {"shape", [](VjpContext& c) { c.shape(2); }, "its vjp asks for input 2 of 1"},
    {"dtype", [](VjpContext& c) { c.dtype(2); }, "its vjp asks for input 2 of 1"},
    {"output", [](VjpContext& c) { (void)c.output(1); },
     "the derivative reads output 1, which the op does not have"},
    {"cotangent", [](VjpContext& c) { (void)c.cotangent(-1); },
     "its vjp asks for an output that it does not have: -1"},
    {"output_shape", [](VjpContext& c) { c.output_shape(5); },
     "its vjp asks for an output that it does not have: 5"},
    {"too_large",
     [](VjpContext& c) {
       c.set(0, filled(DType::kFloat64, {7, 7}));
     },
     "its vjp gives input 0, f64[], the gradient f64[7,7]"},
    {"other_dtype", [](VjpContext& c) { c.set(0, filled(DType::kFloat32, {})); },
     "its vjp gives input 0, f64[], the gradient f32[]"},
};

class WrongVjpTest : public ::testing::TestWithParam<WrongVjp> {};

TEST_P(WrongVjpTest, NamesTheRecord) {
  OpDef op = record();
  op.vjp = GetParam().vjp;
  for (const bool create_graph : {false, true}) {
    Tape tape;
    const Var x = variable(0.5);
    const Var y = apply(op, x, here());
    try {
      (void)grad(y, x, {.create_graph = create_graph});
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInternal);
      EXPECT_EQ(error.op(), "test_user");
      EXPECT_EQ(error.message(), GetParam().message);
    }
    EXPECT_EQ(grad(x * x, x).item<double>(), 1);  // the tape goes on
  }
}

INSTANTIATE_TEST_SUITE_P(Records, WrongVjpTest, ::testing::ValuesIn(kWrongVjps),
                         [](const auto& info) { return info.param.name; });

/// What failed inside a derivative is taken back; the derivative goes on and stays one.
TEST(UserRecords, ADerivativeGoesOnAfterACallThatFailed) {
  OpDef op;
  op.name = "trying";
  op.doc = {.summary = "x.", .formula = "y = x"};
  op.differentiable = 1;
  op.layouts = {Layout::kDense};
  op.infer = [](InferContext& call) { call.output(call.dtype(0), call.shape(0)); };
  op.evaluate = [](EvalContext& call) {
    const TensorView x = call.input(0);
    std::copy_n(x.as<double>(), x.count(), call.output().as<double>());
  };
  op.vjp = [](VjpContext& c) {
    EXPECT_THROW((void)stack({c.cotangent(), Tensor::zeros({7}, DType::kFloat64)}), Error);
    c.set(0, c.cotangent() * 1.0);
  };
  Tape tape;
  const Var x = variable(Tensor::from({0.5, 2.0}, {2}));
  const Var* operands[] = {&x};
  const Var y = sum(apply(op, operands) * x);
  const Var dx = grad(y, x, {.create_graph = true});
  EXPECT_EQ(dx.value().to_vector<double>(), (std::vector<double>{1.0, 4.0}));
  const std::uint32_t id = tape.id_of(dx, "test");
  EXPECT_NE(tape.derivative_of(id), Tape::kNoNode);
}

TEST(UserRecords, AGradientThatBroadcastsIsNoFault) {
  OpDef op = record();
  Tape tape;
  const Var x = variable(Tensor::full({3}, 1, DType::kFloat64));
  op.vjp = [](VjpContext& c) { c.set(0, filled(DType::kFloat64, {})); };
  EXPECT_EQ(grad(sum(apply(op, x, here())), x).value().to_vector<double>(),
            std::vector<double>(3, 1));
  op.vjp = [](VjpContext& c) { c.set(0, filled(DType::kFloat64, {1, 3})); };
  EXPECT_EQ(grad(sum(apply(op, x, here())), x).value().to_vector<double>(),
            std::vector<double>(3, 1));
}

struct WrongBackward {
  const char* name;
  void (*backward)(BackwardContext&);
  const char* message;
};

const WrongBackward kWrongBackwards[] = {
    {"gradient", [](BackwardContext& c) { c.gradient(1); },
     "its backward asks for an input that it does not have: 1"},
    {"gradient_far", [](BackwardContext& c) { c.gradient(1 << 20); },
     "its backward asks for an input that it does not have: 1048576"},
    {"gradient_negative", [](BackwardContext& c) { c.gradient(-1); },
     "its backward asks for an input that it does not have: -1"},
    {"input", [](BackwardContext& c) { c.input(2); },
     "its backward asks for an input that it does not have: 2"},
    {"input_negative", [](BackwardContext& c) { c.input(-1); },
     "its backward asks for an input that it does not have: -1"},
    {"needs", [](BackwardContext& c) { c.needs(4); },
     "its backward asks for an input that it does not have: 4"},
    {"output", [](BackwardContext& c) { c.output(1); },
     "the derivative reads output 1, which the op does not have"},
    {"cotangent", [](BackwardContext& c) { c.cotangent(3); },
     "its backward asks for an output's cotangent that it does not have: 3"},
};

class WrongBackwardTest : public ::testing::TestWithParam<WrongBackward> {};

TEST_P(WrongBackwardTest, NamesTheRecord) {
  OpDef op = record();
  op.backward = GetParam().backward;
  Tape tape;
  const Var x = variable(0.5);
  const Var y = apply(op, x, here());
  try {
    (void)grad(y, x);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_EQ(error.op(), "test_user");
    EXPECT_EQ(error.message(), GetParam().message);
  }
}

INSTANTIATE_TEST_SUITE_P(Records, WrongBackwardTest, ::testing::ValuesIn(kWrongBackwards),
                         [](const auto& info) { return info.param.name; });

struct WrongView {
  const char* name;
  void (*infer)(InferContext&);
  const char* message;
};

const WrongView kWrongViews[] = {
    {"too_long", [](InferContext& c) { c.output_view(0, {13}, {1}); },
     "its infer makes a view [13] with strides [1] from element 0 that leaves the memory of "
     "f64[3,4]"},
    {"offset", [](InferContext& c) { c.output_view(0, {12}, {1}, 1); },
     "its infer makes a view [12] with strides [1] from element 1 that leaves the memory of "
     "f64[3,4]"},
    {"in_front", [](InferContext& c) { c.output_view(0, {2}, {-1}); },
     "its infer makes a view [2] with strides [-1] from element 0 that leaves the memory of "
     "f64[3,4]"},
    {"wide",
     [](InferContext& c) {
       c.output_view(0, {2, 2}, {11, 1});
     },
     "its infer makes a view [2,2] with strides [11,1] from element 0 that leaves the memory of "
     "f64[3,4]"},
    {"overflow",
     [](InferContext& c) { c.output_view(0, {std::int64_t{1} << 40}, {std::int64_t{1} << 40}); },
     "its infer makes a view [1099511627776] with strides [1099511627776] from element 0 that "
     "leaves the memory of f64[3,4]"},
    {"no_input", [](InferContext& c) { c.output_view(1, {1}, {1}); },
     "its infer makes a view of input 1 of 1, sizes [1], strides [1]"},
    {"ranks",
     [](InferContext& c) {
       c.output_view(0, {1, 1}, {1});
     },
     "its infer makes a view of input 0 of 1, sizes [1,1], strides [1]"},
};

class WrongViewTest : public ::testing::TestWithParam<WrongView> {};

TEST_P(WrongViewTest, NamesTheRecord) {
  OpDef op = record();
  op.infer = GetParam().infer;
  op.evaluate = nullptr;
  Tape tape;
  const Var x = variable(Tensor::full({3, 4}, 1, DType::kFloat64));
  try {
    (void)apply(op, x, here());
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_EQ(error.op(), "test_user");
    EXPECT_EQ(error.message(), GetParam().message);
  }
  // As large as the memory is no fault, nor is what lies beside the input's own elements.
  op.infer = [](InferContext& c) { c.output_view(0, {3, 2}, {1, 6}, 0); };
  EXPECT_EQ(apply(op, x, here()).value().at(5), 1);
  const Var last = slice(x, {2, 3}, {3, 4});
  op.infer = [](InferContext& c) { c.output_view(0, {12}, {-1}); };
  EXPECT_EQ(apply(op, last, here()).value().at(11), 1);
}

INSTANTIATE_TEST_SUITE_P(Records, WrongViewTest, ::testing::ValuesIn(kWrongViews),
                         [](const auto& info) { return info.param.name; });

TEST(UserRecords, AViewOfOneInlineElementStaysInside) {
  OpDef op = record();
  op.evaluate = nullptr;
  Tape tape;
  const Var x = exp(variable(0.5));  // its element lies in its header
  op.infer = [](InferContext& c) { c.output_view(0, {2}, {1}); };
  EXPECT_ERROR(apply(op, x, here()), kInternal,
               "its infer makes a view [2] with strides [1] from element 0 that leaves the memory "
               "of f64[]");
  op.infer = [](InferContext& c) { c.output_view(0, {2, 3}, {0, 0}); };
  EXPECT_EQ(apply(op, x, here()).value().at(5), x.item<double>());
}

/// A complete record, less what `spoil` takes away.
template <class Spoil>
OpDef spoiled(const Spoil& spoil) {
  OpDef op = *find_op("tanh");
  op.name = "test_spoiled";
  spoil(op);
  return op;
}

TEST(UserRecords, AreRefusedWhereTheyLackWhatOthersRely) {
  const auto none = [](OpDef& op) { op.name = ""; };
  EXPECT_ERROR(register_op(spoiled(none)), kValue, "op '' has no name");
  const auto infer = [](OpDef& op) { op.infer = nullptr; };
  EXPECT_ERROR(register_op(spoiled(infer)), kValue,
               "op 'test_spoiled' has neither infer nor expand");
  const auto evaluate = [](OpDef& op) { op.evaluate = nullptr; };
  EXPECT_ERROR(register_op(spoiled(evaluate)), kValue,
               "op 'test_spoiled' has no evaluate function");
  const auto vjp = [](OpDef& op) { op.vjp = nullptr; };
  EXPECT_ERROR(register_op(spoiled(vjp)), kValue,
               "op 'test_spoiled' is differentiable without a vjp");
  const auto summary = [](OpDef& op) { op.doc.summary = ""; };
  EXPECT_ERROR(register_op(spoiled(summary)), kValue, "op 'test_spoiled' lacks summary or formula");
  const auto formula = [](OpDef& op) { op.doc.formula = ""; };
  EXPECT_ERROR(register_op(spoiled(formula)), kValue, "op 'test_spoiled' lacks summary or formula");
  const auto taken = [](OpDef& op) { op.name = "tanh"; };
  EXPECT_ERROR(register_op(spoiled(taken)), kValue,
               "op 'tanh' exists already: choose another name");
  EXPECT_EQ(find_op("test_spoiled"), nullptr);
}

}  // namespace
}  // namespace wengert
