#include "wengert/graph/tape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(Tape, WithoutOneOpsJustCompute) {
  EXPECT_EQ(Tape::current(), nullptr);
  const Var x = variable(3.0);
  const Var y = x * x + 1;
  EXPECT_EQ(y.scalar_value(), 10);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_ERROR(backward(y), kGraph, "no tape is live on this thread");
}

TEST(Tape, NumbersNodesInOrderOfCreation) {
  Tape tape;
  const Var x = variable(2.0), c = Tensor::scalar(5.0);
  const Var y = x * c;
  const Var z = exp(y);
  EXPECT_EQ(tape.size(), 4u);
  EXPECT_EQ(tape.id_of(x, "test"), 0u);
  EXPECT_EQ(tape.id_of(c, "test"), 1u);
  EXPECT_EQ(tape.id_of(y, "test"), 2u);
  EXPECT_EQ(tape.id_of(z, "test"), 3u);
  EXPECT_THAT(tape.inputs(2), ElementsAre(0, 1));
  EXPECT_EQ(tape.node(2).op->name, "mul");
  EXPECT_EQ(tape.node(0).op->name, "variable");
  EXPECT_EQ(tape.node(1).op->name, "constant");
  EXPECT_TRUE(tape.var(2).requires_grad());
  EXPECT_FALSE(tape.var(1).requires_grad());
  EXPECT_ERROR(tape.var(4), kGraph, "node 4 of 4");
}

TEST(Tape, ValuesOutliveIt) {
  Var y;
  Tensor value;
  {
    Tape tape;
    const Var x = variable(Tensor::from({1.0, 2.0, 3.0}, {3}));
    y = x * x;
    value = y.value();
  }
  EXPECT_THAT(y.value().to_vector<double>(), ElementsAre(1, 4, 9));
  EXPECT_THAT(value.to_vector<double>(), ElementsAre(1, 4, 9));
  EXPECT_EQ(y.shape(), Shape{3});
  // It has a history that ended: using it in a graph is an error, its value is a constant.
  Tape tape;
  EXPECT_ERROR(exp(y), kGraph, "the tape of input 0, f64[3], has ended");
  EXPECT_ERROR(tape.id_of(y, "test"), kGraph, "this Var's tape has ended");
  EXPECT_ERROR(tape.id_of(Var(), "test"), kGraph, "this Var is empty");
  EXPECT_FALSE(exp(y.value()).requires_grad());
  const Var x = variable(2.0);
  EXPECT_EQ(backward(x * x)[x].scalar_value(), 4);
}

TEST(Tape, ALeafServesManyTapes) {
  const Tensor memory = Tensor::scalar(3.0);
  const Var x = variable(memory);
  for (int i = 0; i < 5; ++i) {
    Tape tape;
    EXPECT_EQ(backward(x * x)[x].scalar_value(), 6);
    EXPECT_EQ(tape.id_of(x, "test"), 0u);
  }
}

TEST(Tape, ALeafMayBeWrittenBetweenTapes) {
  Tensor memory = Tensor::scalar(3.0);
  const Var x = variable(memory);
  for (const double value : {3.0, 4.0, 5.0}) {
    WriteGuard(memory, "test").span<double>()[0] = value;
    Tape tape;
    EXPECT_EQ(backward(x * x)[x].scalar_value(), 2 * value);
  }
}

TEST(Tape, NestedTapesRecordTheirOwn) {
  Tape outer;
  const Var x = variable(2.0);
  const unsigned line = std::source_location::current().line() + 1;
  const Var y = x * x;
  {
    Tape inner;
    EXPECT_EQ(Tape::current(), &inner);
    EXPECT_EQ(inner.enclosing(), &outer);
    const std::string which =
        " recorded on an enclosing tape, not on this one: mul f64[] at tape_test.cc:";
    EXPECT_ERROR(exp(y), kGraph, "input 0 was" + which + std::to_string(line));
    EXPECT_ERROR(inner.id_of(y, "test"), kGraph,
                 "this Var was recorded on another tape, not on this one: mul f64[] at "
                 "tape_test.cc:" +
                     std::to_string(line));
    const Var z = variable(3.0);
    EXPECT_EQ(backward(z * z * z)[z].scalar_value(), 27);
    // The value of the outer tape is a constant here.
    EXPECT_EQ(backward(z * y.value())[z].scalar_value(), 4);
  }
  EXPECT_EQ(Tape::current(), &outer);
  EXPECT_EQ(outer.size(), 2u);
  EXPECT_EQ(backward(y * x)[x].scalar_value(), 12);
}

