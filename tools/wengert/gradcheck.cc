#include <cstdio>
#include <memory>
#include <span>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/testing.h"
#include "wengert/testing/check_op.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string op;
  std::string sample;
  int order = 3;
  std::uint64_t seed = 1;
  bool json = false;
};

void run(const Settings& settings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  int checked = 0, failed = 0;
  long checks = 0;
  double worst = 0;
  std::string worst_op;
  const std::span<const testing::TestedOp> all = testing::tested_ops();
  std::vector<std::string> names;
  for (const testing::TestedOp& op : all) names.emplace_back(op.name);
  for (const testing::TestedOp& op : all) {
    if (!settings.op.empty() && op.name != settings.op) continue;
    const testing::OpTests tests = op.tests();
    show_progress("gradcheck " + tests.op,
                  static_cast<double>(checked) / static_cast<double>(all.size()));
    testing::CheckOptions options;
    options.order = settings.order;
    options.sample = settings.sample;
    const testing::CheckReport report = testing::check_op(*find_op(tests.op), tests, options);
    ++checked;
    failed += report.failures > 0;
    checks += report.checks;
    if (report.worst_error > worst) {
      worst = report.worst_error;
      worst_op = tests.op;
    }
    if (settings.json) {
      list.push_back({{"op", tests.op},
                      {"checks", report.checks},
                      {"failures", report.failures},
                      {"worst_error", report.worst_error},
                      {"messages", report.messages}});
      continue;
    }
    clear_progress();
    std::printf(
        "%-22s %5d checks  worst error %-9s %s\n", tests.op.c_str(), report.checks,
        format_number(report.worst_error, 3).c_str(),
        report.failures == 0 ? "ok" : (std::to_string(report.failures) + " FAILED").c_str());
    constexpr std::size_t kShown = 5;  // the first ones tell; what else fails follows from them
    for (std::size_t i = 0; i < report.messages.size() && i < kShown; ++i) {
      std::printf("  %s\n", report.messages[i].c_str());
    }
    if (report.messages.size() > kShown) {
      std::printf("  and %zu more, which --json lists\n", report.messages.size() - kShown);
    }
  }
  clear_progress();
  if (checked == 0) {
    const std::string close = closest(settings.op, names);
    throw Error(ErrorKind::kValue, "gradcheck", "no op named '" + settings.op + "'",
                close.empty() ? "`wengert ops` lists all" : "did you mean '" + close + "'?");
  }
  if (settings.json) {
    print_json(list);
  } else {
    std::printf("%d ops, %ld checks, %d ops failed; worst error of a difference %s (%s)\n", checked,
                checks, failed, format_number(worst, 3).c_str(), worst_op.c_str());
  }
  if (failed > 0) throw CommandFailed{};
}

}  // namespace

void add_gradcheck(Program& program) {
  Command command = program.command(
      "gradcheck", "Check every op's values and derivatives against references and differences");
  auto settings = std::make_shared<Settings>();
  command.option("--op", settings->op, "only this op");
  command.option("--sample", settings->sample, "only samples whose name contains this");
  command.option("--order", settings->order, "highest derivative order checked")
      .between(0, 3)
      .shows_default();
  command.option("--seed", settings->seed, "accepted everywhere; the samples are fixed");
  command.flag("--json", settings->json, "print a JSON list");
  command.example("wengert gradcheck --op tanh --order 2").runs([settings] { run(*settings); });
}

}  // namespace wengert::tools
