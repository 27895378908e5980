#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <thread>

#include "wengert/graph/storage.h"
#include "wengert/tests/autodiff/process.h"
#include "wengert/tests/memory/programs.h"
#include "wengert/tests/sanitizers.h"

// Every program of the tables runs with its n-th request of each kind refused, for every n (in the
// short form, and for threads, ever fewer beyond the first ones). What
// comes out must have the bits of a run in which nothing was, and nothing may be lost: no block of
// memory, no open file, no child.
namespace wengert {

namespace {

using faults::Call;
using faults::Fault;
using faults::Mode;
using faults::Whose;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

struct Kind {
  const char* name;
  Fault fault;
  /// What may not be noticed: interrupted calls, help that the system does not give.
  bool harmless = false;
};

const Kind kKinds[] = {
    {"memory", {Call::kMemory, Mode::kOne, ENOMEM}},
    {"all memory", {Call::kMemory, Mode::kFrom, ENOMEM}},
    {"memory of any thread", {Call::kMemory, Mode::kOne, ENOMEM, Whose::kEveryThread}},
    {"all memory of all threads", {Call::kMemory, Mode::kFrom, ENOMEM, Whose::kEveryThread}},
    {"C memory", {Call::kCMemory, Mode::kOne, ENOMEM}},
    {"all C memory", {Call::kCMemory, Mode::kFrom, ENOMEM}},
    {"a thread", {Call::kThread, Mode::kOne, EAGAIN}, true},
    {"threads", {Call::kThread, Mode::kFrom, EAGAIN}, true},
    {"a thread's key", {Call::kThreadKey, Mode::kOne, ENOMEM}},
    {"huge pages", {Call::kHugePages, Mode::kFrom, EINVAL}, true},
    {"open", {Call::kOpen, Mode::kOne, EMFILE}},
    {"open, interrupted", {Call::kOpen, Mode::kOne, EINTR}, true},
    {"read", {Call::kRead, Mode::kOne, EIO}},
    {"read, interrupted", {Call::kRead, Mode::kOne, EINTR}, true},
    {"write", {Call::kWrite, Mode::kOne, ENOSPC}},
    {"write, interrupted", {Call::kWrite, Mode::kOne, EINTR}, true},
    {"fsync", {Call::kSync, Mode::kOne, EIO}},
    {"fsync, interrupted", {Call::kSync, Mode::kOne, EINTR}, true},
    {"rename", {Call::kRename, Mode::kOne, EACCES}},
    {"close", {Call::kClose, Mode::kOne, EIO}},
    {"close, interrupted", {Call::kClose, Mode::kOne, EINTR}, true},
    {"stat", {Call::kExamine, Mode::kOne, EIO}},
    {"all stat", {Call::kExamine, Mode::kFrom, EIO}},
    {"lseek", {Call::kSeek, Mode::kOne, EIO}},
    {"flock, not supported", {Call::kLock, Mode::kFrom, ENOLCK}, true},
    {"flock, another's", {Call::kLock, Mode::kOne, EWOULDBLOCK}, true},
    {"fchmod", {Call::kPermissions, Mode::kOne, EPERM}, true},
    {"mkdir", {Call::kMakeFolder, Mode::kOne, ENOSPC}},
    {"realpath", {Call::kResolve, Mode::kOne, ELOOP}},
    {"memfd_create", {Call::kMemoryFile, Mode::kOne, EMFILE}},
    {"pipe", {Call::kPipe, Mode::kOne, EMFILE}},
    {"spawn", {Call::kProcess, Mode::kOne, EAGAIN}},
    {"files of a child", {Call::kProcessFiles, Mode::kOne, ENOMEM}},
    {"poll", {Call::kPoll, Mode::kOne, ENOMEM}},
    {"poll, interrupted", {Call::kPoll, Mode::kOne, EINTR}, true},
    {"waitpid, interrupted", {Call::kWait, Mode::kOne, EINTR}, true},
};

/// What one run of a program gives.
struct Trial {
  std::string digest;
  bool failed = false;   ///< a request was refused
  bool refused = false;  ///< and that was said
};

/// Runs a program on a thread of its own, whose pools are empty, and are gone afterwards.
Trial try_once(const Program& program, const Fault& fault, std::int64_t failing) {
  Trial trial;
  std::thread([&] {
    Attempts attempts(fault, failing);
    try {
      trial.digest = program.run(attempts);
    } catch (const std::exception& error) {
      trial.digest = std::string("threw ") + error.what();
    }
    trial.failed = attempts.failed();
    trial.refused = attempts.refused();
  }).join();
  return trial;
}

/// Blocks that a run loses, each time: what it makes once for the process does not count.
std::int64_t lost_blocks(const Program& program, const Fault& fault, std::int64_t failing) {
  std::int64_t lost = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const std::int64_t before = faults::live_blocks();
    try_once(program, fault, failing);
    lost = faults::live_blocks() - before;
    if (lost <= 0) break;
  }
  return lost;
}

std::int64_t g_injected = 0;

class Faults : public ::testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override {
    program_ = programs()[GetParam()];
    threads_before_ = kernels::thread_count();
    kernels::set_thread_count(program_.threads ? 3 : 1);
    whole_ = try_once(program_, {}, kNever);
    ASSERT_EQ(whole_.digest.find("threw"), std::string::npos) << whole_.digest;
    ASSERT_TRUE(try_once(program_, {}, kNever).digest == whole_.digest)
        << "the program itself is not the same twice";
    live_bytes_ = detail::storage_statistics().live_bytes;
    files_ = open_files();
  }
  void TearDown() override {
    kernels::set_thread_count(threads_before_);
    std::filesystem::remove_all(scratch_folder());
  }

