#include "wengert/ops/kernels/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "wengert/graph/not_cancelled.h"
#include "wengert/ops/kernels/pool_timing.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wengert::kernels {
namespace {

using TaskBody = void (*)(void* context, std::int64_t task);

constexpr int kMaxThreads = 1024;

// A round's tasks are counted in 16 bits of a ticket.
constexpr std::int64_t kMaxTasksPerRound = std::numeric_limits<std::uint16_t>::max();

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
// initial-exec: no memory is asked for at a thread's first use.
thread_local bool inside_task __attribute__((tls_model("initial-exec"))) = false;

// One job at a time, dealt out through one atomic word.
//
// ticket = (round number << 32) | (tasks not yet claimed << 16) | tasks that the caller claimed.
// The caller claims the first task left, a worker the last, by compare-and-swap: so each finds in
// its cache what it made in the round before. A swap that succeeds proves that the round is still
// the one whose fields were read before it, and the claimed task keeps the round open: the caller
// starts no other before `unfinished` is zero. Hence a late thread needs no registration, and the
// fields are atomics only because a late thread may read them while the next round is set. The
// caller claims tasks too, so that what a parked or busy worker has not started waits for nobody.
class Pool {
 public:
  void run(std::int64_t tasks, TaskBody body, void* context);
  // Ends all workers; afterwards run() works inline.
  void close();

 private:
  void resize(int workers);
  void stop_workers();
  bool has_work() const { return (ticket_.load() >> 16 & 0xffffu) != 0 || stopping_.load(); }
  void work(Worker& worker);
  void wait_for_work(Worker& worker);
  bool spin_for_work(Worker& worker, Nanoseconds begin) const;
  void park(Worker& worker);
  void wake(std::int64_t count);
  void run_round(std::int64_t first, std::int64_t tasks, TaskBody body, void* context);
  bool claim_and_run(Worker* worker);
  void wait_for_finish(Nanoseconds longest);
  void rest();
  void learn_from_wake(bool helped, Nanoseconds time);
  void record_failure(std::int64_t task);
  static void run_inline(std::int64_t tasks, TaskBody body, void* context);

  static constexpr std::int64_t kNoFailure = std::numeric_limits<std::int64_t>::max();

  std::mutex owner_;  // held by the one caller whose job the pool runs; guards these
  std::vector<std::unique_ptr<Worker>> workers_;
  Paces paces_;
  Nanoseconds resting_until_ = 0, rest_ = kShortestRest;
  Nanoseconds quiet_until_ = 0, quiet_ = 0;
  bool closed_ = false;

  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::int64_t> unfinished_{0};
  alignas(64) std::atomic<TaskBody> body_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<std::int64_t> first_{0};
  std::atomic<unsigned> float_control_{0};
  std::atomic<int> callers_core_{-1};
  std::atomic<std::int64_t> failed_task_{kNoFailure};

