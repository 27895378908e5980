#include "wengert/nn/dropout.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"

namespace wengert {
namespace {

Tensor ones(std::int64_t count = 200) { return Tensor::full({count}, 1, DType::kFloat32); }

std::vector<double> values(const Var& y) { return y.value().to_vector<double>(); }

TEST(Dropout, DrawsANewMaskWithEachStepThatSucceeds) {
  ParameterSet parameters(5);
  std::vector<double> first, failed, second;
  {
    const Scope scope("encoder");
    const Tape tape;
    first = values(dropout(parameters, "drop", ones(), 0.5));
    EXPECT_NE(first, values(dropout(parameters, "drop", ones(), 0.5)))
        << "two layers of one step draw twice";
  }
  ASSERT_NE(parameters.find_buffer("encoder/drop/counter"), nullptr);
  const Scope scope("encoder");
  {
    const Tape tape;
    failed = values(dropout(parameters, "drop", ones(), 0.5));
  }
  EXPECT_EQ(failed, first) << "nothing was committed";
  {
    const Tape tape;
    EXPECT_EQ(values(dropout(parameters, "drop", ones(), 0.5)), first);
    commit(tape);
    second = values(dropout(parameters, "drop", ones(), 0.5));
  }
  EXPECT_NE(second, first);
  EXPECT_EQ(parameters.find_buffer("encoder/drop/counter")->value().item<std::int64_t>(), 1);
  EXPECT_EQ(parameters.size(), 0u);
}

TEST(Dropout, GoesOnWhereACheckpointOfItsCounterStood) {
  ParameterSet parameters(5), restored(5);
  for (int step = 0; step < 3; ++step) {
    const Tape tape;
    (void)dropout(parameters, "drop", ones(), 0.5);
    commit(tape);
  }
  for (const Buffer* buffer : parameters.buffers()) {
    restored.add_buffer(buffer->name(), buffer->value());
  }
  const Tape tape;
  EXPECT_EQ(values(dropout(restored, "drop", ones(), 0.5)),
            values(dropout(parameters, "drop", ones(), 0.5)));
}

TEST(Dropout, InInferenceIsTheIdentity) {
  ParameterSet parameters;
  EXPECT_EQ(values(dropout(parameters, "drop", ones(), 0.5)), values(ones()));
  const Tape tape(Mode::kInference);
  EXPECT_EQ(values(dropout(parameters, "drop", ones(), 0.5)), values(ones()));
  EXPECT_TRUE(tape.updates().empty());
  RandomStream stream(1, "drop");
  const Var x = variable(ones(3));
  const Var y = dropout(x, 0.5, stream);
  EXPECT_EQ(stream.counter(), 0u);
  EXPECT_EQ(grad(sum(square(y)), x).value().to_vector<float>(), std::vector<float>(3, 2));
}

TEST(RandomStream, OfASetIsThatOfItsSeedAndPath) {
  ParameterSet parameters(9);
  RandomStream plain(9, "a/noise");
  const Scope scope("a");
  RandomStream& stream = parameters.stream("noise");
  EXPECT_EQ(&stream, &parameters.stream("noise"));
  EXPECT_EQ(stream.name(), "a/noise");
  EXPECT_EQ(stream.key(), plain.key());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(values(random_uniform(stream, {20})), values(random_uniform(plain, {20})));
  }
  EXPECT_EQ(stream.counter(), 3u) << "without a tape a draw holds at once";
  {
    const Tape tape;
    EXPECT_EQ(stream.next(), 3u);
    EXPECT_EQ(stream.next(), 4u);
    EXPECT_EQ(stream.counter(), 5u);
    EXPECT_EQ(tape.updates().size(), 1u) << "many draws wait with one number";
  }
  EXPECT_EQ(stream.counter(), 3u);
  stream.set_counter(40);
  EXPECT_EQ(parameters.find_buffer("a/noise/counter")->value().item<std::int64_t>(), 40);
}

TEST(RandomLane, GivesEachPartOfTheWorkNumbersOfItsOwn) {
  ParameterSet parameters(9);
  const auto draw = [&](std::uint64_t lane) {
    std::vector<double> drawn;
    std::thread([&] {
      const RandomLane own(lane);
      const Tape tape;
      drawn = values(random_uniform(parameters.stream("noise"), {20}));
    }).join();
    return drawn;
  };
  const std::vector<double> zero = draw(0), one = draw(1), two = draw(2);
  EXPECT_NE(zero, one);
  EXPECT_NE(one, two);
  EXPECT_EQ(draw(1), one) << "the lane counts, not the thread";
  RandomStream plain(9, "noise");
  EXPECT_EQ(zero, values(random_uniform(plain, {20})));
  {
    const RandomLane outer(1);
    {
      const RandomLane inner(2);
      EXPECT_EQ(values(random_uniform(parameters.stream("noise"), {20})), two);
    }
    parameters.stream("noise").set_counter(0);
    EXPECT_EQ(values(random_uniform(parameters.stream("noise"), {20})), one);
  }
}

}  // namespace
}  // namespace wengert
