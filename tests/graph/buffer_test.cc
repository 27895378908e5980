#include "wengert/graph/buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/export/graph_view.h"
#include "wengert/graph/export/json.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

Buffer& scalar(ParameterSet& set, const char* name = "count", double initial = 0) {
  return set.declare_buffer(name, {}, DType::kFloat64, initial);
}

TEST(Buffers, HaveNamesLikeParametersAndAreNoneOfThem) {
  ParameterSet set;
  set.add("w", Tensor::scalar(1.0));
  const Scope scope("norm");
  Buffer& mean = set.declare_buffer("mean", {3}, DType::kFloat32, 0.5);
  EXPECT_EQ(mean.name(), "norm/mean");
  EXPECT_EQ(mean.value().to_vector<float>(), std::vector<float>(3, 0.5f));
  EXPECT_EQ(&set.declare_buffer("mean", {3}, DType::kFloat32, 0.5), &mean);
  EXPECT_EQ(set.find_buffer("norm/mean"), &mean);
  EXPECT_EQ(set.find_buffer("mean"), nullptr);
  EXPECT_EQ(set.find("norm/mean"), nullptr);
  EXPECT_EQ(set.buffers(), std::vector<Buffer*>{&mean});
  EXPECT_EQ(set.size(), 1u);
  EXPECT_EQ(set.element_count(), 1);
}

TEST(Buffers, ConflictsAreErrors) {
  ParameterSet set;
  set.add("w", Tensor::scalar(1.0));
  set.declare_buffer("b", {3}, DType::kFloat32, 0.5);
  EXPECT_ERROR(set.declare_buffer("b", {4}, DType::kFloat32, 0.5), kParameter,
               "buffer 'b' is f32[3], used here as f32[4]");
  EXPECT_ERROR(set.declare_buffer("b", {3}, DType::kFloat32, 1), kParameter,
               "buffer 'b' began as 0.5, used here with 1");
  EXPECT_ERROR(set.declare_buffer("w", {}, DType::kFloat64), kParameter,
               "parameter 'w' exists already");
  EXPECT_ERROR(set.add("b", Tensor::scalar(1.0)), kParameter, "'b' is a buffer already");
  EXPECT_ERROR(set.at("b"), kParameter, "'b' is a buffer, no parameter");
  set.add_buffer("loaded", Tensor::scalar(7.0));
  EXPECT_EQ(set.declare_buffer("loaded", {}, DType::kFloat64, 3).value().scalar_value(), 7);
  EXPECT_ERROR(set.find_buffer("b")->set(Tensor::scalar(1.0f)), kParameter,
               "buffer 'b' is f32[3], its new value f32[]");
}

TEST(Buffers, AnUpdateWaitsOnItsTapeWhereItIsRead) {
  ParameterSet set;
  Buffer& count = scalar(set);
  {
    Tape tape;
    update(count, use(count) + 1);
    EXPECT_EQ(use(count).scalar_value(), 1) << "its own tape reads what waits";
    update(count, use(count) + 1);
    EXPECT_EQ(use(count).scalar_value(), 2);
    EXPECT_EQ(count.value().scalar_value(), 0);
  }
  EXPECT_EQ(use(count).scalar_value(), 0) << "dropped with its tape";
  {
    Tape tape;
    update(count, use(count) + 1);
    commit(tape);
    EXPECT_EQ(count.value().scalar_value(), 1);
    EXPECT_EQ(use(count).scalar_value(), 1);
    update(count, use(count) + 1);
    commit(tape);
    commit(tape);
    EXPECT_EQ(count.value().scalar_value(), 2);
  }
  EXPECT_EQ(use(count).scalar_value(), 2);
}

TEST(Buffers, AnUpdateKeepsTheValueThatItWasGiven) {
  ParameterSet set;
  Buffer& buffer = set.declare_buffer("b", {2}, DType::kFloat64);
  Tensor given = Tensor::from({1.0, 2.0}, {2});
  Tape tape;
  update(buffer, given);
  {
    const WriteGuard guard(given, "test");
    guard.span<double>()[0] = 9;
  }
  commit(tape);
  EXPECT_EQ(buffer.value().to_vector<double>(), (std::vector<double>{1, 2}));
  const Tensor before = buffer.value();
  update(buffer, flip(Var(Tensor::from({6.0, 5.0}, {2})), {0}));
  Buffer& matrix = set.declare_buffer("matrix", {2, 2}, DType::kFloat64);
  update(matrix, transpose(Var(Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 2}))));
  commit(tape);
  EXPECT_TRUE(matrix.value().is_dense());
  EXPECT_EQ(matrix.value().to_vector<double>(), (std::vector<double>{1, 3, 2, 4}));
  EXPECT_EQ(before.to_vector<double>(), (std::vector<double>{1, 2})) << "never written in place";
  EXPECT_EQ(buffer.value().to_vector<double>(), (std::vector<double>{5, 6}));
}

TEST(Buffers, TakeNoGradient) {
  ParameterSet set;
  Buffer& buffer = scalar(set, "scale", 3);
  Tape tape;
  const Var x = variable(2.0);
  EXPECT_FALSE(use(buffer).requires_grad());
  update(buffer, x * 5);
  EXPECT_FALSE(use(buffer).requires_grad());
  const Gradients gradients = backward(x * use(buffer));
  EXPECT_EQ(gradients[x].scalar_value(), 10);
  EXPECT_EQ(gradients.entries().size(), 1u);
}

