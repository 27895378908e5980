#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "nlohmann/json.hpp"
#include "tests/program/child.h"

// Commands that need no data: what they print, and with what status they end.
namespace wengert {
namespace {

using nlohmann::json;

TEST(Program, HelpOfEveryCommand) {
  EXPECT_EQ(run_wengert({"--help"}).status, 0);
  std::vector<std::string> all = commands();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(
      all, (std::vector<std::string>{"ablate", "bench", "gradcheck", "graph", "initializers",
                                     "kinds", "ops", "optimizers", "passes", "plot", "predict",
                                     "rate-range", "schedules", "techniques", "train", "version"}));
  for (const std::string& command : all) {
    const Outcome one = run_wengert({command, "--help"});
    EXPECT_EQ(one.status, 0) << command;
    EXPECT_EQ(one.err, "") << command;
    EXPECT_TRUE(holds(one.out, "--json")) << command;
    EXPECT_TRUE(holds(one.out, "Example: wengert " + command)) << one.out;
  }
}

TEST(Program, TellsTheKindsOfNumbersOfATraining) {
  const Outcome table = run_wengert({"kinds", "mlp"});
  ASSERT_EQ(table.status, 0) << table.err;
  for (const char* part : {"parameters", "frozen parameters", "buffers", "gradients",
                           "optimizer state", "progress", "hyper-parameters", "fc1/weight"}) {
    EXPECT_TRUE(holds(table.out, part)) << part << ": " << table.out;
  }
  const json kinds = json::parse(run_wengert({"kinds", "mlp", "--json"}).out);
  const auto numbers = [&](const std::string& name) {
    for (const json& kind : kinds) {
      if (kind.at("kind") == name) return kind.at("numbers").get<std::int64_t>();
    }
    return std::int64_t{-1};
  };
  EXPECT_GT(numbers("parameters"), 784 * 256);
  EXPECT_EQ(numbers("gradients"), numbers("parameters"));
  EXPECT_EQ(numbers("frozen parameters"), 0);
  // Adam keeps two averages of each, and counts.
  EXPECT_GE(numbers("optimizer state"), 2 * numbers("parameters"));
  EXPECT_LT(numbers("optimizer state"), 2 * numbers("parameters") + 100);
  const json plain = json::parse(run_wengert({"kinds", "mlp", "--optimizer", "sgd", "--json"}).out);
  EXPECT_LT(plain[4].at("numbers").get<std::int64_t>(), 100) << "plain descent keeps counts alone";
}

TEST(Program, WrongUsageIsStatus2) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"trian"},
                                             {"train"},
                                             {"train", "mlp", "--epochs", "0"},
                                             {"train", "mlp", "--epochs", "many"},
                                             {"train", "mlp", "--batch", "-3"},
                                             {"train", "mlp", "--l2", "-1"},
                                             {"train", "mlp", "--nonsense"},
                                             {"predict"},
                                             {"graph", "mlp", "--forward", "--backward"},
                                             {"gradcheck", "--order", "9"},
                                             {"bench", "--threads", "0"},
                                             {"ops", "tanh", "sinh"}}) {
    const Outcome outcome = run_wengert(words);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(words) << outcome.out << outcome.err;
    EXPECT_NE(outcome.err, "") << ::testing::PrintToString(words);
    EXPECT_EQ(outcome.out, "") << ::testing::PrintToString(words);
  }
}

