#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "wengert/graph/api.h"
#include "wengert/io/file.h"

namespace wengert::io {

/// The bytes of a regular file, unpacked on the way when it is gzipped (seen by its first two
/// bytes, 1f 8b, not by its name). Memory used is a fixed buffer, whatever the file holds.
/// Several gzip members after another read as one; the checksums are verified.
class WENGERT_API InputStream {
 public:
  /// Throws IoError when the file cannot be opened or read.
  explicit InputStream(const std::string& path);
  ~InputStream();

  const std::string& path() const { return file_.path(); }
  /// Bytes on the disk.
  std::int64_t file_size() const { return file_.size(); }
  bool compressed() const { return inflater_ != nullptr; }
  /// The most bytes that this file can unpack to: deflate shrinks by 1032 at most.
  std::int64_t size_limit() const;
  /// What it may unpack to if the caller allows `wanted` bytes, 0 being the usual: 32 times the
  /// file, 64 MiB at least. Memory then stays in proportion to the file. No limit where it is not
  /// gzipped.
  std::int64_t allowed(std::int64_t wanted) const;
  /// Throws IoError that says so of a file that would unpack to more than that; `option` is what
  /// raises it.
  [[noreturn]] void fail_unpacking(std::int64_t limit, const char* option) const;
  /// Reads up to `count` bytes; fewer only at the end. Throws IoError on read errors, damaged
  /// compressed data, and bytes after it that are no gzip member.
  std::size_t read(void* bytes, std::size_t count);
  /// Unpacks up to `count` bytes without keeping them; returns how many there were.
  std::int64_t skip(std::int64_t count);
  /// Back to the first byte. Throws IoError.
  void rewind();

 private:
  struct Inflater;
  std::size_t inflate_into(unsigned char* bytes, std::size_t count);
  bool refill();
  bool next_member();

  InputFile file_;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace wengert::io
