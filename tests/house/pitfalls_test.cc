#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "tests/house/test_names.h"

// docs/pitfalls.md: every way to get it wrong has tests that stand in the tree.
namespace wengert::house {
namespace {

TEST(Pitfalls, HaveTestsThatStandInTheTree) {
  const std::set<std::string> known = known_tests();
  std::ifstream page(WENGERT_SOURCE_DIR "/docs/pitfalls.md");
  int rows = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.starts_with("| what ")) continue;
    ++rows;
    const std::size_t end = line.rfind(" |"), begin = line.rfind("| ", end - 1);
    std::istringstream tests(line.substr(begin + 2, end - begin - 2));
    int named = 0;
    for (std::string test; std::getline(tests, test, '`');) {
      if (test.find('.') == std::string::npos) continue;  // what stands between two names
      ++named;
      EXPECT_TRUE(known.contains(parts_of(test).first)) << line << ": no test " << test;
    }
    EXPECT_GE(named, 1) << line;
  }
  EXPECT_GE(rows, 35);
}

}  // namespace
}  // namespace wengert::house
