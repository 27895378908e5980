#include "wengert/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>
#include <vector>

#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

namespace fs = std::filesystem;

TEST(ReadFile, ReturnsEveryByte) {
  TemporaryFolder folder;
  for (const std::string& bytes : {std::string(), std::string("a"), std::string(100000, '\xfe')}) {
    put_bytes(folder / "f", bytes);
    EXPECT_EQ(read_file(folder / "f"), bytes);
  }
}

TEST(ReadFile, RefusesWhatItCannotBound) {
  TemporaryFolder folder;
  put_bytes(folder / "big", std::string(11, 'x'));
  expect_io_error(folder / "big", "has 11 bytes, more than the 10 allowed",
                  [&] { read_file(folder / "big", 10); });
  expect_io_error(folder.path(), "is a folder", [&] { read_file(folder.path()); });
  expect_io_error(folder / "none", "No such file or directory; check the path",
                  [&] { read_file(folder / "none"); });
  // Opening a pipe nobody writes to must not wait.
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_io_error(folder / "pipe", "is not a regular file", [&] { read_file(folder / "pipe"); });
  expect_io_error("/dev/zero", "is not a regular file", [&] { read_file("/dev/zero"); });
  // The system would open "f".
  const std::string with_nul = folder / std::string("big\0x", 5);
  expect_io_error(folder / "big", "Invalid argument", [&] { read_file(with_nul); });
  expect_io_error(folder / "big", "has a NUL byte", [&] { write_file_atomically(with_nul, "x"); });
  EXPECT_EQ(get_bytes(folder / "big"), std::string(11, 'x'));
}

TEST(ReadFile, FailingAndShortReads) {
  TemporaryFolder folder;
  put_bytes(folder / "f", std::string(1000, 'x'));
  RestoreSystemCalls restore;
  static int calls;
  calls = 0;
  detail::system_calls().read = [](int file, void* bytes, std::size_t count) -> ssize_t {
    if (++calls % 2 == 0) {
      errno = EINTR;
      return -1;
    }
    return ::read(file, bytes, std::min<std::size_t>(count, 7));
  };
  EXPECT_EQ(read_file(folder / "f"), std::string(1000, 'x'));
  detail::system_calls().read = [](int, void*, std::size_t) -> ssize_t {
    errno = EIO;
    return -1;
  };
  expect_io_error(folder / "f", "cannot be read: Input/output error; the disk reports a fault",
                  [&] { read_file(folder / "f"); });
  // The file shrank after its size was taken.
  detail::system_calls().read = [](int, void*, std::size_t) -> ssize_t { return 0; };
  expect_io_error(folder / "f", "ends 1000 bytes too early", [&] { read_file(folder / "f"); });
}

TEST(AtomicFile, WritesReplacesAndLeavesNothingElse) {
  TemporaryFolder folder;
  for (const char* text : {"first", "second, longer", ""}) {
    write_file_atomically(folder / "f", text);
    EXPECT_EQ(get_bytes(folder / "f"), text);
    EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
  }
}

TEST(AtomicFile, OldFileStaysUntilCommit) {
  TemporaryFolder folder;
  put_bytes(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("new");
    EXPECT_EQ(get_bytes(folder / "f"), "old");
  }
  EXPECT_EQ(get_bytes(folder / "f"), "old");
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
  AtomicFile file(folder / "f");
  file.write("n");
  file.write("ew");
  file.commit();
  EXPECT_EQ(get_bytes(folder / "f"), "new");
  EXPECT_THROW(file.write("x"), IoError);
  EXPECT_THROW(file.commit(), IoError);
}

