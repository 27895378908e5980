#include "tools/wengert/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "wengert/graph/error.h"
#include "wengert/graph/op.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/cpu.h"
#include "wengert/ops/kernels/gemm.h"
#include "wengert/ops/kernels/thread_pool.h"

namespace wengert::tools {
namespace {

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

void print_rows(const std::vector<BenchRow>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BenchRow& row : rows) {
    nlohmann::ordered_json entry = {{"name", row.name},     {"unit", row.unit},
                                    {"median", row.median}, {"p25", row.p25},
                                    {"p75", row.p75},       {"floor_ratio", nullptr}};
    if (row.floor_ratio > 0) entry["floor_ratio"] = row.floor_ratio;
    if (!row.note.empty()) entry["note"] = row.note;
    list.push_back(entry);
  }
  print_json(list);
}

void print_table(const std::vector<BenchRow>& rows, int threads) {
  std::printf("%s, kernels of level %s, %d thread(s)\n", kernels::cpu_description().c_str(),
              kernels::cpu_level_name(kernels::cpu_level()), threads);
  TextTable table({"name", "unit", "median", "p25", "p75", "floor", "ratio", "note"});
  for (const BenchRow& row : rows) {
    table.add({row.name, row.unit, format_number(row.median), format_number(row.p25),
               format_number(row.p75), row.floor > 0 ? format_number(row.floor) : "",
               row.floor_ratio > 0 ? format_number(row.floor_ratio, 3) : "", row.note});
  }
  std::printf("%s", table.str().c_str());
}

void run(const BenchSelection& selection, int threads, bool json) {
  kernels::set_thread_count(threads);
  std::vector<BenchRow> rows;
  bench_memory(selection, rows);
  bench_chains(selection, rows);
  bench_layers(selection, rows);
  bench_step(selection, rows);
  bench_embedding(selection, rows);
  bench_derivatives(selection, rows);
  bench_gemm(selection, rows);
  bench_random(selection, rows);
  bench_threads(selection, rows);
  bench_update(selection, rows);
  bench_layouts(selection, rows);
  bench_techniques(selection, rows);
  bench_ops(selection, rows);
  clear_progress();
  for (const std::string& name : selection.names) {
    const bool ran = std::any_of(rows.begin(), rows.end(),
                                 [&](const BenchRow& row) { return row.name.rfind(name, 0) == 0; });
    if (ran) continue;
    const std::string in_groups =
        find_op(name) != nullptr ? "try record/" + name + ", backward/" + name + " or op/" + name
                                 : "";
    throw Error(ErrorKind::kValue, "bench", "no row's name begins with '" + name + "'",
                in_groups.empty() ? "`wengert bench --help` lists the groups" : in_groups);
  }
  if (json) {
    print_rows(rows);
    return;
  }
  print_table(rows, threads);
  if (selection.wants_group("gemm", false)) {
    std::printf("OpenBLAS runs its core %s\n", kernels::openblas_core().c_str());
  }
}

}  // namespace

bool BenchSelection::wants(const std::string& name) const {
  if (names.empty()) return true;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& each) { return name.rfind(each, 0) == 0; });
}

bool BenchSelection::wants_group(const std::string& group, bool usual) const {
  if (names.empty()) return usual;
  return std::any_of(names.begin(), names.end(), [&](const std::string& each) {
    return each.rfind(group, 0) == 0 || group.rfind(each, 0) == 0;
  });
}

BenchRow summarize(std::string name, std::string unit, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  BenchRow row;
  row.name = std::move(name);
  row.unit = std::move(unit);
  row.median = quantile(values, 0.5);
  row.p25 = quantile(values, 0.25);
  row.p75 = quantile(values, 0.75);
  return row;
}

double nanoseconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

BenchRow compare(std::string name, std::string unit, double per, int repeats,
                 const std::function<void()>& subject, const std::function<void()>& floor) {
  std::vector<double> times, floors;
  subject();
  if (floor) floor();
  for (int i = 0; i < repeats; ++i) {
    times.push_back(nanoseconds(subject) / per);
    if (floor) floors.push_back(nanoseconds(floor) / per);
  }
  BenchRow row = summarize(std::move(name), std::move(unit), std::move(times));
  if (floor) {
    row.floor = summarize("", "", std::move(floors)).median;
    row.floor_ratio = row.median / row.floor;
  }
  show_progress("bench " + row.name, 1);
  return row;
}

void add_bench(Program& program) {
  Command command = program.command("bench", "Measure, beside hand-written floors in the same run");
  auto selection = std::make_shared<BenchSelection>();
  auto threads = std::make_shared<int>(1);
  auto json = std::make_shared<bool>(false);
  auto child = std::make_shared<bool>(false);
  auto seed = std::make_shared<std::uint64_t>(1);
  command.option(
      "NAME", selection->names,
      "rows or groups to run: record, backward, step, memory (the usual ones); "
      "layer, gemm, derivatives, random, threads, layout, loss, norm, dropout, op (all ops) or "
      "op/tanh; any prefix of a "
      "row's name");
  command.option("--threads", *threads, "threads of the library").between(1, 1024).shows_default();
  command.option("--seed", *seed, "accepted everywhere; the inputs here are fixed");
  command.flag("--json", *json, "print a JSON list of {name, unit, median, p25, p75, floor_ratio}");
  command.flag("--memory-child", *child, "").hidden();
  command.example("wengert bench step gemm").runs([=] {
    if (*child) {
      run_memory_child();
    } else {
      run(*selection, *threads, *json);
    }
  });
}

}  // namespace wengert::tools
