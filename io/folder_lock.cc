#include "wengert/io/folder_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/not_cancelled.h"
#include "wengert/graph/text.h"
#include "wengert/io/file.h"
#include "wengert/io/system_calls.h"

namespace wengert::io {
namespace {

/// The words of a line.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty()) return words;
    const std::size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

/// The process that holds the lock of the open folder, as /proc/locks tells it, if it still runs:
///   1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
/// Its devices are not always those that stat names, so the file's number has to do. 0 where
/// nothing is known.
pid_t holder_of(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return 0;
  const std::string inode = ":" + std::to_string(status.st_ino);
  std::string text;
  try {
    InputFile list("/proc/locks");
    char piece[4096];
    while (const std::size_t got = list.read(piece, sizeof piece)) text.append(piece, got);
  } catch (const IoError&) {
    return 0;
  }
  for (const std::string& line : lines_of(text)) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() < 6 || words[1] != "FLOCK" || !words[5].ends_with(inode)) continue;
    pid_t pid = 0;
    (void)std::from_chars(words[4].data(), words[4].data() + words[4].size(), pid);
    if (pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM)) return pid;
  }
  return 0;
}

}  // namespace

// Delegates, so that the destructor closes the folder whatever is thrown here.
FolderLock::FolderLock(const std::string& folder) : FolderLock() {
  owner_ = ::getpid();
  file_ = detail::open_file(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file_ < 0) detail::throw_system_error(folder, "cannot be opened", errno);
  pid_t holder = 0;
  // What an owner was starting when it was killed has the lock, too, until it becomes another
  // program.
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts && holder == 0; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return;
    holder = holder_of(file_);
  }
  throw IoError(folder,
                "is in use by " + (holder == 0 ? std::string("another program")
                                               : "process " + std::to_string(holder)),
                "choose another folder, or wait until that one has ended");
}

FolderLock::~FolderLock() {
  const wengert::detail::NotCancelled whole;
  if (file_ < 0) return;
  // A child that was forked has the lock, too: it is given back by its owner, and for both.
  if (owner_ == ::getpid()) ::flock(file_, LOCK_UN);
  detail::system_calls().close(file_);
}

}  // namespace wengert::io
