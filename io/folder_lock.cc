#include "wengert/io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "wengert/graph/error.h"
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

/// "process 1234" that holds the lock of the open folder, as /proc/locks tells it:
///   1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
/// Its devices are not always those that stat names, so the file's number has to do.
std::string holder_of(int file) {
  const std::string unknown = "another program";
  struct stat status {};
  if (::fstat(file, &status) != 0) return unknown;
  const std::string inode = ":" + std::to_string(status.st_ino);
  std::string text;
  try {
    InputFile list("/proc/locks");
    char piece[4096];
    while (const std::size_t got = list.read(piece, sizeof piece)) text.append(piece, got);
  } catch (const IoError&) {
    return unknown;
  }
  for (const std::string& line : lines_of(text)) {
    const std::vector<std::string_view> words = words_of(line);
    // A pid of 0 is one of a container that cannot be seen from here.
    if (words.size() < 6 || words[1] != "FLOCK" || !words[5].ends_with(inode) || words[4] == "0") {
      continue;
    }
    return "process " + std::string(words[4]);
  }
  return unknown;
}

}  // namespace

// Delegates, so that the destructor closes the folder whatever is thrown here.
FolderLock::FolderLock(const std::string& folder) : FolderLock() {
  file_ = detail::open_file(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file_ < 0) detail::throw_system_error(folder, "cannot be opened", errno);
  int result = 0;
  do {
    result = ::flock(file_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno != EWOULDBLOCK) return;
  throw IoError(folder, "is in use by " + holder_of(file_),
                "choose another folder, or wait until that one has ended");
}

FolderLock::~FolderLock() {
  if (file_ >= 0) detail::system_calls().close(file_);
}

}  // namespace wengert::io
