#include "wengert/graph/flush_subnormals.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <limits>
#include <memory>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

bool flushes() {
  volatile double tiny = std::numeric_limits<double>::min();
  return tiny / 4 == 0;
}

TEST(FlushSubnormals, NestsAndRestores) {
  EXPECT_FALSE(flushes());
  {
    const FlushSubnormals outer;
    EXPECT_TRUE(flushes());
    { const FlushSubnormals inner; }
    EXPECT_TRUE(flushes());
  }
  EXPECT_FALSE(flushes());
}

TEST(FlushSubnormals, LeavesRoundingAlone) {
  auto flush = std::make_unique<FlushSubnormals>();
  std::fesetround(FE_UPWARD);
  flush.reset();
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
}

TEST(FlushSubnormals, HoldsForTheTasksOfAnOp) {
  const Tensor tiny = Tensor::full({200000}, 1e-39, DType::kFloat32);
  EXPECT_GT((Var(tiny) * 0.5).value().at(199999), 0);
  const FlushSubnormals flush;
  const Tensor halves = (Var(tiny) * 0.5).value();
  for (const std::int64_t i : {0, 70000, 199999}) EXPECT_EQ(halves.at(i), 0) << i;
}

}  // namespace
}  // namespace wengert
