#include "wengert/graph/text.h"

#include <gtest/gtest.h>

namespace wengert {
namespace {

TEST(Closest, IsTheWordOfFewestSlips) {
  const std::vector<std::string> ops = {"tan", "tanh", "atan", "matmul", "softmax", "log_softmax"};
  EXPECT_EQ(closest("tahn", ops), "tanh");  // two letters swapped, not one too many
  EXPECT_EQ(closest("mtamul", ops), "matmul");
  EXPECT_EQ(closest("softmx", ops), "softmax");
  EXPECT_EQ(closest("logsoftmax", ops), "log_softmax");
  EXPECT_EQ(closest("tan", ops), "tan");
  EXPECT_EQ(closest("zzzzzz", ops), "");
  EXPECT_EQ(closest("", {}), "");
}

TEST(FormatNumber, IsShort) {
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(-1.0 / 0.0), "-inf");
  EXPECT_EQ(format_number(1.0 / 3, 2), "0.33");
}

TEST(Text, Lines) {
  EXPECT_TRUE(lines_of("").empty());
  EXPECT_EQ(lines_of("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(lines_of("a\n\nb\n"), (std::vector<std::string>{"a", "", "b"}));
}

}  // namespace
}  // namespace wengert
