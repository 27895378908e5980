#pragma once

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <new>
#include <string>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/tests/sanitizers.h"

// Calls that may crash, hang or want all memory: they run in a child that has little of it and a
// moment for each.
namespace wengert {

#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
inline constexpr bool kLimitsMemory = false;  // sanitizers take memory of their own
#else
inline constexpr bool kLimitsMemory = true;
#endif

/// How a row of tasks ended: all done, or at `task`, stopped or with a complaint.
struct Ended {
  std::size_t task;
  bool done = false, stopped = false;
  std::string complaint = {};
};

/// Memory that a child shares with its parent.
struct Progress {
  std::size_t task;
  char complaint[1024];
};

inline void limit_memory() {
  constexpr rlim_t kMemory = rlim_t{512} << 20;
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  const rlim_t limit = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlimit wanted{limit + kMemory, limit + kMemory};
  if (pages == 0 || setrlimit(RLIMIT_AS, &wanted) != 0) _exit(9);
}

/// Runs task(first), …, task(count − 1), each for at most `moment` µs, until one says what is
/// wrong, crashes or is stopped.
inline Ended run_limited(std::size_t first, std::size_t count, long moment,
                         const std::function<std::string(std::size_t)>& task) {
  void* shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return {first, false, false, "no memory to share"};
  auto& progress = *new (shared) Progress{first, {}};
  const pid_t child = fork();
  if (child == 0) {
    kernels::set_thread_count(1);
    if (kLimitsMemory) limit_memory();
    for (; progress.task < count; ++progress.task) {
      const itimerval limit{{0, 0}, {moment / 1000000, moment % 1000000}};
      setitimer(ITIMER_REAL, &limit, nullptr);
      const std::string wrong = task(progress.task);
      if (wrong.empty()) continue;
      std::snprintf(progress.complaint, sizeof progress.complaint, "%s", wrong.c_str());
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  Ended ended{first, false, false, "no child"};
  if (child > 0 && waitpid(child, &status, 0) == child) {
    ended = {progress.task, WIFEXITED(status) && WEXITSTATUS(status) == 0,
             WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, progress.complaint};
    if (WIFSIGNALED(status)) ended.complaint = strsignal(WTERMSIG(status));
  }
  munmap(shared, sizeof(Progress));
  return ended;
}

}  // namespace wengert
