#include <atomic>
#include <thread>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_mlp.h"
#include "tools/wengert/console.h"
#include "wengert/ops/kernels/thread_pool.h"

// What a second thread gains: the MLP's step with two threads beside the same with one.
namespace wengert::tools {
namespace {

constexpr double kPause = 350e3;  // nanoseconds of other work between steps

/// Work of one thread that is none of the library's.
void work_alone(double time) {
  std::atomic<int> count{0};
  double taken = 0;
  while (taken < time) {
    taken += nanoseconds([&] {
      for (int i = 0; i < 1000; ++i) ++count;
    });
  }
}

/// Blocks of steps with two threads and with one, in turn; the first steps of a block, in which
/// the pool settles, count with the others.
BenchRow compare_threads(const std::string& name, double pause) {
  constexpr int kBlocks = 12, kSteps = 40;
  MlpWork work(64);
  work.step();
  std::vector<double> times[3];
  for (int block = 0; block < 2 * kBlocks; ++block) {
    const int threads = 1 + block % 2;
    kernels::set_thread_count(threads);
    for (int i = 0; i < kSteps; ++i) {
      if (pause > 0) work_alone(pause);
      times[threads].push_back(nanoseconds([&] { work.step(); }) / 1000);
    }
  }
  const BenchRow one = summarize(name, "µs", times[1]);
  BenchRow row = summarize(name, "µs", times[2]);
  row.floor = one.median;
  row.floor_ratio = row.median / one.median;
  show_progress("bench " + name, 1);
  return row;
}

/// Threads that never stop computing, on all cores but one.
class Neighbours {
 public:
  Neighbours() {
    const unsigned cores = std::thread::hardware_concurrency();
    for (unsigned i = 1; i < cores; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) ++count_;
      });
    }
  }
  ~Neighbours() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> count_{0};
  std::vector<std::thread> threads_;
};

}  // namespace

void bench_threads(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("threads", false)) return;
  const int threads = kernels::thread_count();
  const auto add = [&](const std::string& name, double pause, const std::string& note) {
    if (!selection.wants(name)) return;
    rows.push_back(compare_threads(name, pause));
    rows.back().note = note + "; floor: one thread";
  };
  add("threads/mlp", 0, "two threads, step after step");
  add("threads/mlp-pause", kPause, "350 µs of other work before each step");
  if (selection.wants("threads/mlp-neighbour")) {
    const Neighbours neighbours;
    add("threads/mlp-neighbour", 0, "all cores but one busy with something else");
  }
  kernels::set_thread_count(threads);
}

}  // namespace wengert::tools
