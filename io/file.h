#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "wengert/graph/api.h"

namespace wengert::io {

/// A regular file open for reading. Anything else (folder, pipe, device) is refused, so that a
/// size is known before the first byte is read. Not copyable.
class WENGERT_API InputFile {
 public:
  /// Throws IoError when the file is missing, unreadable or not a regular file.
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes in the file when it was opened.
  std::int64_t size() const { return size_; }
  /// Reads up to `count` bytes; fewer only at the end of the file. Throws IoError.
  std::size_t read(void* bytes, std::size_t count);
  /// Reads exactly `count` bytes. Throws IoError, also when the file ends first.
  void read_exactly(void* bytes, std::size_t count);
  /// Back to the first byte. Throws IoError.
  void rewind();

 private:
  std::string path_;
  int file_ = -1;
  std::int64_t size_ = 0;
};

/// The bytes of a whole file. Memory used is the file's size. Throws IoError when the file is
/// missing, unreadable, larger than `limit` bytes, or not a regular file.
WENGERT_API std::string read_file(const std::string& path,
                                  std::int64_t limit = std::int64_t{1} << 32,
                                  std::source_location where = std::source_location::current());

/// A file that appears whole or not at all: bytes go to a temporary file in the same folder, and
/// commit() puts it in the place of `path`. Whatever happens before (an exception, a full disk,
/// kill −9, a power cut), the old file stays as it was. Permissions of an old file are kept; a
/// symbolic link is followed, so that the file it names is replaced.
///
/// The temporary of "NAME" is ".NAME.wengert-tmp", locked while in use; a writer that was killed
/// leaves it behind and the next one removes it. Writers at the same time, and one that finds
/// something else there (another user's file, a folder, a pipe, a symbolic link), add 1, 2, … to
/// it; the last to commit wins. What was there before is never written to.
class WENGERT_API AtomicFile {
 public:
  /// Throws IoError when the folder is missing or cannot be written.
  explicit AtomicFile(std::string path);
  /// Removes the temporary file unless it was committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws IoError; the temporary file is then removed and nothing more can be written.
  void write(const void* bytes, std::size_t count);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// fsync, rename, fsync of the folder, close: at return the file is on the disk. Throws
  /// IoError; either the old file or the whole new one is then in place. Call once.
  void commit();

 private:
  void open_temporary();
  bool create(std::string& name);
  void discard() noexcept;
  [[noreturn]] void fail(const char* what, int code);

  std::string path_;       // as given, for messages
  std::string target_;     // with symbolic links resolved
  std::string temporary_;  // empty once renamed or removed
  int file_ = -1;
  unsigned permissions_ = 0;  // of the file to be replaced; 0: there is none
};

/// Replaces the file at `path` by one that holds `bytes`, as AtomicFile does. Throws IoError.
WENGERT_API void write_file_atomically(
    const std::string& path, std::string_view bytes,
    std::source_location where = std::source_location::current());

/// Makes `folder` with its parents where missing, and proves that a file can be written in it by
/// writing one and removing it: for finding out before a long training run, not after it.
/// Throws IoError.
WENGERT_API void check_writable_folder(
    const std::string& folder, std::source_location where = std::source_location::current());

}  // namespace wengert::io
