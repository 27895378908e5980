#include "wengert/graph/export/render.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "wengert/graph/error.h"

namespace wengert {
namespace {

/// Puts a program of ours called `dot` (or none) on PATH for one test.
class FakeDot {
 public:
  explicit FakeDot(const std::string& script) : old_path_(std::getenv("PATH")) {
    char name[] = "/tmp/render_test_XXXXXX";
    folder_ = ::mkdtemp(name);
    if (!script.empty()) {
      const std::string path = folder_ + "/dot";
      std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
      ::chmod(path.c_str(), 0755);
    }
    ::setenv("PATH", folder_.c_str(), 1);
  }
  ~FakeDot() {
    ::setenv("PATH", old_path_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }

 private:
  std::string old_path_, folder_;
};

std::string message_of(const std::string& dot, const RenderOptions& options = {}) {
  try {
    render(dot, ImageFormat::kSvg, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.op(), "render");
    return error.what();
  }
  return "no error";
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

TEST(Render, SvgAndPng) {
  if (std::system("dot -V > /dev/null 2>&1") != 0) GTEST_SKIP() << "dot is not installed";
  EXPECT_NE(render("digraph { a -> b }").find("</svg>"), std::string::npos);
  EXPECT_EQ(render("digraph { a -> b }", ImageFormat::kPng).substr(0, 4), "\x89PNG");
}

TEST(Render, BrokenDotIsReportedWithWhatGraphvizSaid) {
  if (std::system("dot -V > /dev/null 2>&1") != 0) GTEST_SKIP() << "dot is not installed";
  EXPECT_NE(message_of("digraph { a -> ").find("syntax error"), std::string::npos);
}

TEST(Render, WithoutGraphvizTheErrorNamesThePackage) {
  const FakeDot none("");
  EXPECT_NE(message_of("digraph {}").find("Debian package graphviz"), std::string::npos);
}

TEST(Render, AProgramThatHangsIsStopped) {
  const FakeDot hangs("while :; do :; done");
  EXPECT_NE(message_of("digraph {}", {.timeout_seconds = 1}).find("longer than 1 s"),
            std::string::npos);
}

TEST(Render, AProgramThatFailsOrDiesIsReported) {
  {
    const FakeDot fails("echo 'no such font' >&2; exit 3");
    EXPECT_NE(message_of("digraph {}").find("status 3: no such font"), std::string::npos);
  }
  {
    const FakeDot dies("kill -SEGV $$");
    EXPECT_NE(message_of("digraph {}").find("signal 11"), std::string::npos);
  }
}

TEST(Render, AProgramWhoseEndCannotBeSeenHasFailed) {
  // As in a process that was started with SIGCHLD ignored: the system forgets how children end.
  struct sigaction before = {}, ignoring = {};
  ignoring.sa_handler = SIG_IGN;
  ::sigaction(SIGCHLD, &ignoring, &before);
  for (const char* script : {"echo '<svg></svg>'; exit 3", "echo '<svg></svg>'"}) {
    const FakeDot dot(script);
    const std::string message = message_of("digraph {}");
    EXPECT_NE(message.find("how dot ended cannot be known"), std::string::npos) << message;
    EXPECT_NE(message.find("SIG_DFL"), std::string::npos) << message;
  }
  ::sigaction(SIGCHLD, &before, nullptr);
  const FakeDot dot("echo '<svg></svg>'");
  EXPECT_EQ(render("digraph {}"), "<svg></svg>\n");
}

TEST(Render, CanBeCancelled) {
  const FakeDot hangs("while :; do :; done");
  static int asked;
  asked = 0;
  const RenderOptions options{.cancelled = [] { return ++asked == 3; }};
  EXPECT_NE(message_of("digraph {}", options).find("cancelled"), std::string::npos);
  EXPECT_EQ(asked, 3);
  const FakeDot quick("echo '<svg></svg>'");
  EXPECT_EQ(render("digraph {}", ImageFormat::kSvg, {.cancelled = [] { return false; }}),
            "<svg></svg>\n");
}

TEST(Render, WithoutStandardStreams) {
  const FakeDot copies("read line; echo \"$line\"; echo remark >&2");
  // In a child: the test's own streams stay.
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int stream : {0, 1, 2}) ::close(stream);
    try {
      std::string warnings;
      const std::string out = render("digraph\n", ImageFormat::kSvg, {.warnings = &warnings});
      ::_exit(out == "digraph\n" && warnings == "remark\n" ? 0 : 1);
    } catch (const Error&) {
      ::_exit(2);
    }
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Render, InputThatIsNotReadAndMuchOutputDoNotBlock) {
  const FakeDot verbose(
      "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; "
      "echo remark >&2; i=$((i+1)); done");
  std::string warnings;
  const std::string out =
      render(std::string(std::size_t{1} << 22, ' '), ImageFormat::kSvg, {.warnings = &warnings});
  EXPECT_EQ(out.size(), 20000u * 41);
  EXPECT_EQ(warnings.size(), 20000u * 7);
}

TEST(Render, NothingIsLeftOpen) {
  const FakeDot fails("exit 1");
  message_of("digraph {}");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 10; ++i) message_of("digraph {}");
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Render, ResolutionIsChecked) {
  EXPECT_THROW(render("digraph {}", ImageFormat::kPng, {.dots_per_inch = 0}), Error);
  EXPECT_THROW(render("digraph {}", ImageFormat::kPng, {.dots_per_inch = 1e9}), Error);
}

}  // namespace
}  // namespace wengert
