#include "wengert/ops/kernels/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wengert::kernels {
namespace {

using TaskBody = void (*)(void* context, std::int64_t task);

constexpr int kMaxThreads = 1024;
// Some 10-40 µs of pauses, then a thread parks: longer spinning steals the core from whoever has
// work, shorter pays 20 µs of wake-up between the kernels of one training step.
constexpr int kSpins = 1000;
// A round's tasks are counted in the lower half of a 64-bit ticket.
constexpr std::int64_t kMaxTasksPerRound = std::numeric_limits<std::int32_t>::max();

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// Rounding, FTZ, DAZ and exception masks; not the sticky status flags.
unsigned float_control() {
#if defined(__x86_64__)
  return _mm_getcsr() & ~0x3fu;
#else
  return 0;
#endif
}

void set_float_control([[maybe_unused]] unsigned control) {
#if defined(__x86_64__)
  if (float_control() != control) _mm_setcsr(control);
#endif
}

int default_thread_count() {
  if (const char* text = std::getenv("WENGERT_NUM_THREADS")) {
    char* end = nullptr;
    const long count = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && count >= 1 && count <= kMaxThreads) {
      return static_cast<int>(count);
    }
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
}

// 0 stands for "not set yet", so that reading the environment waits for the first use.
std::atomic<int> wanted_threads{0};

// True on a thread that runs tasks: a nested parallel_for must not wait for the pool.
thread_local bool inside_task = false;

// One job at a time, dealt out through one atomic word.
//
// ticket = (round number << 32) | tasks not yet claimed. A thread claims the next task by
// decrementing the ticket with compare-and-swap. A swap that succeeds proves that the round is
// still the one whose fields were read before it, and the claimed task keeps the round open: the
// caller starts no other before `unfinished` is zero. Hence a late thread needs no registration,
// and the fields are atomics only because a late thread may read them while the next round is set.
class Pool {
 public:
  void run(std::int64_t tasks, TaskBody body, void* context);
  // Ends all workers; afterwards run() works inline.
  void close();

 private:
  void resize(int workers);
  void stop_workers();
  void work();
  void run_round(std::int64_t first, std::int64_t tasks, TaskBody body, void* context);
  bool claim_and_run(bool adopt_float_control);
  void wait_for_finish();
  void record_failure(std::int64_t task);
  static void run_inline(std::int64_t tasks, TaskBody body, void* context);

  static constexpr std::int64_t kNoFailure = std::numeric_limits<std::int64_t>::max();

  std::mutex owner_;  // held by the one caller whose job the pool runs; guards the next two
  std::vector<std::thread> workers_;
  bool closed_ = false;

  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::int64_t> unfinished_{0};
  alignas(64) std::atomic<TaskBody> body_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<std::int64_t> end_{0};
  std::atomic<unsigned> float_control_{0};
  std::atomic<std::int64_t> failed_task_{kNoFailure};

