#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// What is fed with bytes of a stranger. A target is one file: FUZZ_TARGET(name) { … input … }. The
// program `fuzz` (tools/fuzz) mutates bytes and looks for those that end one badly; the tests run
// the bytes that are kept in corpus/name.
namespace wengert::fuzz {

/// The bytes, taken from the front; where they are at an end, zeros.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  std::uint8_t byte();
  /// 0 … limit − 1, from one byte; `limit` is 1 to 256.
  int below(int limit) { return byte() % limit; }
  bool chance() { return (byte() & 1) != 0; }
  /// Any 64 bits.
  std::int64_t word();
  /// All that is left.
  std::string rest();

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Something that must not be.
class Finding : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
/// Throws Finding unless `holds`.
void require(bool holds, std::string_view what);

/// A regular file that lies in memory and goes away with the object.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

/// A folder of this process alone, in memory where the system has such; gone with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

/// `bytes` as one gzip member.
std::string gzip(std::string_view bytes);

/// Said by a target of bytes that it did not refuse: a corpus that no longer reaches anything is
/// noticed by that.
void accept();
/// Whether that was said since the last time this was asked.
bool was_accepted();

struct Target {
  const char* name;
  void (*run)(Input);
};
/// All of the program, by name.
std::vector<Target> targets();
/// Null where there is none.
const Target* find_target(std::string_view name);

namespace detail {
bool add_target(const Target& target);
}

#define FUZZ_TARGET(name)                                        \
  static void name##_target(wengert::fuzz::Input input);         \
  [[maybe_unused]] static const bool name##_added =              \
      wengert::fuzz::detail::add_target({#name, name##_target}); \
  static void name##_target([[maybe_unused]] wengert::fuzz::Input input)

}  // namespace wengert::fuzz
