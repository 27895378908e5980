#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/testing.h"
#include "wengert/tests/sanitizers.h"
#include "wengert/wengert.h"

// Every op on views of one element under huge sizes, whose products of bytes no machine has and 64
// bits may not hold: each call makes a view or ends in an error that names the op, never in memory
// that is smaller than what is written there. A call that needs no memory would compute for
// centuries; it is left alone after a moment.
namespace wengert {
namespace {

#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
constexpr bool kLimitsMemory = false;
#else
constexpr bool kLimitsMemory = true;
#endif

constexpr int kLogElements[] = {31, 32, 58, 60, 61, 62};
constexpr long kMoment = 50000;  // µs
constexpr rlim_t kMemory = rlim_t{512} << 20;

/// A view of one of the input's elements: sizes above 1 grow by 2^shift.
Var enlarged(const Tensor& input, int shift) {
  Shape ones, sizes;
  for (std::int64_t size : input.shape()) {
    ones.push_back(size == 0 ? 0 : 1);
    if (size > 1 && std::bit_width(static_cast<std::uint64_t>(size)) + shift > 63) {
      throw Error(ErrorKind::kShape, "hostile", "no such size []", "",
                  std::source_location::current());
    }
    sizes.push_back(size > 1 ? size << shift : size);
  }
  const double element = input.element_count() > 0 ? input.at(0) : 0;
  Tensor one = Tensor::full(ones, element, input.dtype());
  return broadcast_to(is_floating(input.dtype()) ? variable(one) : Var(one), sizes);
}

/// By how much the sizes grow for the largest input to have about 2^log elements.
int shift_for(const testing::Sample& sample, int log) {
  int shift = 62;
  for (const Tensor& input : sample.inputs) {
    int axes = 0, bits = 0;
    for (std::int64_t size : input.shape()) {
      if (size <= 1) continue;
      ++axes;
      bits += std::bit_width(static_cast<std::uint64_t>(size)) - 1;
    }
    if (axes > 0) shift = std::min(shift, std::max(0, (log - bits) / axes));
  }
  return shift;
}

/// What is wrong with an error, or empty.
std::string complaint(const Error& error) {
  const std::string what = error.what();
  if (error.kind() == ErrorKind::kInternal || error.kind() == ErrorKind::kGraph) return what;
  if (error.op().empty() || error.file().empty()) return "names no op or line: " + what;
  const bool sizes = error.kind() == ErrorKind::kMemory;
  if (sizes && what.find('[') == std::string::npos) return "names no shape: " + what;
  return {};
}

/// Runs a sample on enlarged inputs, and its derivative; what is wrong, or empty.
std::string run(const testing::Sample& sample, int shift) {
  try {
    Tape tape;
    std::vector<Var> inputs, targets;
    for (const Tensor& input : sample.inputs) {
      inputs.push_back(enlarged(input, shift));
      if (inputs.back().requires_grad()) targets.push_back(inputs.back());
    }
    const std::vector<Var> outputs = sample.call(inputs);
    std::vector<Var> ys, cotangents;
    for (const Var& y : outputs) {
      if (!y.requires_grad() || !is_floating(y.dtype())) continue;
      ys.push_back(y);
      cotangents.push_back(broadcast_to(Tensor::full({}, 1, y.dtype()), y.shape()));
    }
    if (!ys.empty()) (void)grad(ys, targets, cotangents);
  } catch (const Error& error) {
    return complaint(error);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
  return {};
}

/// What the child tells.
struct Progress {
  std::size_t sample;
  int log;
  char complaint[1024];
};

void limit_memory() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  const rlim_t limit = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlimit wanted{limit + kMemory, limit + kMemory};
  if (pages == 0 || setrlimit(RLIMIT_AS, &wanted) != 0) _exit(9);
}

[[noreturn]] void run_samples(const testing::OpTests& tests, Progress& progress) {
  kernels::set_thread_count(1);
  if (kLimitsMemory) limit_memory();
  for (; progress.sample < tests.samples.size(); ++progress.sample) {
    const testing::Sample& sample = tests.samples[progress.sample];
    for (int log : kLogElements) {
      progress.log = log;
      const itimerval moment{{0, 0}, {0, kMoment}};
      setitimer(ITIMER_REAL, &moment, nullptr);
      const std::string wrong = run(sample, shift_for(sample, log));
      if (wrong.empty()) continue;
      std::snprintf(progress.complaint, sizeof progress.complaint, "%s", wrong.c_str());
      _exit(1);
    }
  }
  _exit(0);
}

class HostileSizes : public ::testing::TestWithParam<std::size_t> {};

TEST_P(HostileSizes, AreViewsOrErrors) {
  if (!kLimitsMemory) GTEST_SKIP() << "sanitizers take memory of their own";
  const testing::OpTests tests = testing::tested_ops()[GetParam()].tests();
  void* shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& progress = *new (shared) Progress{};
  int left_alone = 0;
  while (progress.sample < tests.samples.size() && left_alone < 3) {
    const pid_t child = fork();
    if (child == 0) run_samples(tests, progress);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    const std::string& name = tests.samples[progress.sample].name;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
      ++left_alone;
    } else if (WIFSIGNALED(status)) {
      ADD_FAILURE() << name << ", 2^" << progress.log << ": " << strsignal(WTERMSIG(status));
    } else {
      ADD_FAILURE() << name << ", 2^" << progress.log << ": " << progress.complaint;
    }
    ++progress.sample;
  }
  munmap(shared, sizeof(Progress));
}

INSTANTIATE_TEST_SUITE_P(Ops, HostileSizes,
                         ::testing::Range(std::size_t{0}, testing::tested_ops().size()),
                         [](const auto& info) { return testing::tested_ops()[info.param].name; });

TEST(HostileBroadcast, OfTwoHalves) {
  const std::int64_t half = std::int64_t{1} << 31;
  const Var one = Tensor::full({1, 1}, 1, DType::kFloat32);
  const Var column = broadcast_to(one, {half, 1}), row = broadcast_to(one, {1, half});
  try {
    (void)add(column, row);
    FAIL() << "2^64 bytes were there";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kShape);
    EXPECT_EQ(error.op(), "add");
    EXPECT_EQ(error.message(), "f32[2147483648,2147483648] needs more than 2⁶³ − 1 bytes");
  }
}

}  // namespace
}  // namespace wengert
