#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "wengert/graph/op.h"
#include "wengert/testing/check_op.h"
#include "wengert/tests/sanitizers.h"

namespace wengert::testing {
namespace {

/// The first word of each line that is not a comment.
std::set<std::string> names_in(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (!name.empty() && name[0] != '#') names.insert(name);
  }
  return names;
}

std::set<std::string> table_names() {
  std::set<std::string> names;
  for (const TestedOp& entry : tested_ops()) names.insert(entry.name);
  return names;
}

class Op : public ::testing::TestWithParam<std::size_t> {
 protected:
  const OpTests& tests() const { return tests_; }
  const OpDef& op() const {
    const OpDef* found = find_op(tests().op);
    if (found == nullptr) throw std::runtime_error("no record of " + tests().op);
    return *found;
  }

 private:
  const OpTests tests_ = tested_ops()[GetParam()].tests();
};

TEST_P(Op, IsDocumented) {
  EXPECT_FALSE(op().doc.summary.empty());
  EXPECT_FALSE(op().doc.formula.empty());
  EXPECT_FALSE(op().doc.arguments.empty());
  EXPECT_FALSE(op().doc.gradient.empty());
  EXPECT_FALSE(op().doc.source.empty());
}

TEST_P(Op, StatesItsTests) {
  EXPECT_FALSE(tests().samples.empty());
  std::set<std::string> names;
  bool smooth = false, large = false;
  for (const Sample& sample : tests().samples) {
    EXPECT_TRUE(names.insert(sample.name).second) << "two samples named " << sample.name;
    EXPECT_TRUE(sample.reference != nullptr) << "no reference for " << sample.name;
    smooth |= sample.smooth;
    large |= sample.large();
  }
  EXPECT_TRUE(large || op().elementwise != nullptr || !tests().small_only.empty())
      << "no sample goes beyond one task, tile or block; state one, or in small_only why not";
  EXPECT_TRUE(!large || tests().small_only.empty()) << "has a large sample and a reason why not";
  EXPECT_TRUE(tests().rejected.size() >= 3 || !tests().exempt.empty());
  if (op().differentiable == 0) return;
  // A composite is recorded as the ops that it is made of, which have derivatives.
  EXPECT_TRUE(op().vjp != nullptr || op().is_composite());
  EXPECT_GE(tests().order, 1) << "no derivative of a differentiable op is checked";
  EXPECT_TRUE(smooth) << "no sample is smooth";
}

TEST_P(Op, HoldsEveryProperty) {
  const CheckReport report =
      check_op(op(), tests(), {.memory_alone = WENGERT_ADDRESS_SANITIZER != 0});
  EXPECT_GT(report.checks, 0);
  EXPECT_TRUE(report.passed()) << report.str();
}

INSTANTIATE_TEST_SUITE_P(All, Op, ::testing::Range(std::size_t{0}, tested_ops().size()),
                         [](const auto& info) { return tested_ops()[info.param].name; });

TEST(Table, HoldsTheRequiredOps) {
  const std::set<std::string> required = names_in(WENGERT_TEST_DATA "/required_ops.txt");
  const std::set<std::string> present = table_names();
  EXPECT_EQ(required.size(), 134u);
  for (const std::string& name : required) {
    EXPECT_TRUE(present.contains(name)) << "required op " << name << " is missing";
  }
}

TEST(Table, NamesEachRecordOnce) {
  std::set<std::string> names;
  for (const OpDef* op : registered_ops()) {
    EXPECT_TRUE(names.insert(std::string(op->name)).second) << op->name;
    EXPECT_EQ(find_op(op->name), op);
  }
  for (const std::string& name : table_names()) EXPECT_TRUE(names.contains(name)) << name;
}

}  // namespace
}  // namespace wengert::testing