  alignas(64) std::atomic<int> parked_workers_{0};
  std::atomic<bool> caller_parked_{false};
  std::atomic<bool> stopping_{false};
  std::mutex park_;  // guards the conditions below and failure_
  std::condition_variable work_ready_;
  std::condition_variable job_done_;
  std::exception_ptr failure_;
};

void Pool::run_inline(std::int64_t tasks, TaskBody body, void* context) {
  for (std::int64_t task = 0; task < tasks; ++task) body(context, task);
}

void Pool::record_failure(std::int64_t task) {
  std::lock_guard lock(park_);
  if (task < failed_task_.load(std::memory_order_relaxed)) {
    failed_task_.store(task, std::memory_order_relaxed);
    failure_ = std::current_exception();
  }
}

// Runs one task if one is left; false otherwise.
bool Pool::claim_and_run(bool adopt_float_control) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  TaskBody body;
  void* context;
  std::int64_t task;
  do {
    const auto left = static_cast<std::int64_t>(ticket & 0xffffffffu);
    if (left == 0) return false;
    body = body_.load(std::memory_order_relaxed);
    context = context_.load(std::memory_order_relaxed);
    task = end_.load(std::memory_order_relaxed) - left;
    if (adopt_float_control) set_float_control(float_control_.load(std::memory_order_relaxed));
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  if (task < failed_task_.load(std::memory_order_relaxed)) {
    try {
      body(context, task);
    } catch (...) {
      record_failure(task);
    }
  }
  // Sequentially consistent with caller_parked_: either this thread sees the caller parked, or the
  // caller sees the zero before it sleeps.
  if (unfinished_.fetch_sub(1) == 1 && caller_parked_.load()) {
    std::lock_guard lock(park_);
    job_done_.notify_one();
  }
  return true;
}

void Pool::work() {
  inside_task = true;
  while (true) {
    int spins = 0;
    while (claim_and_run(/*adopt_float_control=*/true)) spins = 0;
    for (; spins < kSpins; ++spins) {
      if ((ticket_.load(std::memory_order_relaxed) & 0xffffffffu) != 0 ||
          stopping_.load(std::memory_order_relaxed)) {
        break;
      }
      pause();
    }
    if (spins < kSpins && !stopping_.load()) continue;
    std::unique_lock lock(park_);
    parked_workers_.fetch_add(1);
    work_ready_.wait(lock,
                     [this] { return stopping_.load() || (ticket_.load() & 0xffffffffu) != 0; });
    parked_workers_.fetch_sub(1);
    if (stopping_.load()) return;
  }
}

void Pool::stop_workers() {
  {
    std::lock_guard lock(park_);
    stopping_.store(true);
    work_ready_.notify_all();
  }
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stopping_.store(false);
}

void Pool::resize(int workers) {
  if (static_cast<int>(workers_.size()) > workers) stop_workers();
  while (static_cast<int>(workers_.size()) < workers) {
    try {
      workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return;  // The system has no thread to give: the ones at hand do the work.
    }
  }
}

void Pool::close() {
  std::lock_guard lock(owner_);
  closed_ = true;
  stop_workers();
}

void Pool::wait_for_finish() {
  for (int spins = 0; spins < kSpins; ++spins) {
    if (unfinished_.load(std::memory_order_acquire) == 0) return;
    pause();
  }
  std::unique_lock lock(park_);
  caller_parked_.store(true);
  job_done_.wait(lock, [this] { return unfinished_.load() == 0; });
  caller_parked_.store(false);
}

void Pool::run_round(std::int64_t first, std::int64_t tasks, TaskBody body, void* context) {
  body_.store(body, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  end_.store(first + tasks, std::memory_order_relaxed);
  float_control_.store(float_control(), std::memory_order_relaxed);
  unfinished_.store(tasks, std::memory_order_relaxed);
  const std::uint64_t round = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store((round << 32) | static_cast<std::uint64_t>(tasks));
  if (parked_workers_.load() > 0) {
    std::lock_guard lock(park_);
    if (tasks == 2) {
      work_ready_.notify_one();
    } else {
      work_ready_.notify_all();
    }
  }
  while (claim_and_run(/*adopt_float_control=*/false)) {
  }
  wait_for_finish();
}

void Pool::run(std::int64_t tasks, TaskBody body, void* context) {
  std::unique_lock owner(owner_, std::try_to_lock);
  if (!owner.owns_lock() || closed_) return run_inline(tasks, body, context);
  resize(thread_count() - 1);
  if (workers_.empty()) {
    owner.unlock();
    return run_inline(tasks, body, context);
  }
  inside_task = true;
  failed_task_.store(kNoFailure, std::memory_order_relaxed);
  for (std::int64_t first = 0; first < tasks; first += kMaxTasksPerRound) {
    run_round(first, std::min(tasks - first, kMaxTasksPerRound), body, context);
    if (failed_task_.load(std::memory_order_relaxed) != kNoFailure) break;
  }
  inside_task = false;
  if (failed_task_.load(std::memory_order_relaxed) == kNoFailure) return;
  std::exception_ptr failure;
  {
    std::lock_guard lock(park_);
    failure = std::move(failure_);
    failure_ = nullptr;
  }
  owner.unlock();
  std::rethrow_exception(std::move(failure));
}

// Never destroyed, so that a parallel_for from a static destructor still finds it; its threads are
// joined at exit.
Pool& pool() {
  static Pool* const instance = [] {
    Pool* created = new Pool;
    static struct Closer {
      Pool* pool;
      ~Closer() { pool->close(); }
    } closer{created};
    return created;
  }();
  return *instance;
}

}  // namespace

void parallel_for(std::int64_t tasks, void (*body)(void* context, std::int64_t task),
                  void* context) {
  if (tasks <= 1 || inside_task || thread_count() == 1) {
    for (std::int64_t task = 0; task < tasks; ++task) body(context, task);
    return;
  }
  pool().run(tasks, body, context);
}

void set_thread_count(int count) {
  wanted_threads.store(count <= 0 ? default_thread_count() : std::min(count, kMaxThreads),
                       std::memory_order_relaxed);
}

int thread_count() {
  const int count = wanted_threads.load(std::memory_order_relaxed);
  if (count != 0) return count;
  static const int initial = default_thread_count();
  return initial;
}

}  // namespace wengert::kernels
