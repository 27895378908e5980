#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tests/graph/errors.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/storage.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"
#include "wengert/tests/sanitizers.h"

// Threads that end early, late or not at all, and what runs when they or the process do.
namespace wengert {
namespace {

/// A gradient through scalars, storage and a parallel product; whether it is right.
bool differentiates() {
  Tape tape;
  const Var x = variable(0.5);
  const Var y = grad(x * x * x, x);
  const Var ones = variable(Tensor::full({160, 160}, 1, DType::kFloat64));
  Scope scope("late");
  const Gradients gradients = backward(sum(matmul(ones, ones)));
  return y.item<double>() == 0.75 && gradients[ones].value().at(7) == 320;
}

/// The status that a child ends with which runs `body` and exits. One that hangs is ended: it holds
/// the output that whoever runs the tests waits for.
int status_of_child(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    ::alarm(60);
    body();
    std::exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

void exit_unless(bool right) {
  if (!right) _exit(3);
}

class OwnThread : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = kernels::thread_count();
    kernels::set_thread_count(3);
  }
  void TearDown() override { kernels::set_thread_count(before_); }
  int before_ = 0;
};

/// Forks of processes with threads are beyond the thread sanitizer.
class Ends : public OwnThread {
 protected:
  void SetUp() override {
#if WENGERT_THREAD_SANITIZER
    GTEST_SKIP();
#endif
    OwnThread::SetUp();
    ASSERT_TRUE(differentiates());  // the pool's threads are there
  }
};

TEST_F(Ends, AChildOfForkExits) {
  EXPECT_EQ(status_of_child([] {}), 0);
}

TEST_F(Ends, AChildOfForkDifferentiates) {
  EXPECT_EQ(status_of_child([] {
              for (int i = 0; i < 3; ++i) exit_unless(differentiates());
              std::thread([] { exit_unless(differentiates()); }).join();
            }),
            0);
  EXPECT_TRUE(differentiates());
}

bool g_leaks_are_no_news = false;  // a child has lost what its parent's other threads held

TEST_F(Ends, AChildWhoseParentsThreadsAreAtWorkDifferentiates) {
#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
  GTEST_SKIP() << "the sanitizer's own allocator may be locked by a thread that the child lacks";
#endif
  std::atomic<bool> done{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!done) std::thread([] { differentiates(); }).join();
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(status_of_child([] {
                g_leaks_are_no_news = true;
                exit_unless(differentiates());
              }),
              0);
  }
  done = true;
  for (std::thread& thread : busy) thread.join();
}

TEST_F(Ends, GradientsAtExit) {
  EXPECT_EQ(status_of_child([] {
              exit_unless(std::atexit([] { exit_unless(differentiates()); }) == 0);
              exit_unless(differentiates());
            }),
            0);
}

struct AtEnd {
  std::function<void()> run = [] {};
  ~AtEnd() { run(); }
};
thread_local AtEnd t_at_end;

TEST_F(Ends, GradientsInDestructorsOfThreadLocalsOfTheMainThread) {
  EXPECT_EQ(status_of_child([] {
              t_at_end.run = [] { exit_unless(differentiates()); };
              exit_unless(differentiates());
            }),
            0);
}

TEST_F(OwnThread, GradientsInDestructorsOfThreadLocals) {
  bool right = false;
  std::thread([&right] {
    t_at_end.run = [&right] { right = differentiates(); };  // before the library's first use here
    EXPECT_TRUE(differentiates());
  }).join();
  EXPECT_TRUE(right);
}

TEST_F(OwnThread, GradientsInDestructorsOfThreadKeys) {
  static std::atomic<int> right{0};
  static pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key, [](void*) { right += differentiates(); }), 0);
  const auto before = detail::storage_statistics();
  std::thread([] {
    EXPECT_TRUE(differentiates());
    pthread_setspecific(key, &right);
  }).join();
  EXPECT_EQ(right, 1);
  pthread_key_delete(key);
  EXPECT_EQ(detail::storage_statistics().live_bytes, before.live_bytes);
}

TEST_F(OwnThread, ValuesKeptInThreadLocals) {
  const auto before = detail::storage_statistics();
  std::thread([] {
    thread_local Var kept;
    thread_local std::unique_ptr<Tape> tape;
    tape = std::make_unique<Tape>();
    kept = exp(variable(Tensor::full({100}, 1, DType::kFloat64)));
  }).join();
  EXPECT_EQ(detail::storage_statistics().live_bytes, before.live_bytes);
}

