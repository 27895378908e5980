#include "wengert/ops/kernels/splits.h"

#include <gtest/gtest.h>

#include <string>

#include "wengert/graph/op.h"
#include "wengert/testing/check_op.h"
#include "wengert/tests/sanitizers.h"

namespace wengert::testing {
namespace {

constexpr const char* kNames[] = {
#define SPLIT(name, text, op) #name,
#define SHARED_SPLIT(name, text, op) #name,
#include "wengert/ops/kernels/splits.def"
#undef SPLIT
#undef SHARED_SPLIT
};
constexpr int kSplits = static_cast<int>(kernels::Split::kCount);

class Splits : public ::testing::TestWithParam<int> {};

/// check_op asks of each op that it reaches what its kernels cut; this, that no kernel of the table
/// is without an op that does.
TEST_P(Splits, AreReachedByAnOp) {
  if (WENGERT_ADDRESS_SANITIZER) GTEST_SKIP() << "which loops ops reach is the same in every build";
  const auto split = static_cast<kernels::Split>(GetParam());
  const std::string name = kernels::split_count(split).op;
  for (const TestedOp& op : tested_ops()) {
    if (op.name != name) continue;
    const OpTests tests = op.tests();
    kernels::count_splits(!tests.small_only.empty());  // check_op counts large samples alone
    EXPECT_TRUE(check_op(*find_op(name), tests).passed());
    kernels::count_splits(false);
    const kernels::SplitCount seen = kernels::split_count(split);
    EXPECT_TRUE(seen.whole_and_rest) << name << " in " << seen.text << ": " << seen.cuts
                                     << " cuts, at most " << seen.largest << " whole parts";
    return;
  }
  FAIL() << "no op is called " << name;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Splits, ::testing::Range(0, kSplits),
                         [](const auto& info) { return std::string(kNames[info.param]); });

}  // namespace
}  // namespace wengert::testing
