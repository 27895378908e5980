// Every option that takes a number, with everything that is none.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "tests/program/child.h"
#include "wengert/tests/sanitizers.h"

namespace wengert {
namespace {

struct NumberOption {
  std::string command, name, type;
};

/// As the commands' help shows them: "  --seed UINT=1   same seed, …".
std::vector<NumberOption> number_options() {
  std::vector<NumberOption> result;
  const std::regex form("^  (?:-[a-z],)?(--[a-z0-9-]+) (INT|UINT|FLOAT)\\b.*");
  for (const std::string& command : commands()) {
    std::istringstream help(run_wengert({command, "--help"}).out);
    for (std::string line; std::getline(help, line);) {
      std::smatch found;
      if (std::regex_match(line, found, form)) result.push_back({command, found[1], found[2]});
    }
  }
  return result;
}

TEST(NumberOptions, TakeNothingButNumbersOfTheirType) {
  const std::vector<NumberOption> options = number_options();
  std::set<std::string> names;
  for (const NumberOption& option : options) names.insert(option.command + " " + option.name);
  for (const char* known :
       {"train --seed", "train --epochs", "train --l2", "train --threads", "predict --first",
        "graph --seed", "gradcheck --order", "bench --threads"}) {
    EXPECT_TRUE(names.contains(known)) << known << " is not among those that were found";
  }
  const std::vector<std::string> always = {"",      " ",    "many", "1x",    " 1",   "1 ",  "+1",
                                           "1,5",   "0x10", "--",   "1\n",   "nan",  "inf", "-inf",
                                           "1e400", "NaN",  "١",    "1_000", "1.5.2"};
  const std::vector<std::string> of_integers = {"1.5", "1e3", "1e0", "18446744073709551616",
                                                "-9223372036854775809"};
  const std::vector<std::string> unsigned_ones = {"-1", "-0x1"};
  int calls = 0;
  for (const NumberOption& option : options) {
    std::vector<std::string> bad = always;
    if (option.type != "FLOAT") bad.insert(bad.end(), of_integers.begin(), of_integers.end());
    if (option.type != "INT") bad.insert(bad.end(), unsigned_ones.begin(), unsigned_ones.end());
    for (const std::string& value : bad) {
      for (const bool joined : {false, true}) {
        // Under a sanitizer, where a program takes long to start, every seventh.
        if (WENGERT_ADDRESS_SANITIZER && ++calls % 7 != 0) continue;
        std::vector<std::string> words = {option.command};
        if (option.command == "train" || option.command == "graph") words.emplace_back("mlp");
        if (option.command == "predict") words.insert(words.end(), {"--model", "none"});
        if (joined) {
          words.push_back(option.name + "=" + value);
        } else {
          words.insert(words.end(), {option.name, value});
        }
        const Outcome outcome = run_wengert(words);
        EXPECT_EQ(outcome.status, 2)
            << option.command << " " << option.name << " '" << value << "': " << outcome.err;
        EXPECT_EQ(outcome.out, "") << option.command << " " << option.name << " '" << value << "'";
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
      }
    }
  }
}

TEST(NumberOptions, InTextTakeNothingButNumbersEither) {
  for (const char* value :
       {"", " ", "many", "1x", " 1", "1 ", "0x10", "1,5", "nan", "-1", "1e400"}) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"--rate", value},
             {"--rate=" + std::string(value)},
             {"--option", "beta1=" + std::string(value)},
             {"--schedule-option", "final_share=" + std::string(value)}}) {
      std::vector<std::string> all = {"train", "mlp", "--data", "/nowhere"};
      all.insert(all.end(), words.begin(), words.end());
      const Outcome outcome = run_wengert(all);
      EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(words) << outcome.err;
    }
  }
}

TEST(NumberOptions, AnEmptyTextIsNoChoice) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"train", ""},
                                             {"train", "mlp", "--out", ""},
                                             {"train", "mlp", "--out="},
                                             {"train", "mlp", "--out=", "run"},
                                             {"train", "mlp", "--schedule", ""},
                                             {"graph", "mlp", "-o", ""},
                                             {"graph", "mlp", "--weights", ""},
                                             {"gradcheck", "--op", ""},
                                             {"ops", ""}}) {
    std::vector<std::string> all = words;
    if (words[0] == "train") all.insert(all.end(), {"--threads", "1", "--data", "/nowhere"});
    const Outcome outcome = run_wengert(all);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(words);
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

}  // namespace
}  // namespace wengert
