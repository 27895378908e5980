#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/not_cancelled.h"
#include "wengert/io/file.h"
#include "wengert/io/system_calls.h"

namespace wengert::io {

using detail::system_calls;
using detail::throw_system_error;

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  const wengert::detail::NotCancelled whole;
  // Without O_NONBLOCK opening a pipe would wait for a writer; regular files ignore it.
  file_ = detail::open_file(path_, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0) throw_system_error(path_, "cannot be opened", errno);
  struct stat status {};
  const bool known = ::fstat(file_, &status) == 0;
  const int code = errno;
  if (known && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  system_calls().close(file_);
  if (!known) throw_system_error(path_, "cannot be examined", code);
  throw IoError(path_, S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file",
                "give the path of a file; copy a pipe's or a device's bytes into one first");
}

InputFile::~InputFile() {
  const wengert::detail::NotCancelled whole;
  system_calls().close(file_);
}

std::size_t InputFile::read(void* bytes, std::size_t count) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // the system takes at most 2³¹ at once
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = system_calls().read(file_, static_cast<char*>(bytes) + done,
                                            std::min(count - done, kPiece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(path_, "cannot be read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void InputFile::read_exactly(void* bytes, std::size_t count) {
  const std::size_t got = read(bytes, count);
  if (got == count) return;
  throw IoError(path_,
                "ends " + std::to_string(count - got) + " bytes too early (it has " +
                    std::to_string(size_) + " bytes)",
                "the file is cut short: copy or download it again");
}

void InputFile::rewind() {
  if (::lseek(file_, 0, SEEK_SET) != 0) throw_system_error(path_, "cannot be rewound", errno);
}

std::string read_file(const std::string& path, std::int64_t limit, std::source_location where) {
  const wengert::detail::CallSite site(where);
  InputFile file(path);
  if (file.size() > limit) {
    throw IoError(path,
                  "has " + std::to_string(file.size()) + " bytes, more than the " +
                      std::to_string(limit) + " allowed here",
                  "check that this is the file you mean");
  }
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read_exactly(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace wengert::io
