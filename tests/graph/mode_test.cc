#include "wengert/graph/mode.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "tests/graph/errors.h"
#include "wengert/graph/tape.h"

namespace wengert {
namespace {

TEST(Mode, TheOutermostTapeFixesIt) {
  EXPECT_EQ(current_mode(), Mode::kInference);
  {
    const NoGrad off;
    EXPECT_EQ(current_mode(), Mode::kInference);
    const Tape tape;
    EXPECT_EQ(current_mode(), Mode::kTraining);
  }
  {
    const Tape tape(Mode::kInference);
    EXPECT_EQ(tape.mode(), Mode::kInference);
    EXPECT_EQ(current_mode(), Mode::kInference);
    const Tape inner;
    EXPECT_EQ(inner.mode(), Mode::kInference);
    const Tape same(Mode::kInference);
    EXPECT_EQ(Tape::current(), &same);
    EXPECT_ERROR(Tape(Mode::kTraining), kGraph, "a tape for training under one for inference");
    EXPECT_EQ(Tape::current(), &same);
  }
  const Tape tape;
  EXPECT_EQ(current_mode(), Mode::kTraining);
  const NoGrad off;
  EXPECT_EQ(current_mode(), Mode::kTraining) << "the step is for training all the same";
  EXPECT_ERROR(Tape(Mode::kInference), kGraph, "a tape for inference under one for training");
}

TEST(Mode, OutlivesTheOutermostTapeWhileAnInnerOneLives) {
  std::optional<Tape> outer(std::in_place, Mode::kInference), inner(std::in_place);
  outer.reset();
  EXPECT_EQ(current_mode(), Mode::kInference);
  const Tape further;
  EXPECT_EQ(further.mode(), Mode::kInference);
}

TEST(Mode, IsTheThreadsOwn) {
  const Tape tape;
  std::thread([] {
    EXPECT_EQ(current_mode(), Mode::kInference);
    const Tape own(Mode::kInference);
    EXPECT_EQ(current_mode(), Mode::kInference);
  }).join();
  EXPECT_EQ(current_mode(), Mode::kTraining);
}

TEST(Mode, HasAName) {
  EXPECT_EQ(name_of(Mode::kTraining), "training");
  EXPECT_EQ(name_of(Mode::kInference), "inference");
}

}  // namespace
}  // namespace wengert
