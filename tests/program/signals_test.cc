// Interrupts at any moment: no file is torn, and the status says that it did not end by itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdint>

#include "tests/program/pictures.h"
#include "wengert/io/safetensors.h"
#include "wengert/tests/sanitizers.h"

namespace wengert {
namespace {

/// Sends the signal if the program has not ended; says whether it was sent. A program that stands
/// still cannot end in between.
bool sent(pid_t child, int number) {
  ::kill(child, SIGSTOP);
  siginfo_t info = {};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED | WEXITED | WNOWAIT) != 0) {
  }
  if (info.si_code != CLD_STOPPED) return false;
  ::kill(child, number);
  ::kill(child, SIGCONT);
  return true;
}

/// A program called dot that comes first on PATH.
class SlowDot {
 public:
  explicit SlowDot(const std::string& script) {
    const std::string path = folder_ / "dot";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    const char* before = std::getenv("PATH");
    before_ = before == nullptr ? "" : before;
    ::setenv("PATH", (folder_.path() + ":" + before_).c_str(), 1);
  }
  ~SlowDot() { ::setenv("PATH", before_.c_str(), 1); }
  /// Where the script may leave something: "$(dirname "$0")".
  std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
  std::string before_;
};

/// Says its process number and then does nothing for longer than any test.
constexpr const char* kHangs =
    "echo '<svg torn'; echo $$ > \"$(dirname \"$0\")/pid-\"; "
    "mv \"$(dirname \"$0\")/pid-\" \"$(dirname \"$0\")/pid\"; exec sleep 1000";

bool is_running(const std::string& pid_file) {
  const pid_t pid = std::stoi(bytes_at(pid_file));
  for (int i = 0; i < 200; ++i) {  // a killed one may take a moment until init has seen it
    if (::kill(pid, 0) != 0) return false;
    if (holds(bytes_at("/proc/" + std::to_string(pid) + "/stat"), ") Z ")) return false;
    ::usleep(10000);
  }
  return true;
}

class Signals : public ::testing::Test {
 protected:
  void SetUp() override { write_data(folder_ / "data", 120, 20); }
  std::vector<std::string> train(const std::string& name, const std::string& epochs) const {
    return {"train",        "mlp",      "--data", folder_ / "data", "--out",
            folder_ / name, "--epochs", epochs,   "--validation",   "20"};
  }
  TemporaryFolder folder_;
};

TEST_F(Signals, AtAnyMomentOfAnyLongCommand) {
  struct Case {
    std::vector<std::string> words;
    std::vector<std::string> files;  ///< that it leaves, whole or not at all
  };
  const std::vector<Case> cases = {
      {train("run", "4"),
       {"run/model.safetensors", "run/metrics.jsonl", "run/curves.svg", "run/graph.svg"}},
      {{"graph", "mlp", "-o", folder_ / "g.svg"}, {"g.svg"}},
      {{"gradcheck", "--op", "matmul"}, {}},
      {{"bench", "record"}, {}},
  };
  const auto whole = [&](const std::string& name) {
    const std::string path = folder_ / name;
    if (name.ends_with(".safetensors")) {
      (void)io::read_safetensors(path);
    } else if (name.ends_with(".svg")) {
      EXPECT_TRUE(holds(bytes_at(path), "</svg>")) << name;
    } else {
      (void)json_lines(path);
    }
  };
  std::uint32_t random = 99;
  for (const Case& c : cases) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(run_wengert(c.words).status, 0);
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(
                                  std::chrono::steady_clock::now() - start)
                                  .count();
    int interrupted = 0;
    for (int i = 0; i < (WENGERT_ADDRESS_SANITIZER ? 6 : 24); ++i) {
      const int number = std::vector<int>{SIGINT, SIGTERM, SIGHUP}[static_cast<std::size_t>(i % 3)];
      SCOPED_TRACE(c.words[0] + ", moment " + std::to_string(i));
      for (const std::string& file : c.files) std::filesystem::remove(folder_ / file);
      random = random * 1664525u + 1013904223u;
      bool was_sent = false;
      const Outcome outcome = run_wengert(c.words, [&](pid_t child) {
        ::usleep((random >> 8) % static_cast<std::uint32_t>(microseconds));
        was_sent = sent(child, number);
      });
      for (const std::string& file : c.files) {
        if (exists(folder_ / file)) whole(file);
      }
      if (!was_sent) {
        EXPECT_EQ(outcome.status, 0) << outcome.err;
        continue;
      }
      ++interrupted;
      EXPECT_TRUE(outcome.status == 128 + number || outcome.status == 1)
          << outcome.status << outcome.err;
      if (outcome.status == 1) {
        EXPECT_TRUE(holds(outcome.err, "--resume")) << outcome.err;
      }
    }
    EXPECT_GT(interrupted, WENGERT_ADDRESS_SANITIZER ? 0 : 3)
        << c.words[0] << ": nothing was tried";
  }
}