TEST(Tape, ALeafOfAnEnclosingTapeIsALeafInside) {
  Tape outer;
  const Var x = variable(2.0);
  const Var y = x * x;
  {
    Tape inner;
    const Var z = x * x * x;
    EXPECT_EQ(grad(z, x, {.retain = true}).scalar_value(), 12);
    EXPECT_EQ(backward(z)[x].scalar_value(), 12);
  }
  EXPECT_EQ(backward(y)[x].scalar_value(), 4);
}

TEST(Tape, MayLieOnTheHeapAndEndOutOfOrder) {
  auto first = std::make_unique<Tape>();
  const Var x = variable(2.0);
  const Var y = x * x;
  auto second = std::make_unique<Tape>();
  first.reset();
  EXPECT_EQ(Tape::current(), second.get());
  const Var z = variable(5.0);
  EXPECT_EQ(backward(z * z)[z].scalar_value(), 10);
  second.reset();
  EXPECT_EQ(Tape::current(), nullptr);
  EXPECT_EQ(y.scalar_value(), 4);
}

TEST(Tape, NoGradComputesWithoutRecording) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = x * x;
  Var z;
  {
    NoGrad off;
    z = y * x;
    { NoGrad again; }
    EXPECT_FALSE((z * x).requires_grad());
  }
  EXPECT_EQ(tape.size(), 2u);
  EXPECT_FALSE(z.requires_grad());
  EXPECT_EQ(backward(z * x)[x].scalar_value(), 8);
}

TEST(Tape, NodesCarryScopeAndTheCallersLine) {
  Tape tape;
  const Var x = variable(2.0);
  Var y, z;
  unsigned line;
  {
    Scope encoder("encoder");
    Scope layer("fc1");
    EXPECT_EQ(Scope::path(), "encoder/fc1");
    line = __LINE__ + 1;
    y = x * 3.0;
  }
  z = tanh(y);
  EXPECT_EQ(Scope::path(), "");
  const std::uint32_t product = tape.id_of(y, "test"), last = tape.id_of(z, "test");
  EXPECT_EQ(tape.scope(product), "encoder/fc1");
  EXPECT_EQ(tape.node(product).where.line(), line);
  EXPECT_THAT(tape.node(product).where.file_name(), EndsWith("tape_test.cc"));
  EXPECT_EQ(tape.scope(last), "");
  EXPECT_EQ(tape.node(last).where.line(), line + 2);
  EXPECT_THAT(tape.describe(product),
              HasSubstr("mul f64[] in scope encoder/fc1 at tape_test.cc:" + std::to_string(line)));
  EXPECT_THAT(tape.describe(product), HasSubstr("inputs f64[] in [2, 2], f64[] in [3, 3]"));
}

TEST(Tape, RecordedDerivativesCarryTheLineTheyAreDerivedFrom) {
  Tape tape;
  const Var x = variable(2.0);
  Var y;
  unsigned line;
  {
    Scope scope("inside");
    line = __LINE__ + 1;
    y = exp(x);
  }
  const std::uint32_t before = tape.size();
  (void)grad(y, x, {.create_graph = true});
  ASSERT_GT(tape.size(), before);
  for (std::uint32_t id = before; id < tape.size(); ++id) {
    if (tape.inputs(id).empty()) continue;
    EXPECT_EQ(tape.node(id).where.line(), line) << tape.describe(id);
    EXPECT_EQ(tape.scope(id), "inside");
  }
}

