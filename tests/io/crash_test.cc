// kill −9 while a checkpoint is being rewritten: the file is whole at every moment.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "wengert/io/safetensors.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

constexpr std::int64_t kElements = 100'000;

void save(const std::string& path, int step) {
  const std::vector<NamedTensor> tensors = {
      {"weight", Tensor::full({kElements}, step, DType::kFloat32)},
      {"moment", Tensor::full({kElements}, step, DType::kFloat64)},
  };
  write_safetensors(path, tensors, {{"step", std::to_string(step)}});
}

// The step that the file was saved at; every byte of it must be of that step.
int checked_step(const std::string& path) {
  const SafeTensors read = read_safetensors(path);
  const int step = std::stoi(read.metadata.at("step"));
  EXPECT_EQ(read.tensors.at(0).tensor.to_vector<float>(),
            std::vector<float>(kElements, static_cast<float>(step)));
  EXPECT_EQ(read.tensors.at(1).tensor.to_vector<double>(), std::vector<double>(kElements, step));
  return step;
}

// Saves step after step until killed; a byte through `ready` says that it has begun.
[[noreturn]] void save_for_ever(const std::string& path, int step, int ready) {
  ::alarm(60);  // in case the parent is gone
  if (::write(ready, "r", 1) != 1) ::_exit(1);
  try {
    while (true) save(path, ++step);
  } catch (const std::exception&) {
    ::_exit(2);
  }
}

TEST(Crash, KilledWritersLeaveAWholeFile) {
  const int kills = std::getenv("WENGERT_LONG_TESTS") != nullptr ? 1000 : 50;
  RecordProperty("kills", kills);
  TemporaryFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  save(path, 0);
  int step = 0;
  int killed_midway = 0;
  std::uint32_t random = 12345;
  for (int kill = 0; kill < kills; ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) save_for_ever(path, step, ready[1]);
    char byte = 0;
    ::close(ready[1]);
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    random = random * 1664525u + 1013904223u;
    ::usleep((random >> 16) % 12000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself: " << WEXITSTATUS(status);

    const int found = checked_step(path);
    EXPECT_GE(found, step);
    step = found;
    // At most the one temporary that the next writer takes over: they do not pile up.
    const std::set<std::string> names = folder.names();
    EXPECT_LE(names.size(), 2u);
    killed_midway += names.count(".checkpoint.safetensors.wengert-tmp") != 0;
  }
  // Otherwise the test would show nothing: kills did fall into writes, and writes got done.
  EXPECT_GT(killed_midway, kills / 10);
  EXPECT_GT(step, 0);
  save(path, step + 1);
  EXPECT_EQ(checked_step(path), step + 1);
  EXPECT_EQ(folder.names(), std::set<std::string>{"checkpoint.safetensors"});
}

}  // namespace
}  // namespace wengert::io