  alignas(64) std::atomic<int> parked_workers_{0};
  std::atomic<std::uint32_t> caller_parked_{0};
  std::atomic<bool> crowded_{false};
  std::atomic<bool> shares_core_{false};  // a worker was woken on the caller's own core
  std::atomic<bool> stopping_{false};
  std::mutex failing_;  // guards failure_
  std::exception_ptr failure_;
};

void Pool::run_inline(std::int64_t tasks, TaskBody body, void* context) {
  for (std::int64_t task = 0; task < tasks; ++task) body(context, task);
}

void Pool::record_failure(std::int64_t task) {
  std::lock_guard lock(failing_);
  if (task < failed_task_.load(std::memory_order_relaxed)) {
    failed_task_.store(task, std::memory_order_relaxed);
    failure_ = std::current_exception();
  }
}

// Runs one task if one is left; false otherwise.
bool Pool::claim_and_run(Worker* worker) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  TaskBody body;
  void* context;
  std::int64_t task;
  std::uint64_t next;
  do {
    const auto left = static_cast<std::int64_t>(ticket >> 16 & 0xffffu);
    const auto claimed = static_cast<std::int64_t>(ticket & 0xffffu);
    if (left == 0) return false;
    body = body_.load(std::memory_order_relaxed);
    context = context_.load(std::memory_order_relaxed);
    task = first_.load(std::memory_order_relaxed) + claimed;
    next = ticket - (1u << 16) + 1;
    if (worker != nullptr) {
      task += left - 1;
      next = ticket - (1u << 16);
    }
    if (worker != nullptr) set_float_control(float_control_.load(std::memory_order_relaxed));
  } while (!ticket_.compare_exchange_weak(ticket, next, std::memory_order_acq_rel,
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
  if (unfinished_.fetch_sub(1) == 1 && caller_parked_.load() != 0) {
    if (worker != nullptr) {
      const long count = interruptions();
      if (count > worker->interruptions) crowded_.store(true);
      worker->interruptions = count;
    }
    caller_parked_.store(0);
    caller_parked_.notify_one();
  }
  return true;
}

void Pool::work(Worker& worker) {
  inside_task = true;
  worker.interruptions = interruptions();
  while (!stopping_.load()) {
    if (!claim_and_run(&worker)) wait_for_work(worker);
  }
}

// Returns when there may be work, and learns whether looking for it longer would pay.
void Pool::wait_for_work(Worker& worker) {
  const Nanoseconds begin = now();
  if (!spin_for_work(worker, begin)) {
    park(worker);
    const int core = callers_core_.load(std::memory_order_relaxed);
    if (core >= 0 && core == current_core() && has_work()) shares_core_.store(true);
  }
  const Nanoseconds idle = now() - begin;
  if (idle <= kSpin) return;
  worker.interruptions = interruptions();
  worker.patience = std::clamp(worker.patience + (idle <= kLongSpin ? 1 : -1), 0, kMostPatience);
}

bool Pool::spin_for_work(Worker& worker, Nanoseconds begin) const {
  const Nanoseconds limit = worker.patience > 0 ? kLongSpin : kSpin;
  for (Nanoseconds last = begin;;) {
    for (int i = 0; i < 32; ++i) {
      if (has_work()) return true;
      pause();
    }
    const Nanoseconds time = now();
    if (time - last > kInterrupted) {
      worker.patience = 0;
      return false;
    }
    if (time - begin > limit) return false;
    if (time - begin > kSpin) std::this_thread::yield();
    last = time;
  }
}

// Sequentially consistent with ticket_: either this thread sees the work, or who brought it sees
// the thread parked.
void Pool::park(Worker& worker) {
  parked_workers_.fetch_add(1);  // first, so that nobody parked goes uncounted
  worker.parked.store(1);
  if (has_work()) {
    if (worker.parked.exchange(0) == 1) parked_workers_.fetch_sub(1);
    return;
  }
  while (worker.parked.load() == 1) worker.parked.wait(1);
}

// Wakes up to `count` parked workers; one that was woken counts as awake before it runs, so that
// the next round does not wake it again.
void Pool::wake(std::int64_t count) {
  for (const auto& worker : workers_) {
    if (count <= 0 || parked_workers_.load() == 0) return;
    if (worker->parked.load() == 0 || worker->parked.exchange(0) == 0) continue;
    parked_workers_.fetch_sub(1);
    worker->parked.notify_one();
    --count;
  }
}

void Pool::stop_workers() {
  const detail::NotCancelled whole;
  stopping_.store(true);
  wake(static_cast<std::int64_t>(workers_.size()));
  for (const auto& worker : workers_) worker->thread.join();
  workers_.clear();
  stopping_.store(false);
}

void Pool::resize(int workers) {
  if (static_cast<int>(workers_.size()) > workers) stop_workers();
  while (static_cast<int>(workers_.size()) < workers) {
    try {
      workers_.reserve(static_cast<std::size_t>(workers));  // a thread that runs gets its place
      auto worker = std::make_unique<Worker>();
      worker->thread = std::thread([this, &w = *worker] { work(w); });
      workers_.push_back(std::move(worker));
    } catch (const std::exception&) {
      return;  // The system has no thread or memory to give: the ones at hand do the work.
    }
  }
}

void Pool::close() {
  std::lock_guard lock(owner_);
  closed_ = true;
  stop_workers();
}

// `longest` is what a started task should take at most.
void Pool::wait_for_finish(Nanoseconds longest) {
  const auto finished = [this] { return unfinished_.load() == 0; };
  if (finished()) return;
  const Nanoseconds begin = now();
  for (Nanoseconds waited = 0; waited < kStall; waited = now() - begin) {
    for (int i = 0; i < 32; ++i) {
      if (finished()) return;
      pause();
    }
    if (waited > kSpin) std::this_thread::yield();
  }
  while (!finished()) {
    caller_parked_.store(1);
    if (!finished()) caller_parked_.wait(1);
  }
  caller_parked_.store(0);
  if (crowded_.exchange(false) && now() - begin > longest) rest();
}

void Pool::rest() {
  const Nanoseconds time = now();
  // Undisturbed for long enough, the next disturbance counts as the first.
  const bool first = time - resting_until_ > kLongestRest;
  rest_ = first ? kShortestRest : std::min(2 * rest_, kLongestRest);
  resting_until_ = time + rest_;
}

void Pool::run_round(std::int64_t first, std::int64_t tasks, TaskBody body, void* context) {
  body_.store(body, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  first_.store(first, std::memory_order_relaxed);
  float_control_.store(float_control(), std::memory_order_relaxed);
  callers_core_.store(current_core(), std::memory_order_relaxed);
  unfinished_.store(tasks, std::memory_order_relaxed);
  const std::uint64_t round = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store((round << 32) | static_cast<std::uint64_t>(tasks) << 16);
  const Nanoseconds begin = now();
  // Nobody to wake, or none that would come in time.
  bool decided = parked_workers_.load() == 0 || begin < quiet_until_, woken = false;
  if (!decided && paces_.of(body) >= kWorthWaking / tasks) {
    wake(tasks - 1);
    decided = woken = true;
  }
  std::int64_t own = 0;
  while (claim_and_run(nullptr)) {
    ++own;
    // The guess was too low.
    if (!decided && (now() - begin) / own >= kWorthWaking / tasks) {
      wake(tasks - own);
      decided = woken = true;
    }
  }
  if (own == 0) return wait_for_finish(std::numeric_limits<Nanoseconds>::max());
  const Nanoseconds end = now(), pace = (end - begin) / own;
  paces_.add(body, pace);
  wait_for_finish(4 * pace);
  if (woken) learn_from_wake(own < tasks && !shares_core_.exchange(false), end);
}

void Pool::learn_from_wake(bool helped, Nanoseconds time) {
  quiet_ = helped ? 0 : std::clamp(2 * quiet_, kShortestQuiet, kLongestQuiet);
  quiet_until_ = time + quiet_;
}

void Pool::run(std::int64_t tasks, TaskBody body, void* context) {
  std::unique_lock owner(owner_, std::try_to_lock);
  if (!owner.owns_lock() || closed_) return run_inline(tasks, body, context);
  if (resting_until_ != 0 && now() < resting_until_) {
    owner.unlock();
    return run_inline(tasks, body, context);
  }
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
    std::lock_guard lock(failing_);
    failure = std::move(failure_);
    failure_ = nullptr;
  }
  owner.unlock();
  std::rethrow_exception(std::move(failure));
}

// Never destroyed, so that a parallel_for from a static destructor still finds it; its threads are
// joined at exit.
Pool* the_pool = nullptr;

Pool& pool() {
  [[maybe_unused]] static const bool made = [] {
    the_pool = new Pool;
    // The child of a fork has none of the threads, and locks that they held stay locked: it gets a
    // pool of its own.
    ::pthread_atfork(nullptr, nullptr, [] {
      [[maybe_unused]] static Pool* parents;
      parents = the_pool;
      the_pool = new Pool;
    });
    static struct Closer {
      ~Closer() { the_pool->close(); }
    } closer;
    return true;
  }();
  return *the_pool;
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