TEST(Tape, ErrorsNameScopeLineShapesAndAFix) {
  Scope scope("model");
  const Var a = Tensor::zeros({2, 3}, DType::kFloat32), b = Tensor::zeros({4, 3}, DType::kFloat32);
  try {
    (void)matmul(a, b);
    FAIL();
  } catch (const Error& error) {
    const std::string line = std::to_string(__LINE__ - 3);
    EXPECT_STREQ(error.what(),
                 ("matmul: inner sizes differ: a is f32[2,3], b is f32[4,3] (3 vs 4); in scope "
                  "model at tape_test.cc:" +
                  line + "; did you mean transpose(b)?")
                     .c_str());
  }
}

TEST(Tape, ScopesRejectNamesThatWouldSpoilPathsAndLogs) {
  EXPECT_ERROR(Scope(""), kValue, "the name is empty");
  EXPECT_ERROR(Scope("a\nb"), kValue, "the name holds a control character");
  EXPECT_EQ(Scope::path(), "");
}

TEST(Tape, NamesFindNodes) {
  Tape tape;
  const Var x = variable(2.0);
  const Var y = x * x;
  tape.name(y, "square");
  EXPECT_EQ(tape.find("square"), tape.id_of(y, "test"));
  EXPECT_EQ(tape.name(tape.id_of(y, "test")), "square");
  EXPECT_EQ(tape.find("nothing"), detail::kNoNode);
  EXPECT_ERROR(tape.name(y, ""), kValue, "the name is empty");
}

TEST(Tape, RemembersTheFirstValueThatIsNotFinite) {
  Tape tape;
  tape.detect_non_finite(true);
  const Var x = variable(0.0);
  const Var fine = x + 1.0;
  const Var bad = fine / x;
  const Var worse = bad * 0.0;
  EXPECT_EQ(tape.first_non_finite(), tape.id_of(bad, "test"));
  EXPECT_TRUE(std::isnan(worse.scalar_value()));
}

TEST(Tape, ANameIsOneValues) {
  Tape tape;
  const Var x = variable(1.0), y = x * 2.0;
  tape.name(x, "a");
  tape.name(x, "a");  // again is nothing new
  try {
    tape.name(y, "a");
    FAIL() << "the name was taken twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kValue);
    EXPECT_NE(error.message().find("the name 'a' is that of variable 'a' f64[]"), std::string::npos)
        << error.message();
  }
  tape.name(x, "b");
  tape.name(y, "a");  // which x has given up
  EXPECT_EQ(tape.find("a"), tape.id_of(y, "test"));
  EXPECT_EQ(tape.find("b"), tape.id_of(x, "test"));
}

TEST(Tape, LeavesSubnormalsAlone) {
  volatile double tiny = std::numeric_limits<double>::min();
  const Tape tape;
  EXPECT_GT(tiny / 4, 0);
  EXPECT_DOUBLE_EQ(log(variable(1e-310)).item<double>(), std::log(1e-310));
}

TEST(Var, AnEmptyOneThrowsOnEveryUse) {
  const Var empty;
  const char* message = "this Var is empty (default constructed or moved from)";
  EXPECT_ERROR(empty.value(), kGraph, message);
  EXPECT_ERROR(empty.shape(), kGraph, message);
  EXPECT_ERROR(empty.dtype(), kGraph, message);
  EXPECT_ERROR(empty.requires_grad(), kGraph, message);
  EXPECT_ERROR(exp(empty), kGraph, "input 0 is an empty Var");
  Var from = Tensor::scalar(1.0);
  const Var to = std::move(from);
  EXPECT_FALSE(from.has_value());
  EXPECT_EQ(to.scalar_value(), 1);
}

TEST(Var, IsEightBytes) { EXPECT_EQ(sizeof(Var), 8u); }

TEST(Tape, DescribesAnIdThatItDoesNotHold) {
  Tape tape;
  tape.detect_non_finite(true);
  const Var y = variable(1.0) * 2.0;
  EXPECT_EQ(tape.first_non_finite(), Tape::kNoNode);
  EXPECT_EQ(tape.describe(tape.first_non_finite()), "no node");
}

}  // namespace
}  // namespace wengert
