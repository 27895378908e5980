#include "wengert/io/system_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "wengert/graph/text.h"

namespace wengert::io::detail {
namespace {

int plain_open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }

const char* fix_for(int code, std::string_view what) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return "free some space there, or choose a folder on another disk";
    case EACCES:
    case EPERM:
      return "check who owns the file and its folder, and their permissions";
    case EROFS:
      return "that disk is mounted read-only: choose a folder elsewhere";
    case EIO:
      return "the disk reports a fault: look at the system's log, and save elsewhere";
    case ENOENT:
      return what.starts_with("cannot be opened") ? "check the path"
                                                  : "check the path; a missing folder is made with "
                                                    "mkdir -p";
    case ENOTDIR:
      return "a part of the path is a file, not a folder";
    case EISDIR:
      return "this is a folder: give the path of a file";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case EMFILE:
    case ENFILE:
      return "too many files are open: close some, or raise the limit (ulimit -n)";
    case ELOOP:
      return "a symbolic link on the path leads in circles, or stands where a file should";
    case EFBIG:
      return "the file would exceed the size limit (ulimit -f, or the file system's own)";
    case EINVAL:
      return "check the path for stray bytes";
    default:
      return "";
  }
}

}  // namespace

SystemCalls& system_calls() {
  static SystemCalls calls{plain_open, ::read, ::write, ::fsync, ::rename, ::close};
  return calls;
}

int open_file(const std::string& path, int flags, mode_t mode) {
  if (path.find('\0') != std::string::npos) {
    errno = EINVAL;
    return -1;
  }
  int file = -1;
  do {
    file = system_calls().open(path.c_str(), flags, mode);
  } while (file < 0 && errno == EINTR);
  return file;
}

int sync_file(int file) {
  int result = 0;
  do {
    result = system_calls().fsync(file);
  } while (result != 0 && errno == EINTR);
  return result;
}

void throw_system_error(const std::string& path, const std::string& what, int code) {
  // what() ends at a NUL byte: leave out what follows one, so that the reason is not lost.
  throw IoError(path.substr(0, path.find('\0')),
                what + ": " + std::generic_category().message(code), fix_for(code, what));
}

std::string reason_of(const IoError& error) {
  const std::string start = printable(error.path()) + ": ";
  const std::string& message = error.message();
  return message.starts_with(start) ? message.substr(start.size()) : message;
}

}  // namespace wengert::io::detail
