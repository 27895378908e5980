#include <gtest/gtest.h>

#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Looking on: what a tape records and gives back, and which node a derivative belongs to.
namespace wengert {
namespace {

struct Log : TapeObserver {
  std::vector<std::uint32_t> recorded, released;
  void on_record(const Tape&, std::uint32_t id) override { recorded.push_back(id); }
  void on_release(const Tape&, std::uint32_t id) override { released.push_back(id); }
};

TEST(TapeObserver, SeesWhatIsRecordedAndGivenBack) {
  Tape tape;
  const Var x = variable(Tensor::full({4}, 2, DType::kFloat64));
  Log log;
  tape.observe(&log);
  Var y = x + x;  // saved by nobody
  const std::uint32_t sum_id = y.get()->id;
  const Var z = y - x;
  y = Var();
  EXPECT_EQ(log.recorded, (std::vector<std::uint32_t>{sum_id, z.get()->id}));
  EXPECT_EQ(log.released, std::vector<std::uint32_t>{sum_id});
  tape.observe(nullptr);
  const Var unseen = z * 2.0;
  EXPECT_EQ(log.recorded.size(), 2u);
}

TEST(TapeObserver, LooksOnBesideTheSearchForNonFiniteValues) {
  Tape tape;
  Log log;
  tape.observe(&log);
  tape.detect_non_finite(true);
  const Var bad = log1p(variable(-2.0));
  tape.detect_non_finite(false);
  const Var good = exp(variable(1.0));
  EXPECT_EQ(tape.first_non_finite(), bad.get()->id);
  EXPECT_EQ(log.recorded.back(), good.get()->id);
}

TEST(TapeObserver, MayEndBeforeItsTapeAndAfterIt) {
  Log outlives;
  {
    Tape tape;
    const Var x = variable(Tensor::full({4}, 2, DType::kFloat64));
    Var y = x * x;
    {
      Log inner;
      tape.observe(&inner);
      y = y + x;
    }
    y = y * x;  // nobody looks on
    tape.observe(&outlives);
    y = y * x;
    Tape other;
    other.observe(&outlives);  // leaves the first
    const Var z = variable(1.0);
    const Var w = z + z;
  }
  EXPECT_EQ(outlives.recorded.size(), 2u);
}

TEST(DerivativeNodes, KnowTheNodeTheyBelongTo) {
  Tape tape;
  const Var x = variable(0.5);
  const Var s = sin(x), y = s * s;
  const std::uint32_t forward = tape.size();
  const Var dy = grad(y, x, {.create_graph = true});
  ASSERT_GT(tape.size(), forward);
  for (std::uint32_t id = 0; id < forward; ++id) {
    EXPECT_EQ(tape.derivative_of(id), Tape::kNoNode) << id;
  }
  bool of_sine = false, of_product = false;
  for (std::uint32_t id = forward; id < tape.size(); ++id) {
    of_sine |= tape.derivative_of(id) == s.get()->id;
    of_product |= tape.derivative_of(id) == y.get()->id;
    if (tape.node(id).op->name == "cos") {
      EXPECT_EQ(tape.derivative_of(id), s.get()->id);
    }
  }
  EXPECT_TRUE(of_sine);
  EXPECT_TRUE(of_product);
}

}  // namespace
}  // namespace wengert