TEST(Buffers, AreDrawnByNameWithTheirUpdates) {
  ParameterSet set;
  Buffer& buffer = scalar(set, "mean", 3);
  Tape tape;
  const Var x = variable(2.0), y = x * use(buffer);
  update(buffer, y);
  const std::uint32_t id = tape.find("mean");
  ASSERT_NE(id, Tape::kNoNode);
  EXPECT_EQ(tape.buffer(id), &buffer);
  EXPECT_EQ(tape.parameter(id), nullptr);
  EXPECT_EQ(tape.name(id), "mean");
  const std::string json = to_json(graph_view(tape, {}));
  EXPECT_THAT(json, ::testing::HasSubstr("\"buffer\""));
  EXPECT_THAT(json, ::testing::HasSubstr("update"));
}

TEST(Buffers, UpdatesTravelWithGradientsAndTakeEffectOnce) {
  ParameterSet set;
  Buffer& count = scalar(set);
  Tape tape;
  const Var x = variable(2.0);
  update(count, use(count) + 1);
  const Gradients first = backward(x * x, {.retain = true});
  update(count, use(count) + 1);
  const Gradients second = backward(x * x);
  ASSERT_NE(first.updates().find(count), nullptr);
  EXPECT_EQ(first.updates().find(count)->scalar_value(), 1);
  EXPECT_EQ(second.updates().find(count)->scalar_value(), 2);
  second.updates().commit();
  EXPECT_EQ(count.value().scalar_value(), 2);
  first.updates().commit();
  EXPECT_EQ(count.value().scalar_value(), 2) << "the older one was among those committed";
  count.set(Tensor::scalar(7.0));
  second.updates().commit();
  commit(tape);
  EXPECT_EQ(count.value().scalar_value(), 7);
}

TEST(Buffers, PartsOfAStepGoOnFromEachOther) {
  ParameterSet set;
  Buffer& count = scalar(set);
  const Var x = variable(2.0);
  Gradients sum;
  for (int part = 1; part <= 3; ++part) {
    Tape tape;
    tape.start_after(sum.updates());
    EXPECT_EQ(use(count).scalar_value(), part - 1);
    update(count, use(count) + 1);
    sum += backward(x * x * double(part));
  }
  EXPECT_EQ(sum[x].scalar_value(), 4 * (1 + 2 + 3));
  EXPECT_EQ(count.value().scalar_value(), 0);
  sum.updates().commit();
  EXPECT_EQ(count.value().scalar_value(), 3);
}

TEST(Buffers, ReadThroughNestedTapes) {
  ParameterSet set;
  Buffer& count = scalar(set);
  Tape outer;
  update(count, 5);
  {
    Tape inner;
    EXPECT_EQ(use(count).scalar_value(), 5);
    update(count, use(count) * 2);
    EXPECT_EQ(use(count).scalar_value(), 10);
    EXPECT_TRUE(outer.updates().size() == 1 && inner.updates().size() == 1);
  }
  EXPECT_EQ(use(count).scalar_value(), 5);
  {
    const NoGrad off;
    const std::uint32_t nodes = outer.size();
    EXPECT_EQ(use(count).scalar_value(), 5);
    update(count, 6);
    EXPECT_EQ(outer.size(), nodes);
  }
  EXPECT_EQ(use(count).scalar_value(), 6);
}

TEST(Buffers, UpdatesThatDoNotFitAreErrors) {
  ParameterSet set;
  Buffer& buffer = set.declare_buffer("b", {}, DType::kInt64);
  EXPECT_ERROR(update(buffer, 1), kGraph, "no tape is live on which the update of 'b' could wait");
  Tape tape;
  update(buffer, 4);
  EXPECT_EQ(use(buffer).item<std::int64_t>(), 4);
  EXPECT_ERROR(update(buffer, Tensor::scalar(1.0)), kParameter,
               "buffer 'b' is i64[], its new value f64[]");
  EXPECT_ERROR(update(buffer, Tensor::from({1, 2}, {2})), kParameter,
               "buffer 'b' is i64[], its new value i32[2]");
  EXPECT_ERROR(update(buffer, Var()), kGraph,
               "this Var is empty (default constructed or moved from)");
  EXPECT_EQ(use(buffer).item<std::int64_t>(), 4);
}

TEST(Gradients, AddUpByParameterAndVariable) {
  ParameterSet set;
  Parameter& w = set.add("w", Tensor::scalar(3.0));
  Parameter& v = set.add("v", Tensor::scalar(5.0));
  const Var x = variable(2.0), y = variable(1.0);
  Gradients sum;
  {
    Tape tape;
    sum += backward(use(w) * x);
  }
  {
    Tape tape;
    sum += backward(use(w) * y + use(v) * x);
    EXPECT_EQ(tape.size(), 7u) << "the sum is not recorded";
  }
  EXPECT_EQ(sum.at("w").scalar_value(), 2 + 1);
  EXPECT_EQ(sum.at("v").scalar_value(), 2);
  EXPECT_EQ(sum[x].scalar_value(), 3 + 5);
  EXPECT_EQ(sum[y].scalar_value(), 3);
  EXPECT_EQ(sum.entries().size(), 4u);
  sum += sum;
  EXPECT_EQ(sum[v].scalar_value(), 4);
  EXPECT_EQ(sum.entries().size(), 4u);
}

TEST(Gradients, SumsOfRecordedOnesAreRecorded) {
  Tape tape;
  const Var x = variable(2.0);
  Gradients sum = backward(x * x, {.create_graph = true});
  sum += backward(x * x * x, {.create_graph = true});
  EXPECT_EQ(sum[x].scalar_value(), 4 + 12);
  EXPECT_EQ(grad(sum[x], x).scalar_value(), 2 + 12);
}

}  // namespace
}  // namespace wengert