TEST(AtomicFile, KeepsPermissionsAndFollowsLinks) {
  TemporaryFolder folder;
  put_bytes(folder / "f", "old");
  ASSERT_EQ(::chmod((folder / "f").c_str(), 0600), 0);
  fs::create_symlink("f", folder / "link");
  write_file_atomically(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(get_bytes(folder / "f"), "new");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  fs::create_symlink("nowhere", folder / "dangling");
  expect_io_error(folder / "dangling", "leads nowhere",
                  [&] { write_file_atomically(folder / "dangling", "x"); });
}

TEST(AtomicFile, TakesOverWhatAKilledWriterLeft) {
  TemporaryFolder folder;
  put_bytes(folder / ".f.wengert-tmp", std::string(1000, 'x'));
  write_file_atomically(folder / "f", "new");
  EXPECT_EQ(get_bytes(folder / "f"), "new");
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

TEST(AtomicFile, WritesToNothingThatStandsInTheWay) {
  // The name of the temporary is known beforehand: others can put there what they like.
  const auto other = [](const TemporaryFolder& folder) { return folder / "precious"; };
  const std::vector<std::pair<const char*, void (*)(const std::string& at, const std::string& to)>>
      obstacles = {
          {"hard link",
           [](const std::string& at, const std::string& to) { fs::create_hard_link(to, at); }},
          {"symbolic link",
           [](const std::string& at, const std::string& to) { fs::create_symlink(to, at); }},
          {"dangling link",
           [](const std::string& at, const std::string& to) { fs::create_symlink(to + "2", at); }},
          {"folder",
           [](const std::string& at, const std::string&) {
             fs::create_directory(at);
             put_bytes(at + "/inside", "x");
           }},
          {"pipe",
           [](const std::string& at, const std::string&) { (void)::mkfifo(at.c_str(), 0600); }},
          {"socket", [](const std::string& at,
                        const std::string&) { (void)::mknod(at.c_str(), S_IFSOCK | 0600, 0); }},
          {"file that nobody may read",
           [](const std::string& at, const std::string&) {
             put_bytes(at, "x");
             ::chmod(at.c_str(), 0);
           }},
          {"file of somebody else",
           [](const std::string& at, const std::string&) {
             put_bytes(at, "theirs");
             if (::geteuid() == 0) {
               ASSERT_EQ(::chown(at.c_str(), 12345, 12345), 0);
             }
           }},
      };
  for (const auto& [what, put] : obstacles) {
    SCOPED_TRACE(what);
    TemporaryFolder folder;
    put_bytes(other(folder), "precious");
    put(folder / ".f.wengert-tmp", other(folder));
    for (const char* text : {"first", "second"}) {
      write_file_atomically(folder / "f", text);
      EXPECT_EQ(get_bytes(folder / "f"), text);
    }
    EXPECT_EQ(get_bytes(other(folder)), "precious");
    EXPECT_FALSE(fs::exists(other(folder) + "2"));
    EXPECT_FALSE(fs::exists(folder / ".f.wengert-tmp1"));
    if (::geteuid() == 0 && std::string(what) == "file of somebody else") {
      EXPECT_EQ(get_bytes(folder / ".f.wengert-tmp"), "theirs");
    }
  }
}

TEST(AtomicFile, SaysWhenNoNameIsFree) {
  TemporaryFolder folder;
  for (int slot = 0; slot < 64; ++slot) {
    fs::create_directory(folder / (".f.wengert-tmp" + (slot == 0 ? "" : std::to_string(slot))));
  }
  expect_io_error(folder / "f", "none of the 64 names for a temporary is free",
                  [&] { write_file_atomically(folder / "f", "x"); });
}

TEST(AtomicFile, ALeftoversPermissionsDoNotPass) {
  TemporaryFolder folder;
  put_bytes(folder / "fresh", "");
  put_bytes(folder / ".f.wengert-tmp", "left");
  ASSERT_EQ(::chmod((folder / ".f.wengert-tmp").c_str(), 0606), 0);
  write_file_atomically(folder / "f", "new");
  struct stat usual {
  }, status{};
  ASSERT_EQ(::stat((folder / "fresh").c_str(), &usual), 0);
  ASSERT_EQ(::stat((folder / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, usual.st_mode);
}

TEST(AtomicFile, LeavesFilesOfLikeNamesAlone) {
  TemporaryFolder folder;
  put_bytes(folder / "f.tmp", "mine");
  write_file_atomically(folder / "f", "new");
  EXPECT_EQ(get_bytes(folder / "f.tmp"), "mine");
}

TEST(AtomicFile, WritersAtTheSameTimeDoNotMix) {
  TemporaryFolder folder;
  AtomicFile first(folder / "f");
  AtomicFile second(folder / "f");
  first.write("first");
  second.write("second");
  EXPECT_EQ(folder.names(), (std::set<std::string>{".f.wengert-tmp", ".f.wengert-tmp1"}));
  second.commit();
  EXPECT_EQ(get_bytes(folder / "f"), "second");
  first.commit();
  EXPECT_EQ(get_bytes(folder / "f"), "first");
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

TEST(AtomicFile, ManyThreadsAlwaysLeaveAWholeFile) {
  TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 25; ++round) {
        write_file_atomically(folder / "f",
                              std::string(1000 * (thread + 1), static_cast<char>('a' + thread)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string bytes = get_bytes(folder / "f");
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(bytes, std::string(1000 * static_cast<std::size_t>(bytes[0] - 'a' + 1), bytes[0]));
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

TEST(AtomicFile, RefusesWhatIsNoFile) {
  TemporaryFolder folder;
  const auto write_to = [](const std::string& path) { write_file_atomically(path, "x"); };
  expect_io_error("", "names no file", [&] { write_to(""); });
  expect_io_error(folder / "", "names no file", [&] { write_to(folder / ""); });
  expect_io_error(folder.path(), "is a folder", [&] { write_to(folder.path()); });
  expect_io_error("/dev/null", "is not a regular file", [&] { write_to("/dev/null"); });
  expect_io_error(folder / "no/f", "No such file or directory; check the path",
                  [&] { write_to(folder / "no/f"); });
  put_bytes(folder / "f", "");
  expect_io_error(folder / "f/g", "a part of the path is a file",
                  [&] { write_to(folder / "f/g"); });
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

TEST(CheckWritableFolder, MakesParentsAndLeavesThemEmpty) {
  TemporaryFolder folder;
  check_writable_folder(folder / "a/b/c");
  check_writable_folder(folder / "a/b/c");
  EXPECT_TRUE(fs::is_empty(folder / "a/b/c"));
}

TEST(CheckWritableFolder, FindsOutBeforehand) {
  TemporaryFolder folder;
  put_bytes(folder / "file", "");
  expect_io_error(folder / "file", "is a file, not a folder",
                  [&] { check_writable_folder(folder / "file"); });
  expect_io_error(folder / "file/below", "cannot be made: Not a directory",
                  [&] { check_writable_folder(folder / "file/below"); });
  expect_io_error("", "names no folder", [&] { check_writable_folder(""); });
  EXPECT_THROW(check_writable_folder("/proc/wengert"), IoError);
  RestoreSystemCalls restore;
  detail::system_calls().write = [](int, const void*, std::size_t) -> ssize_t {
    errno = ENOSPC;
    return -1;
  };
  expect_io_error(folder.path(),
                  "cannot be written to: cannot be written: No space left on device; free some",
                  [&] { check_writable_folder(folder.path()); });
  detail::system_calls().open = [](const char*, int, mode_t) {
    errno = EACCES;
    return -1;
  };
  expect_io_error(folder.path(), "Permission denied; check who owns",
                  [&] { check_writable_folder(folder.path()); });
  EXPECT_EQ(folder.names(), std::set<std::string>{"file"});
}

}  // namespace
}  // namespace wengert::io
