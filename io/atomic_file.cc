#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/not_cancelled.h"
#include "wengert/io/file.h"
#include "wengert/io/system_calls.h"

namespace wengert::io {
namespace {

using detail::open_file;
using detail::sync_file;
using detail::system_calls;
using detail::throw_system_error;

constexpr int kSlots = 64;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The path of what a symbolic link names: renaming onto the link itself would cut it.
std::string follow_links(const std::string& path) {
  struct stat status {};
  const bool there = ::lstat(path.c_str(), &status) == 0;
  if (!there && errno != ENOENT) throw_system_error(path, "cannot be examined", errno);
  if (!there || !S_ISLNK(status.st_mode)) return path;
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) {
    throw_system_error(path, "is a symbolic link that leads nowhere", errno);
  }
  return resolved;
}

// 0 on success, else errno.
int write_all(int file, const char* bytes, std::size_t count) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  while (count > 0) {
    const ssize_t put = system_calls().write(file, bytes, std::min(count, kPiece));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    if (put == 0) return EIO;  // a write that never gets on would loop for ever
    bytes += put;
    count -= static_cast<std::size_t>(put);
  }
  return 0;
}

// Makes a rename in `folder` last through a power cut. 0 on success, else errno.
int sync_folder(const std::string& folder) {
  const int file = open_file(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  int code = sync_file(file) == 0 ? 0 : errno;
  // Some network file systems cannot sync folders; there is nothing more to do on them.
  if (code == EINVAL || code == ENOTSUP) code = 0;
  system_calls().close(file);
  return code;
}

// Whether the open file is locked and still what the name stands for, in `mine`. 0, or errno where
// that cannot be told.
int lock_as(int file, const std::string& name, bool& mine) {
  mine = false;
  // File systems without locks report other errors than EWOULDBLOCK: go on without one.
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return 0;
  struct stat opened {
  }, named{};
  if (::fstat(file, &opened) != 0) return errno;
  if (::lstat(name.c_str(), &named) != 0) return errno == ENOENT ? 0 : errno;
  mine = opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  return 0;
}

// Takes away what a killed writer left under this name, or finds it gone. Whatever else stands
// there (a file in use or of somebody else, a folder, a pipe, a link) stays.
bool remove_leftover(const std::string& name) {
  struct stat status {};
  if (::lstat(name.c_str(), &status) != 0) return errno == ENOENT;
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return false;
  const int file = open_file(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return errno == ENOENT;
  // Where there are no locks nobody knows whether it is in use.
  bool mine = false;
  const bool left = ::flock(file, LOCK_EX | LOCK_NB) == 0 && lock_as(file, name, mine) == 0 &&
                    mine && ::unlink(name.c_str()) == 0;
  system_calls().close(file);
  return left;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  const wengert::detail::NotCancelled whole;
  if (path_.find('\0') != std::string::npos) {
    throw_system_error(path_, "has a NUL byte in its name", EINVAL);
  }
  if (path_.empty() || path_.back() == '/') {
    throw IoError(path_, "names no file", "give the path of the file to write");
  }
  target_ = follow_links(path_);
  struct stat status {};
  if (::stat(target_.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) {
      throw IoError(path_, S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file",
                    "give the path of a file to write");
    }
    permissions_ = status.st_mode & 07777;
  } else if (errno != ENOENT) {
    throw_system_error(path_, "cannot be examined", errno);
  }
  open_temporary();
}

void AtomicFile::open_temporary() {
  const auto base = target_.rfind('/') + 1;  // 0 where there is no slash
  for (int slot = 0; slot < kSlots; ++slot) {
    std::string name = target_.substr(0, base) + "." + target_.substr(base) + ".wengert-tmp" +
                       (slot == 0 ? "" : std::to_string(slot));
    // Once more for the same name when what stood there has gone.
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (create(name)) return;
      if (!remove_leftover(name)) break;
    }
  }
  throw IoError(path_, "none of the " + std::to_string(kSlots) + " names for a temporary is free",
                "give each writer a file of its own, and remove what else is called ." +
                    target_.substr(base) + ".wengert-tmp");
}

// Whether a new file of this name is now open and locked. Nothing that was there before is written
// to: it may be a link to something else.
bool AtomicFile::create(std::string& name) {
  const int file = open_file(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0 && errno == EEXIST) return false;
  if (file < 0) throw_system_error(path_, "cannot create " + name, errno);
  bool mine = false;
  const int code = lock_as(file, name, mine);
  if (!mine && code == 0) {  // somebody took it for a leftover before it was locked
    system_calls().close(file);
    return false;
  }
  file_ = file;
  temporary_ = std::move(name);  // with no memory of its own, which may be out
  if (code != 0) fail("cannot examine its temporary file", code);
  // Of no consequence where it fails: the file then has the permissions of a new one.
  if (permissions_ != 0 && ::fchmod(file_, permissions_) != 0) errno = 0;
  return true;
}

AtomicFile::~AtomicFile() { discard(); }

// Unlinks before the lock goes with the close: later the name may be another writer's.
void AtomicFile::discard() noexcept {
  const wengert::detail::NotCancelled whole;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
  if (file_ >= 0) system_calls().close(file_);
  file_ = -1;
}

void AtomicFile::fail(const char* what, int code) {
  discard();
  throw_system_error(path_, what, code);
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  if (file_ < 0) throw IoError(path_, "is closed: it failed before, or was committed");
  const int code = write_all(file_, static_cast<const char*>(bytes), count);
  if (code != 0) fail("cannot be written", code);
}

void AtomicFile::commit() {
  const wengert::detail::NotCancelled whole;
  if (file_ < 0) throw IoError(path_, "is closed: it failed before, or was committed");
  const std::string folder = folder_of(target_);  // its memory is there before anything is done
  if (sync_file(file_) != 0) fail("cannot be brought to the disk", errno);
  if (system_calls().rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail("cannot be put in place", errno);
  }
  temporary_.clear();
  // Closed only now: the close ends the lock, which must cover the rename.
  const int file = file_;
  file_ = -1;
  const int closed = system_calls().close(file) == 0 || errno == EINTR ? 0 : errno;
  const int synced = sync_folder(folder);
  if (synced != 0)
    throw_system_error(path_, "is in place, but its folder cannot be synced", synced);
  if (closed != 0) throw_system_error(path_, "is in place, but closing it failed", closed);
}

void write_file_atomically(const std::string& path, std::string_view bytes,
                           std::source_location where) {
  const wengert::detail::CallSite site(where);
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void check_writable_folder(const std::string& folder, std::source_location where) {
  const wengert::detail::CallSite site(where);
  if (folder.empty()) throw IoError(folder, "names no folder", "give the path of a folder");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw_system_error(folder, "cannot be made", error.value());
  if (!std::filesystem::is_directory(folder, error)) {
    throw IoError(folder, "is a file, not a folder", "give the path of a folder");
  }
  // Never committed, so the probe goes away with the object.
  try {
    AtomicFile probe(folder + "/wengert-write-probe");
    probe.write("can this folder be written?\n");
  } catch (const IoError& cause) {
    throw IoError(folder, "cannot be written to: " + detail::reason_of(cause), cause.fix());
  }
}

}  // namespace wengert::io