TEST_F(Signals, WhileGraphvizDrawsForATraining) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    for (const bool group : {false, true}) {  // a terminal tells all of the group
      const SlowDot dot(kHangs);
      const std::string name = "run" + std::to_string(number) + (group ? "all" : "");
      const Outcome outcome = run_wengert(train(name, "1"), [&](pid_t child) {
        EXPECT_TRUE(wait_for(dot / "pid", child));
        ::kill(group ? -child : child, number);
      });
      EXPECT_EQ(outcome.status, 1) << outcome.err;
      EXPECT_TRUE(holds(outcome.err, "interrupted after the last epoch; --resume goes on"))
          << outcome.err;
      EXPECT_FALSE(holds(outcome.out, "wrote")) << outcome.out;
      EXPECT_FALSE(is_running(dot / "pid"));
      EXPECT_EQ(names_in(folder_ / name),
                (std::set<std::string>{"model.safetensors", "metrics.jsonl", "curves.svg"}));
    }
  }
  // What was interrupted can be ended.
  std::vector<std::string> words = train("run2", "1");
  words.emplace_back("--resume");
  const Outcome outcome = run_wengert(words);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(holds(bytes_at(folder_ / "run2/graph.svg"), "</svg>"));
}

TEST_F(Signals, WhileGraphvizDrawsOneGraph) {
  for (const bool group : {false, true}) {
    const SlowDot dot(kHangs);
    const Outcome outcome =
        run_wengert({"graph", "mlp", "-o", folder_ / "g.svg"}, [&](pid_t child) {
          EXPECT_TRUE(wait_for(dot / "pid", child));
          ::kill(group ? -child : child, SIGINT);
        });
    EXPECT_EQ(outcome.status, 128 + SIGINT) << outcome.err;
    EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"data"});
    if (!group) ::kill(std::stoi(bytes_at(dot / "pid")), SIGKILL);
  }
}

/// Whether the process catches the signal, as /proc tells.
bool catches(pid_t child, int number) {
  const std::string status = bytes_at("/proc/" + std::to_string(child) + "/status");
  const std::size_t at = status.find("SigCgt:");
  if (at == std::string::npos) return false;
  return (std::stoull(status.substr(at + 7), nullptr, 16) >> (number - 1) & 1) != 0;
}

TEST_F(Signals, ASecondOneNeedNotBeWaitedFor) {
  const SlowDot dot(kHangs);
  const Outcome outcome = run_wengert(train("run", "1"), [&](pid_t child) {
    EXPECT_TRUE(wait_for(dot / "pid", child));
    EXPECT_TRUE(catches(child, SIGTERM));
    ::kill(child, SIGTERM);
    while (catches(child, SIGTERM)) ::usleep(100);
    ::kill(child, SIGTERM);
  });
  // The first one may have ended it by then.
  EXPECT_TRUE(outcome.status == 128 + SIGTERM || outcome.status == 1) << outcome.status;
  EXPECT_FALSE(exists(folder_ / "run/graph.svg"));
  EXPECT_EQ(json_lines(folder_ / "run/metrics.jsonl").size(), 1u);
  ::kill(std::stoi(bytes_at(dot / "pid")), SIGKILL);
}

TEST_F(Signals, ThoseThatAreIgnoredStayIgnored) {
  const std::string model = folder_ / "run/model.safetensors";
  const Outcome outcome = run_after("trap '' INT HUP", train("run", "6"), [&](pid_t child) {
    EXPECT_TRUE(wait_for(model, child));
    ::kill(child, SIGINT);
    ::kill(child, SIGHUP);
  });
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(json_lines(folder_ / "run/metrics.jsonl").size(), 6u);
}

TEST_F(Signals, AFailingGraphvizIsSeenWhereSigchldIsIgnored) {
  const SlowDot dot("echo '<svg></svg>'; exit 3");
  const Outcome outcome = run_after("trap '' CHLD", {"graph", "mlp", "-o", folder_ / "g.svg"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(holds(outcome.err, "dot failed with status 3")) << outcome.err;
  EXPECT_FALSE(exists(folder_ / "g.svg"));
}

}  // namespace
}  // namespace wengert
