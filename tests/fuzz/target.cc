#include "wengert/tests/fuzz/target.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

namespace wengert::fuzz {
namespace {

std::vector<Target>& table() {
  static std::vector<Target> targets;
  return targets;
}

bool g_accepted = false;

}  // namespace

void accept() { g_accepted = true; }
bool was_accepted() { return std::exchange(g_accepted, false); }

std::uint8_t Input::byte() {
  if (bytes_.empty()) return 0;
  const std::uint8_t first = bytes_.front();
  bytes_ = bytes_.subspan(1);
  return first;
}

std::int64_t Input::word() {
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= std::uint64_t{byte()} << (8 * i);
  return static_cast<std::int64_t>(bits);
}

std::string Input::rest() {
  const std::string text(bytes_.begin(), bytes_.end());
  bytes_ = {};
  return text;
}

void require(bool holds, std::string_view what) {
  if (!holds) throw Finding(std::string(what));
}

MemoryFile::MemoryFile(std::string_view bytes) : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  if (file_ < 0 ||
      ::write(file_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("no file in memory");
  }
  path_ = "/proc/self/fd/" + std::to_string(file_);
}

MemoryFile::~MemoryFile() { ::close(file_); }

ScratchFolder::ScratchFolder() {
  const std::filesystem::path memory = "/dev/shm";
  const auto parent =
      ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
  path_ = (parent / "wengert_fuzz_XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no folder " + path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("no zlib");
  }
  std::string result(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::vector<Target> targets() {
  std::vector<Target> sorted = table();
  std::sort(sorted.begin(), sorted.end(),
            [](const Target& a, const Target& b) { return std::strcmp(a.name, b.name) < 0; });
  return sorted;
}

const Target* find_target(std::string_view name) {
  for (const Target& target : table()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

bool detail::add_target(const Target& target) {
  table().push_back(target);
  return true;
}

}  // namespace wengert::fuzz
