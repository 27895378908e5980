#pragma once

#include <functional>
#include <string>
#include <vector>

// What the benchmarks share. A row is measured over many repeats; where it has a floor, the floor
// is run in turn with it in the same repeats, so that the ratio holds when the machine drifts.
namespace wengert::tools {

struct BenchRow {
  std::string name;  ///< "record/add/1"
  std::string unit;  ///< "ns", "µs", "MB", …
  double median = 0, p25 = 0, p75 = 0;
  double floor_ratio = 0;  ///< median over the floor's median; 0: no floor
  double floor = 0;        ///< the floor's median
  std::string note;
};

/// Keeps rows whose name starts with one of the wanted names; none wanted: all but slow extras.
struct BenchSelection {
  std::vector<std::string> names;
  bool wants(const std::string& name) const;
  /// Whether any wanted name starts with this group, or nothing is wanted and it is a usual one.
  bool wants_group(const std::string& group, bool usual) const;
};

/// Median and quartiles of repeated measurements.
BenchRow summarize(std::string name, std::string unit, std::vector<double> values);

/// Nanoseconds that `body` takes.
double nanoseconds(const std::function<void()>& body);

/// Runs subject and floor in turn; times are divided by `per`.
BenchRow compare(std::string name, std::string unit, double per, int repeats,
                 const std::function<void()>& subject, const std::function<void()>& floor = {});

void bench_chains(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_layers(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_step(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_embedding(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_memory(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_gemm(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_derivatives(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_random(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_threads(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_update(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_layouts(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_techniques(const BenchSelection& selection, std::vector<BenchRow>& rows);
void bench_ops(const BenchSelection& selection, std::vector<BenchRow>& rows);

/// The work of the memory row, run in a process of its own; prints the peak in bytes.
void run_memory_child();

}  // namespace wengert::tools