TEST(Program, AWrongCommandIsNamedAndTheVersionTold) {
  EXPECT_TRUE(holds(run_wengert({"trian", "mlp"}).err,
                    "there is no command 'trian'; did you mean 'train'?"));
  const Outcome version = run_wengert({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(holds(version.out, "wengert "));
}

TEST(Program, WrongArgumentsAreStatus2AndOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"ops", "tnh"}, "did you mean 'tanh'?"},
      {{"ops", "qqqqqqqqqqqq"}, "`wengert ops` lists all"},
      {{"gradcheck", "--op", "sigmod"}, "did you mean 'sigmoid'?"},
      {{"graph", "mpl"}, "mlp"},
      {{"graph", "mlp", "--format", "bmp"}, "choose dot, svg, png or json"},
      {{"train", "mlp2"}, "mlp"},
      {{"train", "mlp", "--optimizer", "adma"}, "did you mean 'adam'?"},
      {{"train", "mlp", "--option", "beta3=1"}, "did you mean 'beta1'?"},
      {{"train", "mlp", "--option", "beta1=2"}, "beta1 2 is outside [0, 1)"},
      {{"train", "mlp", "--option", "beta1"}, "write --option NAME=VALUE"},
      {{"optimizers", "adma"}, "did you mean 'adam'?"},
      {{"train", "mlp", "--rate", "nan"}, "is outside [0, ∞)"},
      {{"train", "mlp", "--rate", "-1"}, "is outside [0, ∞)"},
      {{"bench", "nonsense"}, "no row's name begins with 'nonsense'"},
      {{"bench", "tanh"}, "try record/tanh, backward/tanh or op/tanh"},
      {{"train", "mlp", "--epochs", "x"}, "see wengert train --help"},
      {{"train", "mlp", "--epoch", "3"}, "see wengert train --help"},
  };
  for (const auto& [words, part] : cases) {
    const Outcome outcome = run_wengert(words);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(words);
    EXPECT_EQ(outcome.err.rfind("wengert: ", 0), 0u) << outcome.err;
    EXPECT_TRUE(holds(outcome.err, part)) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(Version, SaysWhatItRunsOn) {
  const Outcome outcome = run_wengert({"version", "--json"});
  ASSERT_EQ(outcome.status, 0);
  const json version = json::parse(outcome.out);
  EXPECT_GE(version.at("ops").get<int>(), 134);
  EXPECT_GE(version.at("threads").get<int>(), 1);
  EXPECT_NE(version.at("cpu_level").get<std::string>(), "");
  EXPECT_TRUE(holds(run_wengert({"version"}).out, version.at("version").get<std::string>()));
}

/// What `wengert version` says of the level under this wish.
std::string level_wished(const char* wish) {
  const char* set = std::getenv("WENGERT_CPU_LEVEL");
  const std::string before = set == nullptr ? "" : set;
  ::setenv("WENGERT_CPU_LEVEL", wish, 1);
  const Outcome outcome = run_wengert({"version", "--json"});
  before.empty() ? ::unsetenv("WENGERT_CPU_LEVEL")
                 : ::setenv("WENGERT_CPU_LEVEL", before.c_str(), 1);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return json::parse(outcome.out).at("cpu_level");
}

TEST(Version, TheLevelOfTheKernelsCanBeLimited) {
  EXPECT_EQ(level_wished("baseline"), "baseline");
  // Never above what the CPU has; a wish for nothing known limits nothing.
  EXPECT_EQ(level_wished("nonsense"), level_wished("avx512"));
}

TEST(Ops, JsonIsAListOfAll) {
  const Outcome outcome = run_wengert({"ops", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json list = json::parse(outcome.out);
  ASSERT_TRUE(list.is_array());
  EXPECT_GE(list.size(), 134u);
  std::set<std::string> names;
  int checked_thrice = 0;
  for (const json& op : list) {
    names.insert(op.at("name").get<std::string>());
    for (const char* key : {"summary", "formula", "arguments", "gradient", "source"}) {
      EXPECT_TRUE(op.at(key).is_string()) << op.dump();
    }
    EXPECT_FALSE(op.at("summary").get<std::string>().empty()) << op.dump();
    EXPECT_FALSE(op.at("formula").get<std::string>().empty()) << op.dump();
    EXPECT_EQ(op.at("inputs").size(), 2u);
    EXPECT_TRUE(op.at("differentiable").is_array());
    const int orders = op.at("orders_checked").get<int>();
    EXPECT_GE(orders, op.at("differentiable").empty() ? 0 : 1) << op.dump();
    checked_thrice += orders >= 3;
  }
  EXPECT_EQ(names.size(), list.size()) << "a name stands twice";
  EXPECT_GE(checked_thrice, 50);
  std::ifstream required(WENGERT_TEST_DATA "/required_ops.txt");
  std::string line;
  int wanted = 0;
  while (std::getline(required, line)) {
    const std::string name = line.substr(0, line.find_first_of(" \t"));
    if (name.empty() || name[0] == '#') continue;
    ++wanted;
    EXPECT_EQ(names.count(name), 1u) << name;
  }
  EXPECT_GE(wanted, 100);
}

TEST(Ops, ThePageOfOne) {
  const Outcome page = run_wengert({"ops", "tanh"});
  ASSERT_EQ(page.status, 0);
  for (const char* part : {"tanh — ", "formula", "differentiable", "gradient", "orders checked",
                           "wengert gradcheck --op tanh"}) {
    EXPECT_TRUE(holds(page.out, part)) << part << "\n" << page.out;
  }
  const json op = json::parse(run_wengert({"ops", "tanh", "--json"}).out);
  EXPECT_EQ(op.at("name"), "tanh");
  EXPECT_EQ(op.at("differentiable"), json::array({0}));
  EXPECT_TRUE(holds(run_wengert({"ops"}).out, "`wengert ops NAME` prints the page of one."));
}

/// The list of a kind of records, each of which has a page that holds all that JSON has.
json pages_of(const std::string& kind) {
  const json list = json::parse(run_wengert({kind, "--json"}).out);
  for (const json& record : list) {
    const std::string name = record.at("name").get<std::string>();
    const Outcome page = run_wengert({kind, name});
    EXPECT_EQ(page.status, 0) << page.err;
    for (const char* key : {"summary", "formula", "notes", "source"}) {
      EXPECT_TRUE(holds(page.out, record.at(key).get<std::string>())) << name << " " << key;
    }
    EXPECT_TRUE(record.at("options").is_array()) << name;
    for (const json& option : record.at("options")) {
      EXPECT_TRUE(holds(page.out, option.at("name").get<std::string>() + " = ")) << page.out;
      EXPECT_TRUE(holds(page.out, option.at("values").get<std::string>())) << page.out;
      EXPECT_TRUE(holds(page.out, option.at("meaning").get<std::string>())) << page.out;
    }
    EXPECT_EQ(json::parse(run_wengert({kind, name, "--json"}).out), record);
  }
  EXPECT_TRUE(
      holds(run_wengert({kind}).out, "`wengert " + kind + " NAME` prints the page of one."));
  return list;
}

TEST(Optimizers, PagesAndJson) {
  const json list = pages_of("optimizers");
  ASSERT_GE(list.size(), 8u);
  const std::string help = run_wengert({"train", "--help"}).out;
  for (const json& method : list) {
    EXPECT_TRUE(holds(help, method.at("name").get<std::string>())) << method;
  }
}

TEST(Schedules, PagesAndJson) {
  const std::string help = run_wengert({"train", "--help"}).out;
  for (const json& schedule : pages_of("schedules")) {
    EXPECT_TRUE(holds(help, schedule.at("name").get<std::string>())) << schedule;
  }
}

TEST(Techniques, ListsSectionsAndRows) {
  const json all = json::parse(run_wengert({"techniques", "--json"}).out);
  EXPECT_EQ(all.size(), 236u);
  const json one = json::parse(run_wengert({"techniques", "activation/gelu-erf", "--json"}).out);
  EXPECT_EQ(one.at("symbol"), "gelu");
  EXPECT_TRUE(holds(run_wengert({"techniques", "activation/gelu-erf"}).out,
                    "test     All/Op.HoldsEveryProperty/gelu"));
  const Outcome section = run_wengert({"techniques", "schedule"});
  EXPECT_TRUE(holds(section.out, "schedule/one-cycle")) << section.out;
  EXPECT_FALSE(holds(section.out, "optimizer/adam")) << section.out;
  const Outcome wrong = run_wengert({"techniques", "activation/gelu-erff"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_TRUE(holds(wrong.err, "did you mean 'activation/gelu-erf'?")) << wrong.err;
}

TEST(Initializers, PagesAndJson) { EXPECT_GE(pages_of("initializers").size(), 15u); }

TEST(Passes, PagesAndJson) {
  const json list = pages_of("passes");
  ASSERT_GE(list.size(), 2u);
  EXPECT_EQ(list[0].at("stage"), "loss");
}

TEST(GraphCommand, WritesEveryFormat) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_wengert({"graph", "mlp", "-o", folder / "g.dot"}).status, 0);
  const std::string dot = bytes_at(folder / "g.dot");
  EXPECT_TRUE(holds(dot, "digraph")) << dot.substr(0, 200);
  EXPECT_TRUE(holds(dot, "fc1"));
  ASSERT_EQ(run_wengert({"graph", "mlp", "-o", folder / "g.json"}).status, 0);
  const json parsed = json::parse(bytes_at(folder / "g.json"));
  EXPECT_TRUE(parsed.is_object() && parsed.contains("nodes")) << parsed.dump().substr(0, 200);
  ASSERT_EQ(run_wengert({"graph", "mlp", "-o", folder / "g.svg"}).status, 0);
  EXPECT_TRUE(holds(bytes_at(folder / "g.svg"), "<svg"));
  ASSERT_EQ(run_wengert({"graph", "mlp", "-o", folder / "g.png"}).status, 0);
  EXPECT_EQ(bytes_at(folder / "g.png").substr(0, 4), "\x89PNG");
  // Standard output and files hold the same; --json is --format json; a seed gives the same bytes.
  EXPECT_EQ(run_wengert({"graph", "mlp"}).out, dot);
  EXPECT_EQ(json::parse(run_wengert({"graph", "mlp", "--json"}).out), parsed);
  EXPECT_NE(run_wengert({"graph", "mlp", "--seed", "2"}).out, dot);
  // Each direction leaves something out.
  const auto forward = run_wengert({"graph", "mlp", "--forward"}).out;
  const auto backward = run_wengert({"graph", "mlp", "--backward"}).out;
  EXPECT_NE(forward, dot);
  EXPECT_NE(backward, dot);
  EXPECT_NE(forward, backward);
}

TEST(GraphCommand, AnUnwritablePathLeavesNothing) {
  const TemporaryFolder folder;
  for (const std::string& path : {folder / "missing/g.dot", folder.path()}) {
    const Outcome outcome = run_wengert({"graph", "mlp", "--format", "dot", "-o", path});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(holds(outcome.err, path)) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(GradcheckCommand, ChecksOneOp) {
  const Outcome outcome = run_wengert({"gradcheck", "--op", "tanh"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(holds(outcome.out, "tanh")) << outcome.out;
  EXPECT_TRUE(holds(outcome.out, "1 ops, ")) << outcome.out;
  EXPECT_TRUE(holds(outcome.out, "0 ops failed")) << outcome.out;
  const json list = json::parse(run_wengert({"gradcheck", "--op", "tanh", "--json"}).out);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].at("op"), "tanh");
  EXPECT_EQ(list[0].at("failures"), 0);
  EXPECT_GT(list[0].at("checks").get<int>(), 10);
  EXPECT_GT(list[0].at("worst_error").get<double>(), 0);
  const json lower =
      json::parse(run_wengert({"gradcheck", "--op", "tanh", "--order", "1", "--json"}).out);
  EXPECT_LT(lower[0].at("checks").get<int>(), list[0].at("checks").get<int>());
}

TEST(BenchCommand, PrintsRowsAsJson) {
  const Outcome outcome = run_wengert({"bench", "record/add/1", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json list = json::parse(outcome.out);
  ASSERT_TRUE(list.is_array() && !list.empty());
  bool found = false;
  for (const json& row : list) {
    found |= row.at("name") == "record/add/1";
    EXPECT_EQ(row.at("name").get<std::string>().rfind("record/add/1", 0), 0u);
    EXPECT_TRUE(row.at("unit").is_string());
    const double low = row.at("p25"), middle = row.at("median"), high = row.at("p75");
    EXPECT_GT(low, 0);
    EXPECT_LE(low, middle);
    EXPECT_LE(middle, high);
    EXPECT_TRUE(row.at("floor_ratio").is_null() || row.at("floor_ratio").get<double>() > 0);
  }
  EXPECT_TRUE(found) << outcome.out;
}

TEST(Program, TakesNumbersThatAreNumbers) {
  for (const char* bad : {"-1", "18446744073709551616", "1x", " 1", "0x10", "1e3", "+1"}) {
    const Outcome outcome = run_wengert({"graph", "mlp", std::string("--seed=") + bad});
    EXPECT_EQ(outcome.status, 2) << bad;
    EXPECT_TRUE(holds(outcome.err, "is no whole number from 0 to 18446744073709551615"))
        << bad << ": " << outcome.err;
  }
  for (const char* bad : {"two", "1,5"}) {
    const Outcome outcome = run_wengert({"train", "mlp", std::string("--epochs=") + bad});
    EXPECT_EQ(outcome.status, 2) << bad;
    EXPECT_TRUE(holds(outcome.err, "is no whole number")) << bad << ": " << outcome.err;
  }
  const Outcome ten = run_wengert({"graph", "mlp", "--seed=10"});
  EXPECT_EQ(run_wengert({"graph", "mlp", "--seed=010"}).out, ten.out) << "a decimal number";
  EXPECT_EQ(run_wengert({"graph", "mlp", "--seed="}).status, 2);
  EXPECT_EQ(run_wengert({"graph", "mlp", "--seed", ""}).status, 2);
  EXPECT_EQ(run_wengert({"graph", "mlp", "--seed=18446744073709551615"}).status, 0);
}

TEST(Program, SaysWhenItsOutputCannotBeWritten) {
  const std::vector<std::vector<std::string>> commands = {
      {"ops"}, {"ops", "tanh", "--json"}, {"optimizers"}, {"graph", "mlp"}, {"version"}};
  for (const std::vector<std::string>& command : commands) {
    const Outcome outcome = run_wengert(command, {}, "/dev/full");
    EXPECT_EQ(outcome.status, 1) << command[0];
    EXPECT_TRUE(holds(outcome.err, "standard output")) << command[0] << ": " << outcome.err;
  }
}

}  // namespace
}  // namespace wengert
