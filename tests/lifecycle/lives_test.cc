#include "wengert/tests/lifecycle/lives.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>

#include "wengert/tests/sanitizers.h"

namespace wengert::lifecycle {
namespace {

class Lives : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Lives, EndWell) {
  const Life life = lives()[GetParam()];
#if WENGERT_ADDRESS_SANITIZER || WENGERT_THREAD_SANITIZER
  if (life.without_sanitizers) GTEST_SKIP() << "the sanitizer itself would fail";
#endif
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl("/proc/self/exe", "lifecycle", "--life", life.name.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string said;
  char bytes[4096];
  for (ssize_t n; (n = ::read(ends[0], bytes, sizeof bytes)) != 0;) {
    if (n > 0) said.append(bytes, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(said, "");
}

INSTANTIATE_TEST_SUITE_P(, Lives, ::testing::Range(std::size_t{0}, lives().size()),
                         [](const auto& info) { return lives()[info.param].name; });

}  // namespace
}  // namespace wengert::lifecycle
