// Every system call of a save fails in turn, in every way it can.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "wengert/io/file.h"
#include "wengert/io/safetensors.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

// Fails the call number `failing` (from 0) with `code`; a code of 0 makes writes short instead:
// every one takes a single byte or three.
struct Faults {
  int calls = 0;
  int failing = -1;
  int code = 0;
  bool short_writes = false;
  int open_files = 0;
};
Faults g_faults;

bool fails_now() {
  if (g_faults.calls++ != g_faults.failing) return false;
  errno = g_faults.code;
  return true;
}

int faulty_open(const char* path, int flags, mode_t mode) {
  if (fails_now()) return -1;
  const int file = ::open(path, flags, mode);
  g_faults.open_files += file >= 0;
  return file;
}
ssize_t faulty_write(int file, const void* bytes, std::size_t count) {
  if (fails_now()) return -1;
  if (g_faults.short_writes) count = std::min<std::size_t>(count, g_faults.calls % 2 == 0 ? 1 : 3);
  return ::write(file, bytes, count);
}
int faulty_fsync(int file) { return fails_now() ? -1 : ::fsync(file); }
int faulty_rename(const char* from, const char* to) {
  return fails_now() ? -1 : ::rename(from, to);
}
// As the system does it, a failing close closes all the same.
int faulty_close(int file) {
  --g_faults.open_files;
  ::close(file);
  return fails_now() ? -1 : 0;
}

class FaultTest : public testing::Test {
 protected:
  void SetUp() override {
    g_faults = {};
    detail::SystemCalls& calls = detail::system_calls();
    calls.open = faulty_open;
    calls.write = faulty_write;
    calls.fsync = faulty_fsync;
    calls.rename = faulty_rename;
    calls.close = faulty_close;
  }
  void save(float value) {
    const std::vector<NamedTensor> tensors = {
        {"weight", Tensor::full({5, 7}, value, DType::kFloat32)},
        {"mask", Tensor::full({3}, 1, DType::kBool)},
    };
    write_safetensors(path_, tensors, {{"step", "1"}});
  }
  float saved_value() {
    const SafeTensors read = read_safetensors(path_);
    EXPECT_EQ(read.tensors.size(), 2u);
    const auto values = read.tensors[0].tensor.to_vector<float>();
    EXPECT_EQ(values, std::vector<float>(35, values[0]));
    return values[0];
  }

  RestoreSystemCalls restore_;
  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(FaultTest, EveryCallFailingLeavesTheOldOrTheNewFile) {
  save(1);
  g_faults.calls = 0;
  save(1);
  const int calls = g_faults.calls;
  // open, length, header, two tensors, fsync, rename, close; folder: open, fsync, close.
  ASSERT_EQ(calls, 11);
  for (int code : {ENOSPC, EIO, EACCES, EDQUOT}) {
    int errors = 0;
    for (int failing = 0; failing < calls; ++failing) {
      SCOPED_TRACE("call " + std::to_string(failing) + ", errno " + std::to_string(code));
      g_faults = {};
      save(1);
      g_faults.calls = 0;
      g_faults.failing = failing;
      g_faults.code = code;
      bool threw = false;
      try {
        save(2);
      } catch (const IoError& error) {
        threw = true;
        ++errors;
        EXPECT_EQ(error.path(), path_);
        EXPECT_FALSE(error.fix().empty());
      }
      EXPECT_EQ(g_faults.open_files, 0);
      g_faults.failing = -1;
      const float value = saved_value();
      if (!threw) {
        EXPECT_EQ(value, 2);
      }
      // Calls 0 to 6 come before or are the rename: nothing may have changed.
      EXPECT_EQ(value, failing <= 6 ? 1 : 2);
      EXPECT_EQ(folder_.names(), std::set<std::string>{"model.safetensors"});
    }
    // All but the last: closing the folder after its fsync can no longer hurt.
    EXPECT_EQ(errors, calls - 1);
  }
}

TEST_F(FaultTest, InterruptedCallsAreRepeated) {
  save(1);
  // Calls 6 and 8 are left out: neither rename nor opening a folder is ever interrupted so.
  for (int failing : {0, 1, 2, 3, 4, 5, 7, 9}) {
    SCOPED_TRACE(failing);
    g_faults = {};
    g_faults.failing = failing;
    g_faults.code = EINTR;
    save(static_cast<float>(failing + 2));
    EXPECT_EQ(saved_value(), static_cast<float>(failing + 2));
    EXPECT_EQ(g_faults.open_files, 0);
  }
}

TEST_F(FaultTest, ShortWritesAreContinued) {
  g_faults.short_writes = true;
  save(3);
  EXPECT_GT(g_faults.calls, 50);
  EXPECT_EQ(saved_value(), 3);
}

TEST_F(FaultTest, AWriteThatNeverGetsOnEnds) {
  save(1);
  detail::system_calls().write = [](int, const void*, std::size_t) -> ssize_t { return 0; };
  expect_io_error(path_, "cannot be written: Input/output error", [&] { save(2); });
  EXPECT_EQ(saved_value(), 1);
  EXPECT_EQ(folder_.names(), std::set<std::string>{"model.safetensors"});
}

TEST_F(FaultTest, AFullDiskAfterAShortWrite) {
  save(1);
  static int left;
  left = 100;
  detail::system_calls().write = [](int file, const void* bytes, std::size_t count) -> ssize_t {
    if (left == 0) {
      errno = ENOSPC;
      return -1;
    }
    const ssize_t put = ::write(file, bytes, std::min<std::size_t>(count, left));
    left -= static_cast<int>(put);
    return put;
  };
  expect_io_error(path_, "No space left on device; free some space", [&] { save(2); });
  EXPECT_EQ(saved_value(), 1);
  EXPECT_EQ(folder_.names(), std::set<std::string>{"model.safetensors"});
}

TEST_F(FaultTest, FoldersThatCannotBeSyncedAreNoError) {
  static int syncs;
  syncs = 0;
  detail::system_calls().fsync = [](int) {
    errno = EINVAL;
    return ++syncs == 2 ? -1 : 0;
  };
  write_file_atomically(path_, "text");
  EXPECT_EQ(get_bytes(path_), "text");
  EXPECT_EQ(syncs, 2);
}

}  // namespace
}  // namespace wengert::io
