#pragma once

// Private to the library.

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/graph/error.h"

namespace wengert::io::detail {

/// The system calls that touch files, as a table: tests replace entries to make a disk fail on
/// demand. Nothing else may write to it.
struct SystemCalls {
  int (*open)(const char* path, int flags, mode_t mode);
  ssize_t (*read)(int file, void* bytes, std::size_t count);
  ssize_t (*write)(int file, const void* bytes, std::size_t count);
  int (*fsync)(int file);
  int (*rename)(const char* from, const char* to);
  int (*close)(int file);
};

/// The table in use. Not synchronized: replace entries only while no other thread does files.
WENGERT_API SystemCalls& system_calls();

/// open() through the table, retried when interrupted; −1 and errno on failure. Paths that hold a
/// NUL byte fail with EINVAL: the system would see a shorter name.
int open_file(const std::string& path, int flags, mode_t mode = 0);

/// fsync() through the table, retried when interrupted.
int sync_file(int file);

/// Throws IoError: "path: what: <the system's words for code>; <what to do about it>".
[[noreturn]] void throw_system_error(const std::string& path, const std::string& what, int code);

/// The message of a file error without the path in front, to be told again of another path.
std::string reason_of(const IoError& error);

}  // namespace wengert::io::detail
