#pragma once

// Private to the library.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#endif

// How long the threads of the pool wait for each other, and what they can tell about time.
namespace wengert::kernels {

using Nanoseconds = std::int64_t;

// A thread without work looks for some this long before it parks …
inline constexpr Nanoseconds kSpin = 30'000;
// … or this long where that has lately met the next call, such as the next step of a loop that
// does other things in between. It then offers its core to others all the while.
inline constexpr Nanoseconds kLongSpin = 1'000'000;
// Waking a parked thread costs the caller a system call and takes this long: work that one thread
// does in less is done by then.
inline constexpr Nanoseconds kWorthWaking = 40'000;
// A look for work that takes longer was interrupted: others want the core.
inline constexpr Nanoseconds kInterrupted = 100'000;
// Where a started task has kept the caller waiting for this long and its thread was thrown off its
// core meanwhile, another process needs that core: the pool rests for a while, twice as long each
// time, so that what is lost stays a small part.
inline constexpr Nanoseconds kStall = 200'000;
inline constexpr Nanoseconds kShortestRest = 5'000'000, kLongestRest = 320'000'000;
// After a wake-up that brought no help, such as on a machine whose cores are all busy, nobody is
// woken for a while, twice as long each time.
inline constexpr Nanoseconds kShortestQuiet = 1'000'000, kLongestQuiet = 256'000'000;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

inline Nanoseconds now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The core that this thread runs on; below 0 where that cannot be told.
inline int current_core() {
#if defined(__linux__)
  return ::sched_getcpu();
#else
  return -1;
#endif
}

// How often another thread was given this thread's core while it could have gone on.
inline long interruptions() {
#if defined(RUSAGE_THREAD)
  rusage usage;
  return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
#else
  return 0;
#endif
}

// A pool thread. It parks by waiting until `parked` is no longer 1; who sets it to 0 owes the wake.
struct alignas(64) Worker {
  std::atomic<std::uint32_t> parked{0};
  int patience = 0;  ///< how sure it is that long spins meet the next call: 0 to kMostPatience
  long interruptions = 0;
  std::thread thread;
};
inline constexpr int kMostPatience = 4;

// How long the tasks of a body take: the longest lately seen, since waking nobody for long ones is
// the larger mistake.
class Paces {
 public:
  using Body = void (*)(void* context, std::int64_t task);

  Nanoseconds of(Body body) const {
    const Entry& entry = entries_[slot(body)];
    return entry.body == body ? entry.pace : kWorthWaking;
  }
  void add(Body body, Nanoseconds pace) {
    Entry& entry = entries_[slot(body)];
    const Nanoseconds before = entry.body == body ? entry.pace - entry.pace / 8 : 0;
    entry = {body, pace > before ? pace : before};
  }

 private:
  struct Entry {
    Body body = nullptr;
    Nanoseconds pace = 0;
  };
  static constexpr std::size_t kSlots = 64;
  static std::size_t slot(Body body) {
    return (reinterpret_cast<std::uintptr_t>(body) >> 4) % kSlots;
  }
  Entry entries_[kSlots];
};

}  // namespace wengert::kernels
