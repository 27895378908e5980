#include "wengert/io/folder_lock.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>

#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

/// A process that holds the folder until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& folder) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::alarm(60);  // in case the parent is gone
      const FolderLock lock(folder);
      if (::write(ready[1], "r", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char byte = 0;
    ::close(ready[1]);
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
  }
  ~Holder() { end(); }
  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

/// Whether the system lists this process' lock, which not every container does.
bool locks_are_listed(const std::string& folder) {
  struct stat status {};
  EXPECT_EQ(::stat(folder.c_str(), &status), 0);
  return get_bytes("/proc/locks").find(":" + std::to_string(status.st_ino) + " ") !=
         std::string::npos;
}

TEST(FolderLock, KeepsOthersOutAndWritesNothing) {
  TemporaryFolder folder;
  {
    const FolderLock lock(folder.path());
    expect_io_error(folder.path(), "is in use by ", [&] { FolderLock{folder.path()}; });
    expect_io_error(folder / ".", "is in use by ", [&] { FolderLock{folder / "."}; });
    std::filesystem::create_directory(folder / "below");
    const FolderLock another(folder / "below");
    EXPECT_EQ(folder.names(), std::set<std::string>{"below"});
  }
  const FolderLock again(folder.path());
}

TEST(FolderLock, NamesTheProcessAndGoesWithIt) {
  TemporaryFolder folder;
  // Others that hold other folders are not the one.
  for (const char* name : {"before", "after"}) std::filesystem::create_directory(folder / name);
  Holder before(folder / "before");
  Holder holder(folder.path());
  Holder after(folder / "after");
  ASSERT_GT(holder.pid(), 0);
  const std::string who = locks_are_listed(folder.path())
                              ? "process " + std::to_string(holder.pid())
                              : "another program";
  expect_io_error(folder.path(), "is in use by " + who + "; choose another folder",
                  [&] { FolderLock{folder.path()}; });
  holder.end();
  const FolderLock lock(folder.path());
}

TEST(FolderLock, WaitsForWhatAKilledOwnerWasStarting) {
  // Between fork and exec a child has its parent's files, and outlives it for a moment.
  TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const FolderLock lock(folder.path());
    if (::fork() == 0) {
      ::usleep(200'000);
      ::_exit(0);
    }
    if (::write(ready[1], "r", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  const FolderLock lock(folder.path());
}

TEST(FolderLock, IsGivenBackWhateverChildrenLive) {
  const TemporaryFolder folder;
  int open[2];
  ASSERT_EQ(::pipe(open), 0);
  pid_t child = -1;
  {
    const FolderLock lock(folder.path());
    child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {  // lives until the pipe is closed
      ::alarm(60);
      char byte = 0;
      ::close(open[1]);
      ::_exit(::read(open[0], &byte, 1) == 0 ? 0 : 1);
    }
  }
  EXPECT_NO_THROW(FolderLock{folder.path()});
  ::close(open[0]);
  ::close(open[1]);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(FolderLock, RefusesWhatIsNoFolder) {
  TemporaryFolder folder;
  put_bytes(folder / "file", "");
  expect_io_error(folder / "file", "cannot be opened: Not a directory",
                  [&] { FolderLock{folder / "file"}; });
  expect_io_error(folder / "none", "cannot be opened: No such file",
                  [&] { FolderLock{folder / "none"}; });
}

TEST(FolderLock, LeavesNothingOpen) {
  TemporaryFolder folder;
  const auto open_files = [] {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  };
  const auto before = open_files();
  {
    const FolderLock lock(folder.path());
    for (int i = 0; i < 5; ++i) EXPECT_THROW(FolderLock{folder.path()}, IoError);
    EXPECT_EQ(open_files(), before + 1);
  }
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace wengert::io
