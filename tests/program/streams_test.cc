// Standard streams that are closed, full or gone, and files that may not grow.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/program/pictures.h"
#include "wengert/io/safetensors.h"

namespace wengert {
namespace {

std::vector<std::string> training(const TemporaryFolder& folder, const std::string& name) {
  return {"train",       "mlp",      "--data", folder / "data", "--out",
          folder / name, "--epochs", "2",      "--validation",  "20"};
}

TEST(Streams, AFileTooLargeIsAnError) {
  const TemporaryFolder folder;
  write_data(folder / "data", 60, 20);
  // In blocks of 512 bytes: the weights are larger, a picture's text is too.
  const Outcome trained = run_after("ulimit -f 200", training(folder, "run"));
  EXPECT_EQ(trained.status, 1) << trained.err;
  EXPECT_TRUE(holds(trained.err, "model.safetensors: cannot be written: File too large"))
      << trained.err;
  EXPECT_TRUE(holds(trained.err, "ulimit -f")) << trained.err;
  EXPECT_TRUE(names_in(folder / "run").empty());
  const Outcome drawn = run_after("ulimit -f 2", {"graph", "mlp", "-o", folder / "g.dot"});
  EXPECT_EQ(drawn.status, 1) << drawn.err;
  EXPECT_TRUE(holds(drawn.err, "File too large")) << drawn.err;
  EXPECT_FALSE(exists(folder / "g.dot"));
  const Outcome printed = run_after("ulimit -f 2", {"graph", "mlp"});
  EXPECT_EQ(printed.status, 1);
  EXPECT_TRUE(holds(printed.err, "standard output")) << printed.err;
}

TEST(Streams, ClosedOnesGetNoFileInTheirPlace) {
  const TemporaryFolder folder;
  write_data(folder / "data", 60, 20);
  ASSERT_EQ(run_wengert({"graph", "mlp", "-o", folder / "wanted.dot"}).status, 0);
  const std::string wanted = bytes_at(folder / "wanted.dot");
  ASSERT_EQ(run_wengert(training(folder, "wanted")).status, 0);
  for (const char* closing : {"exec <&-", "exec >&-", "exec 2>&-", "exec <&- >&-", "exec >&- 2>&-",
                              "exec <&- 2>&-", "exec <&- >&- 2>&-"}) {
    SCOPED_TRACE(closing);
    const bool no_output = holds(closing, " >&-");
    const Outcome drawn = run_after(closing, {"graph", "mlp", "-o", folder / "g.dot"});
    EXPECT_EQ(drawn.status, 0) << drawn.err;
    EXPECT_EQ(bytes_at(folder / "g.dot"), wanted);
    const Outcome picture = run_after(closing, {"graph", "mlp", "-o", folder / "g.svg"});
    EXPECT_EQ(picture.status, 0) << picture.err;
    EXPECT_TRUE(bytes_at(folder / "g.svg").starts_with("<?xml"));
    EXPECT_TRUE(bytes_at(folder / "g.svg").ends_with("</svg>\n"));
    const Outcome trained = run_after(closing, training(folder, "run"));
    EXPECT_EQ(trained.status, no_output ? 1 : 0) << trained.err;
    for (const char* file : {"/model.safetensors", "/metrics.jsonl", "/curves.svg"}) {
      EXPECT_TRUE(bytes_at(folder / "run" + file) == bytes_at(folder / "wanted" + file)) << file;
    }
    std::filesystem::remove_all(folder / "run");
    // What is said when something goes wrong goes nowhere else either.
    const Outcome failed = run_after(closing, {"graph", "mlp", "-o", folder.path()});
    EXPECT_EQ(failed.status, 1);
    EXPECT_EQ(failed.out, "");
    const Outcome listed = run_after(closing, {"ops"});
    EXPECT_EQ(listed.status, no_output ? 1 : 0);
  }
}

TEST(Streams, ClosedOnesAreNobodysWhileItWorks) {
  const TemporaryFolder folder;
  write_data(folder / "data", 60, 20);
  std::vector<std::string> words = training(folder, "run");
  words[7] = "100000";  // epochs
  const Outcome outcome = run_after("exec <&- >&- 2>&-", words, [&](pid_t child) {
    EXPECT_TRUE(wait_for(folder / "run/model.safetensors", child));
    for (const char* stream : {"0", "1", "2"}) {
      EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(child) + "/fd/" + stream)
                    .string(),
                "/dev/null");
    }
    ::kill(child, SIGTERM);
  });
  EXPECT_EQ(outcome.status, 1);
}

TEST(Streams, AFullStandardErrorChangesNoStatus) {
  const TemporaryFolder folder;
  for (const char* before : {"exec 2>/dev/full", "exec 2>&-"}) {
    EXPECT_EQ(run_after(before, {"ops", "tanh"}).status, 0);
    EXPECT_EQ(run_after(before, {"ops", "tnh"}).status, 2);
    EXPECT_EQ(run_after(before, {"graph", "mlp", "-o", folder.path()}).status, 1);
    EXPECT_EQ(run_after(std::string(before) + "; exec >/dev/full", {"ops"}).status, 1);
  }
}

TEST(Streams, AReaderThatGoesEndsTheProgram) {
  const TemporaryFolder folder;
  const std::string status = folder / "status";
  for (const bool ignored : {false, true}) {
    const std::string script = std::string(ignored ? "trap '' PIPE; " : "") + "{ '" +
                               wengert_path() + "' ops --json; echo $? > '" + status +
                               "'; } | head -c 1";
    const Outcome outcome = run_command({"/bin/sh", "-c", script});
    EXPECT_EQ(outcome.out, "[");
    EXPECT_EQ(bytes_at(status), ignored ? "1\n" : std::to_string(128 + SIGPIPE) + "\n");
    EXPECT_EQ(holds(outcome.err, "standard output: Broken pipe"), ignored) << outcome.err;
  }
}

}  // namespace
}  // namespace wengert
