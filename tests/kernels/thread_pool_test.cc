#include "wengert/ops/kernels/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "wengert/ops/kernels/pool_timing.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wengert::kernels {
namespace {

class ThreadPoolTest : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }
};

TEST_F(ThreadPoolTest, RunsEveryTaskOnce) {
  for (int threads : {1, 2, 3, 4, 8}) {
    set_thread_count(threads);
    EXPECT_EQ(thread_count(), threads);
    for (std::int64_t tasks : {0, 1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      parallel_for(tasks, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
      for (const auto& count : runs) EXPECT_EQ(count, 1) << threads << " threads, " << tasks;
    }
  }
}

TEST_F(ThreadPoolTest, MoreTasksThanOneRoundCounts) {
  set_thread_count(3);
  for (std::int64_t tasks : {65535, 65536, 200000}) {
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
    parallel_for(tasks, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
    for (const auto& count : runs) ASSERT_EQ(count, 1) << tasks;
  }
}

TEST_F(ThreadPoolTest, NegativeTaskCountDoesNothing) {
  parallel_for(-1, [](std::int64_t) { FAIL(); });
}

TEST_F(ThreadPoolTest, ManySmallJobsInARow) {
  set_thread_count(4);
  std::int64_t sum = 0;
  for (int job = 0; job < 20000; ++job) {
    std::int64_t parts[3] = {};
    parallel_for(3, [&](std::int64_t i) { parts[i] = job + i; });
    sum += parts[0] + parts[1] + parts[2];
  }
  EXPECT_EQ(sum, 3 * (20000LL * 19999 / 2) + 3 * 20000LL);
}

TEST_F(ThreadPoolTest, WorkersWakeAfterParking) {
  set_thread_count(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> runs{0};
    parallel_for(6, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs, 6);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Whether two tasks ran at once within five seconds: each waits for the other to start. Every
/// number makes a body of its own, of which the pool knows nothing.
template <int kNumber>
bool two_meet() {
  std::atomic<int> started{0};
  bool met[2] = {};
  parallel_for(2, [&](std::int64_t task) {
    ++started;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (started < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    met[task] = started == 2 && std::chrono::steady_clock::now() < end;
  });
  return met[0] && met[1];
}

TEST_F(ThreadPoolTest, ParkedWorkersAreWokenForTasksOfUnknownLength) {
  bool (*const calls[])() = {two_meet<0>, two_meet<1>, two_meet<2>, two_meet<3>};
  int threads = 2;
  for (const auto call : calls) {
    set_thread_count(threads++);
    parallel_for(8, [](std::int64_t) {});
    // Longer than any of them spins, and than the pool rests on a crowded machine.
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLongestRest) +
                                std::chrono::milliseconds(10));
    EXPECT_TRUE(call());
  }
}

TEST_F(ThreadPoolTest, ParkedWorkersAreWokenWhenTasksTurnOutLong) {
  set_thread_count(2);
  std::atomic<bool> slow{false}, others{false};
  const auto caller = std::this_thread::get_id();
  const auto run = [&](std::int64_t tasks) {
    parallel_for(tasks, [&](std::int64_t) {
      if (!slow) return;
      if (std::this_thread::get_id() != caller) others = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  };
  run(1000);  // known as short now
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  slow = true;
  for (int round = 0; round < 10 && !others; ++round) run(200);
  EXPECT_TRUE(others);
}

TEST_F(ThreadPoolTest, ParkedWorkersEnd) {
  for (int threads : {4, 2, 8, 3}) {
    set_thread_count(threads);
    std::atomic<int> runs{0};
    parallel_for(20, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs, 20);
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

TEST_F(ThreadPoolTest, PausesOfAnyLengthBetweenCalls) {
  set_thread_count(3);
  // Around every limit of the waiting: looking on, looking on for longer, parked.
  for (int microseconds : {0, 5, 25, 30, 35, 100, 400, 950, 1000, 1050, 2500}) {
    for (int round = 0; round < 30; ++round) {
      std::atomic<int> runs{0};
      parallel_for(5, [&](std::int64_t) { ++runs; });
      ASSERT_EQ(runs, 5);
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
      while (std::chrono::steady_clock::now() < end) {
      }
    }
  }
}

TEST(Paces, RememberLongTasksForAWhile) {
  const Paces::Body first = [](void*, std::int64_t) {}, second = [](void*, std::int64_t) {};
  Paces paces;
  EXPECT_EQ(paces.of(first), kWorthWaking);
  paces.add(first, 7);
  EXPECT_EQ(paces.of(first), 7);
  paces.add(first, 80'000);
  paces.add(first, 7);  // such as the small and the large matrices of one network, in turn
  EXPECT_EQ(paces.of(first), 70'000);
  for (int i = 0; i < 100; ++i) paces.add(first, 9);
  EXPECT_EQ(paces.of(first), 9);
  EXPECT_NE(paces.of(second), 9);
}

TEST_F(ThreadPoolTest, CallerParksUntilASlowWorkerIsDone) {
  set_thread_count(2);
  std::atomic<int> done{0};
  parallel_for(2, [&](std::int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++done;
  });
  EXPECT_EQ(done, 2);
}

TEST_F(ThreadPoolTest, NestedCallsRunInline) {
  set_thread_count(4);
  std::atomic<int> runs{0};
  parallel_for(8, [&](std::int64_t) {
    const auto outer = std::this_thread::get_id();
    parallel_for(8, [&](std::int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++runs;
    });
  });
  EXPECT_EQ(runs, 64);
}

TEST_F(ThreadPoolTest, SeveralCallersAtOnce) {
  set_thread_count(3);
  std::vector<std::thread> callers;
  std::atomic<int> runs{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int job = 0; job < 500; ++job) parallel_for(5, [&](std::int64_t) { ++runs; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 4 * 500 * 5);
}

TEST_F(ThreadPoolTest, ThreadCountChangesWhileOthersWork) {
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> runs{0};
  std::thread worker([&] {
    while (!stop) parallel_for(4, [&](std::int64_t) { ++runs; });
  });
  for (int round = 0; round < 50; ++round) {
    set_thread_count(1 + round % 5);
    parallel_for(4, [&](std::int64_t) { ++runs; });
  }
  stop = true;
  worker.join();
  EXPECT_EQ(runs % 4, 0);
}

TEST_F(ThreadPoolTest, RethrowsTheLowestTasksException) {
  for (int threads : {1, 2, 4, 8}) {
    set_thread_count(threads);
    for (int round = 0; round < 50; ++round) {
      try {
        parallel_for(40, [](std::int64_t i) {
          if (i % 10 == 7) throw std::runtime_error(std::to_string(i));
        });
        FAIL() << "nothing thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "7");
      }
      std::atomic<int> runs{0};
      parallel_for(10, [&](std::int64_t) { ++runs; });
      EXPECT_EQ(runs, 10) << "the pool must survive an exception";
    }
  }
}

TEST_F(ThreadPoolTest, UnreasonableThreadCountsAreLimited) {
  set_thread_count(1 << 30);
  EXPECT_EQ(thread_count(), 1024);
  set_thread_count(-5);
  EXPECT_GE(thread_count(), 1);
}

#if defined(__x86_64__)
TEST_F(ThreadPoolTest, TasksSeeTheCallersFloatControl) {
  set_thread_count(4);
  const unsigned before = _mm_getcsr();
  for (unsigned control : {0u, 0x8040u, 0u}) {
    _mm_setcsr((before & ~0x8040u) | control);
    std::atomic<int> wrong{0};
    parallel_for(64, [&](std::int64_t) {
      if ((_mm_getcsr() & 0x8040u) != control) ++wrong;
      std::this_thread::yield();
    });
    EXPECT_EQ(wrong, 0);
  }
  _mm_setcsr(before);
}
#endif

TEST_F(ThreadPoolTest, PlainFunctionAndContext) {
  std::atomic<int> runs{0};
  parallel_for(
      9, [](void* context, std::int64_t) { ++*static_cast<std::atomic<int>*>(context); }, &runs);
  EXPECT_EQ(runs, 9);
}

}  // namespace
}  // namespace wengert::kernels
