#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/house/sources.h"
#include "tests/house/test_names.h"

// docs/techniques.tsv: every technique is where it says, and has the test and the planted mistake
// that it names.
namespace wengert::house {
namespace {

namespace fs = std::filesystem;

struct Technique {
  std::string id, kind, symbol, file, test, mistake;
};

std::string text_at(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Technique> table() {
  std::vector<Technique> rows;
  std::istringstream lines(text_at(WENGERT_SOURCE_DIR "/docs/techniques.tsv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "id\tkind\tsymbol\tfile\ttest\tmistake");
  while (std::getline(lines, line)) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    EXPECT_EQ(fields.size(), 6u) << line;
    fields.resize(6);
    rows.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]});
  }
  return rows;
}

/// The names in a table of the tree: the first argument of its lines.
std::set<std::string> names_in(const char* table) {
  std::set<std::string> names;
  const std::string text = text_at(fs::path(WENGERT_SOURCE_DIR) / table);
  const std::regex form("(?:^|\n)[A-Z]+\\((\\w+)");
  for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at) {
    names.insert(at->str(1));
  }
  return names;
}

std::set<std::string> planted() {
  std::set<std::string> ids;
  std::istringstream lines(text_at(WENGERT_SOURCE_DIR "/tools/mutations.txt"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(" ¦");
    if (end != std::string::npos) ids.insert(line.substr(0, end));
  }
  return ids;
}

bool has_word(const std::string& text, const std::string& word) {
  return std::regex_search(text, std::regex("\\b" + word + "\\b"));
}

TEST(Techniques, StandWhereTheTableSays) {
  const std::set<std::string> kinds = {"example", "core",  "op",    "initializer",
                                       "pass",    "optim", "export"};
  std::set<std::string> ids;
  int done = 0;
  for (const Technique& row : table()) {
    EXPECT_TRUE(ids.insert(row.id).second) << row.id << " stands twice";
    EXPECT_TRUE(std::regex_match(row.id, std::regex("[a-z-]+/[a-z0-9-]+"))) << row.id;
    EXPECT_TRUE(kinds.contains(row.kind)) << row.id;
    if (row.symbol == "planned") {
      EXPECT_EQ(row.file + row.test + row.mistake, "---") << row.id;
      continue;
    }
    ++done;
    const std::string text = text_at(fs::path(WENGERT_SOURCE_DIR) / row.file);
    EXPECT_FALSE(text.empty()) << row.id << ": no file " << row.file;
    EXPECT_TRUE(has_word(text, row.symbol))
        << row.id << ": no " << row.symbol << " in " << row.file;
  }
  EXPECT_EQ(ids.size(), 236u);
  EXPECT_GE(done, 120);
}

TEST(Techniques, OfATableAreInIt) {
  const std::vector<std::pair<std::string, const char*>> tables = {
      {"ops/", "ops/ops.def"},
      {"optim/passes/", "optim/passes.def"},
      {"optim/optimizers/", "optim/optimizers.def"},
      {"optim/schedules/", "optim/schedules.def"},
      {"nn/initializers/", "nn/initializers.def"}};
  int seen = 0;
  for (const Technique& row : table()) {
    for (const auto& [folder, name] : tables) {
      if (!row.file.starts_with(folder) || !row.file.ends_with(".cc")) continue;
      ++seen;
      EXPECT_TRUE(names_in(name).contains(row.symbol)) << row.id << ": not in " << name;
      // Their records are named after them.
      const std::string text = text_at(fs::path(WENGERT_SOURCE_DIR) / row.file);
      EXPECT_TRUE(
          std::regex_search(text, std::regex("(OpDef |_(PASS|METHOD|SCHEDULE)\\(|InitializerDef )" +
                                             row.symbol + "(_op|_initializer|,)")))
          << row.id << ": " << row.file << " has no record of " << row.symbol;
    }
  }
  EXPECT_GE(seen, 80);
}

TEST(Techniques, HaveTheTestAndTheMistakeThatTheyName) {
  const std::set<std::string> tests = known_tests(), ops = names_in("ops/ops.def");
  const std::set<std::string> mistakes = planted();
  const std::set<std::string> formulas = {"op", "pass", "initializer"};
  for (const Technique& row : table()) {
    if (row.symbol == "planned") continue;
    const auto [test, parameter] = parts_of(row.test);
    EXPECT_TRUE(tests.contains(test)) << row.id << ": no test " << row.test;
    if (test == "Op.HoldsEveryProperty") {
      EXPECT_TRUE(ops.contains(parameter)) << row.id << ": no op of test " << row.test;
    }
    if (row.mistake != "-") {
      EXPECT_TRUE(mistakes.contains(row.mistake)) << row.id << ": no mistake " << row.mistake;
    } else {
      EXPECT_FALSE(formulas.contains(row.kind)) << row.id << ": a formula without a mistake";
    }
  }
}

/// The words of a text that stand between backticks and have one of these signs.
std::vector<std::string> named_in(const std::string& text, char sign) {
  std::vector<std::string> names;
  const std::regex form("`([A-Za-z0-9/.-]+)`");
  for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at) {
    if (at->str(1).find(sign) != std::string::npos) names.push_back(at->str(1));
  }
  return names;
}

// docs/source_slips.md: each row names a test that is there, or a technique of the table.
TEST(SourceSlips, AreHeldByTestsThatAreThere) {
  const std::set<std::string> tests = known_tests();
  std::set<std::string> ids;
  for (const Technique& row : table()) ids.insert(row.id);
  std::istringstream lines(text_at(WENGERT_SOURCE_DIR "/docs/source_slips.md"));
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ") || line.starts_with("| what")) continue;
    ++rows;
    const std::string last = line.substr(line.rfind(" | "));
    const auto held = named_in(last, '.'), techniques = named_in(last, '/');
    EXPECT_FALSE(held.empty() && techniques.empty()) << line;
    for (const std::string& test : held) EXPECT_TRUE(tests.contains(test)) << "no test " << test;
    for (const std::string& id : techniques) EXPECT_TRUE(ids.contains(id)) << "no row " << id;
  }
  EXPECT_GE(rows, 15);
}

TEST(Techniques, TheCheckFindsWhatItLooksFor) {
  EXPECT_EQ(parts_of("All/Op.HoldsEveryProperty/relu"),
            (std::pair<std::string, std::string>{"Op.HoldsEveryProperty", "relu"}));
  EXPECT_EQ(parts_of("Split.IsDisjoint"),
            (std::pair<std::string, std::string>{"Split.IsDisjoint", ""}));
  EXPECT_TRUE(has_word("Var relu6(x); relu(x)", "relu"));
  EXPECT_FALSE(has_word("Var relu6(x)", "relu"));
  EXPECT_EQ(named_in("`A.B`, row `a/b`", '.'), (std::vector<std::string>{"A.B"}));
  EXPECT_EQ(named_in("`A.B`, row `a/b`", '/'), (std::vector<std::string>{"a/b"}));
}

}  // namespace
}  // namespace wengert::house