  /// Refuses request `n`; false when the program makes no such request.
  bool refuse(const Kind& kind, std::int64_t n) {
    SCOPED_TRACE(std::string(kind.name) + ", request " + std::to_string(n));
    // Workers that are there already would make no request.
    if (program_.threads) kernels::set_thread_count(2 + static_cast<int>(++runs_ % 2));
    const std::int64_t before = faults::live_blocks();
    const Trial trial = try_once(program_, kind.fault, n);
    const std::int64_t lost = faults::live_blocks() - before;
    if (!trial.failed) return false;
    ++g_injected;
    ++injected_;
    EXPECT_TRUE(trial.digest == whole_.digest)
        << (trial.digest.starts_with("threw") ? trial.digest : "other bits");
    EXPECT_FALSE(kind.harmless && trial.refused);
    if (!program_.threads && lost > static_cast<std::int64_t>(trial.digest.capacity() > 15)) {
      EXPECT_LE(lost_blocks(program_, kind.fault, n), 0) << "blocks are lost";
    }
    EXPECT_EQ(detail::storage_statistics().live_bytes, live_bytes_);
    EXPECT_EQ(open_files(), files_);
    EXPECT_FALSE(has_children());
    return true;
  }

  Program program_;
  Trial whole_;
  std::int64_t live_bytes_ = 0, runs_ = 0, injected_ = 0;
  int files_ = 0, threads_before_ = 0;
};

TEST_P(Faults, AreAsIfTheyHadNotBeen) {
  const bool all = std::getenv("WENGERT_LONG_TESTS") != nullptr;
  // Under a sanitizer, where all takes many times as long, fewer still.
  const std::int64_t some = WENGERT_ADDRESS_SANITIZER ? 8 : program_.threads ? 15 : 40;
  const std::int64_t first = all ? (program_.threads ? 400 : kNever) : some;
  for (const Kind& kind : kKinds) {
    if (kind.fault.whose == Whose::kEveryThread && !program_.threads) continue;
    // All of the first ones, where threads and tables begin; then, in the short form, ever fewer.
    for (std::int64_t n = 1; refuse(kind, n); n += n < first ? 1 : n / (first / 4)) {
      if (HasFailure()) return;
    }
  }
  EXPECT_GE(injected_, 5) << "the program asks for nothing";
  RecordProperty("injected", static_cast<int>(injected_));
}

INSTANTIATE_TEST_SUITE_P(Programs, Faults, ::testing::Range(std::size_t{0}, programs().size()),
                         [](const auto& info) { return programs()[info.param].name; });

TEST(FaultTables, EveryFeatureOfATrainingHasAProgram) {
  Features used;
  for (const Program& program : programs()) {
    used.insert(program.features.begin(), program.features.end());
    EXPECT_TRUE(!program.features.contains(Feature::kThreads) || program.threads) << program.name;
  }
  EXPECT_EQ(used, all_features());
}

TEST(FaultTables, EveryKindIsRefusedToSomeProgram) {
  const int threads = kernels::thread_count();
  int runs = 0;
  for (const Kind& kind : kKinds) {
#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
    if (kind.fault.call == Call::kCMemory) continue;  // it is the sanitizer's
#endif
    bool refused = false;
    for (const Program& program : programs()) {
      if (kind.fault.whose == Whose::kEveryThread && !program.threads) continue;
      // Workers that are there already would make no request.
      kernels::set_thread_count(program.threads ? 2 + ++runs % 2 : 1);
      refused = try_once(program, kind.fault, 1).failed;
      if (refused) break;
    }
    EXPECT_TRUE(refused) << kind.name << ": nothing asks for it, or it is not seen";
  }
  kernels::set_thread_count(threads);
  std::filesystem::remove_all(scratch_folder());
}

TEST(FaultTables, HooksSeeAllMemory) {
  faults::arm({Call::kMemory}, 1);
  bool refused = false;
  try {
    ::operator delete(::operator new(1));
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  EXPECT_TRUE(faults::disarm());
  EXPECT_TRUE(refused);
  faults::arm({Call::kMemory, Mode::kOne, ENOMEM, Whose::kEveryThread},
              2);  // the thread itself is 1
  std::thread([&] { EXPECT_THROW(::operator delete(::operator new(1)), std::bad_alloc); }).join();
  EXPECT_TRUE(faults::disarm());
#if !WENGERT_ADDRESS_SANITIZER && !WENGERT_THREAD_SANITIZER
  std::thread([] {
    Tensor::zeros({1}, DType::kFloat32);
    detail::trim_storage();
    faults::arm({Call::kMemory, Mode::kFrom}, 1);  // the pool asks twice
    bool refused = false;
    try {
      Tensor::zeros({1000000}, DType::kFloat32);
    } catch (const std::exception&) {
      refused = true;
    }
    EXPECT_TRUE(faults::disarm());
    EXPECT_TRUE(refused);
  }).join();
#endif
}

/// Says at the end how often it came to the worst.
class Count : public ::testing::Environment {
 public:
  void TearDown() override {
    if (g_injected == 0) return;
    const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
    std::printf("%lld failures injected, %d programs wrong\n", static_cast<long long>(g_injected),
                all.failed_test_count());
  }
};
[[maybe_unused]] ::testing::Environment* const g_count =
    ::testing::AddGlobalTestEnvironment(new Count);

}  // namespace
}  // namespace wengert