TEST_F(OwnThread, ATapeIsEndedByAnotherThread) {
  const auto before = detail::storage_statistics();
  auto tape = std::make_unique<Tape>();
  {
    const Var y = sum(exp(variable(Tensor::full({100}, 1, DType::kFloat64))));
    std::thread([&] { tape.reset(); }).join();
    EXPECT_EQ(Tape::current(), nullptr);
    EXPECT_ERROR(backward(y), kGraph, "no tape is live on this thread");
    EXPECT_TRUE(differentiates());
  }
  EXPECT_EQ(detail::storage_statistics().live_bytes, before.live_bytes);
}

TEST_F(OwnThread, AnEnclosingTapeIsEndedByAnotherThread) {
  auto outer = std::make_unique<Tape>();
  {
    Tape inner;
    std::thread([&] { outer.reset(); }).join();
    EXPECT_EQ(Tape::current(), &inner);
    EXPECT_EQ(inner.enclosing(), nullptr);
    const Var x = variable(2.0);
    EXPECT_EQ(grad(x * x, x).item<double>(), 4);
  }
  EXPECT_EQ(Tape::current(), nullptr);
}

TEST_F(OwnThread, ATapeOutlivesItsThread) {
  const auto before = detail::storage_statistics();
  std::unique_ptr<Tape> outer, inner;
  Var y;
  std::thread([&] {
    outer = std::make_unique<Tape>();
    inner = std::make_unique<Tape>();
    Scope scope("there");
    y = exp(variable(Tensor::full({100}, 1, DType::kFloat64)));
  }).join();
  EXPECT_EQ(inner->scope(y.get()->id), "");  // scopes are the thread's
  EXPECT_ERROR(inner->name(y, "y"), kGraph, "the tape is another thread's");
  std::thread([&] { outer.reset(); }).join();
  inner.reset();
  EXPECT_DOUBLE_EQ(y.value().at(3), std::exp(1.0));
  y = Var();
  EXPECT_EQ(detail::storage_statistics().live_bytes, before.live_bytes);
}

TEST_F(OwnThread, ALeafBelongsToItsThread) {
  const Var x = variable(0.5);
  const Tensor value = x.value();
  std::thread([&] {
    EXPECT_ERROR(x * x, kGraph, "input 0, f64[], was made by another thread");
    EXPECT_ERROR(x.value(), kGraph, "this Var was made by another thread");
    EXPECT_ERROR(x.item<double>(), kGraph, "this Var was made by another thread");
    EXPECT_ERROR(x.str(), kGraph, "this Var was made by another thread");
    Tape tape;
    EXPECT_ERROR(x * x, kGraph, "input 0, f64[], was made by another thread");
    EXPECT_ERROR(tape.name(x, "x"), kGraph, "an input, f64[], was made by another thread");
    EXPECT_ERROR(grad(x, x), kGraph, "an input, f64[], was made by another thread");
    EXPECT_EQ(tape.size(), 0u);
    const Var mine = variable(value);
    EXPECT_EQ(grad(mine * mine, mine).item<double>(), 1);
  }).join();
  Tape tape;
  EXPECT_EQ(grad(x * x, x).item<double>(), 1);
}

TEST_F(OwnThread, BackwardNamesAnotherThreadsTape) {
  Tape tape;
  const Var x = variable(0.5), y = x * x;
  std::thread([&] {
    EXPECT_ERROR(backward(y), kGraph, "the value belongs to another thread's tape");
    EXPECT_ERROR(grad(y, x), kGraph, "the value belongs to another thread's tape");
    Tape mine;
    EXPECT_ERROR(backward(y), kGraph, "this Var belongs to another thread's tape");
    EXPECT_ERROR(mine.name(y, "y"), kGraph, "this Var belongs to another thread's tape");
  }).join();
  EXPECT_EQ(grad(y, x).item<double>(), 1);
}

TEST_F(OwnThread, WhatAThreadLeavesBehindMayBeUsed) {
  Var x;
  std::thread([&] { x = variable(0.5); }).join();
  Tape tape;
  EXPECT_EQ(grad(x * x, x).item<double>(), 1);
}

}  // namespace

#if WENGERT_ADDRESS_SANITIZER
/// Asked by the leak checker when a process ends.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return g_leaks_are_no_news ? 1 : 0; }
#endif

}  // namespace wengert
