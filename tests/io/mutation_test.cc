// Readers against damaged files: seeded mutations of valid ones. A reader returns or throws
// IoError, never anything else, and asks for no more memory than a small multiple of the file.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "wengert/io/idx.h"
#include "wengert/io/safetensors.h"
#include "wengert/tests/io/allocations.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

// SplitMix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t limit) {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % limit);
  }

 private:
  std::uint64_t state_;
};

// What damage is made of: words of the formats, and numbers at the ends of their ranges.
const std::vector<std::string>& tokens() {
  static const std::vector<std::string> kTokens = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "\\",
                                                   "\\u0000",
                                                   "null",
                                                   "true",
                                                   "1e999",
                                                   "-1",
                                                   "0",
                                                   "9223372036854775807",
                                                   "9223372036854775808",
                                                   "18446744073709551615",
                                                   "18446744073709551616",
                                                   "4294967296",
                                                   "\"shape\":[",
                                                   "\"dtype\":\"",
                                                   "F32",
                                                   "F64",
                                                   "U8",
                                                   "BOOL",
                                                   "F16",
                                                   "\"data_offsets\":[0,0]",
                                                   "\"__metadata__\":{\"a\":\"b\"}",
                                                   "[[[[[[[[",
                                                   "{\"a\":{\"a\":{\"a\":",
                                                   "\xff",
                                                   "\xc3\x28",
                                                   std::string(4, '\0'),
                                                   std::string(4, '\xff'),
                                                   std::string(8, '\xff'),
                                                   std::string("\0\0\0\1", 4),
                                                   std::string("\x7f\xff\xff\xff", 4),
                                                   std::string("\x1f\x8b\x08\0", 4),
                                                   std::string("\0\0\x0e\x08", 4)};
  return kTokens;
}

void mutate_once(Random& random, std::string& bytes) {
  if (bytes.empty()) bytes = "x";
  const std::size_t at = random.below(bytes.size());
  const std::size_t length = std::min(bytes.size() - at, 1 + random.below(16));
  const std::string& token = tokens()[random.below(tokens().size())];
  switch (random.below(9)) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
      break;
    case 1:
      bytes[at] = static_cast<char>(random.below(256));
      break;
    case 2:
      bytes.erase(at, length);
      break;
    case 3:
      bytes.insert(at, bytes.substr(at, length));
      break;
    case 4:
      bytes.resize(at);
      break;
    case 5:
      bytes.insert(at, token);
      break;
    case 6:
      bytes.replace(at, std::min(bytes.size() - at, token.size()), token);
      break;
    case 7:  // swaps two stretches of the same length
      for (std::size_t i = 0, other = random.below(bytes.size() - length + 1); i < length; ++i) {
        std::swap(bytes[at + i], bytes[other + i]);
      }
      break;
    default: {  // a digit: sizes and offsets go wrong while the text stays valid
      const std::size_t digit = bytes.find_first_of("0123456789", at);
      if (digit != std::string::npos) bytes[digit] = static_cast<char>('0' + random.below(10));
    }
  }
}

int mutation_count() { return std::getenv("WENGERT_LONG_TESTS") != nullptr ? 200'000 : 2000; }

// What a reader may ask for: `times` the file, and `extra` for its fixed buffers and messages.
struct Bound {
  std::size_t times;
  std::size_t extra;
};

// A plain file is read into its tensor at once; 8-bit elements are widened to four bytes. A
// message costs a few hundred bytes.
constexpr Bound kPlainIdx{4, 8192};
// zlib's state (some 40 KiB) and its input buffer of at most 64 KiB; elements up to 8 times the
// packed size, and more only after they were counted.
constexpr Bound kGzipIdx{1100, 131'072};
// The text, its entries and names, and the tensors' headers.
constexpr Bound kSafeTensors{32, 16'384};

// `finish` turns the mutated bytes into the file's (packs them, puts a true length in front).
template <class Finish, class Read>
void run(std::uint64_t seed, const std::vector<std::string>& originals, Bound bound,
         Finish&& finish, Read&& read) {
  TemporaryFolder folder;
  const std::string path = folder / "f";
  int accepted = 0;
  for (int i = 0; i < mutation_count(); ++i) {
    Random random(seed * 1'000'000 + static_cast<std::uint64_t>(i));
    std::string bytes = originals[random.below(originals.size())];
    for (std::size_t n = 1 + random.below(4); n > 0; --n) mutate_once(random, bytes);
    bytes = finish(bytes);
    put_bytes(path, bytes);
    start_counting_allocations();
    try {
      read(path);
      ++accepted;
    } catch (const IoError& error) {
      EXPECT_EQ(error.path(), path);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "seed " << seed << ", mutation " << i << ": " << error.what();
    }
    // Damage may turn a plain file into a packed one.
    const bool packed = bytes.starts_with("\x1f\x8b") && bound.times == kPlainIdx.times;
    const Bound allowed = packed ? kGzipIdx : bound;
    ASSERT_LE(allocated_bytes(), allowed.times * bytes.size() + allowed.extra)
        << "seed " << seed << ", mutation " << i << ", file of " << bytes.size();
  }
  // Neither all nor nothing: mutations do reach both outcomes.
  EXPECT_GT(accepted, mutation_count() / 1000);
  EXPECT_LT(accepted, mutation_count() * 9 / 10);
}

std::string as_is(const std::string& bytes) { return bytes; }

std::vector<std::string> idx_files() {
  TemporaryFolder folder;
  std::vector<std::string> files;
  for (DType dtype : {DType::kUint8, DType::kInt32, DType::kFloat32, DType::kFloat64}) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{3, 4, 5}, Shape{1, 0, 2}}) {
      write_idx(folder / "f", Tensor::full(shape, 3, dtype));
      files.push_back(get_bytes(folder / "f"));
    }
  }
  files.push_back(std::string("\0\0\x0b\x01\0\0\0\x02", 8) + "abcd");
  files.push_back(std::string("\0\0\x09\x02\0\0\0\x02\0\0\0\x02", 12) + "abcd");
  return files;
}

std::vector<std::string> safetensors_files() {
  TemporaryFolder folder;
  std::vector<std::string> files;
  const auto add = [&](const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {}) {
    write_safetensors(folder / "f", tensors, metadata);
    files.push_back(get_bytes(folder / "f"));
  };
  add({});
  add({{"a", Tensor::scalar(1.0f)}}, {{"k", "v"}, {"l", "w"}});
  add({{"mask", Tensor::full({5}, 1, DType::kBool)}, {"x", Tensor::zeros({2, 0}, DType::kInt64)}});
  add({{"weight", Tensor::full({4, 3}, 2, DType::kFloat32)},
       {"bias", Tensor::full({3}, 2, DType::kFloat64)},
       {"count", Tensor::full({3}, 2, DType::kUint8)}});
  return files;
}

TEST(Mutations, Idx) {
  run(1, idx_files(), kPlainIdx, as_is, [](const std::string& path) { read_idx(path); });
}

TEST(Mutations, GzipBytes) {
  std::vector<std::string> files;
  for (const std::string& file : idx_files()) files.push_back(gzip(file));
  files.push_back(gzip(idx_files()[5].substr(0, 7)) + gzip(idx_files()[5].substr(7)));
  run(2, files, kGzipIdx, as_is, [](const std::string& path) { read_idx(path); });
}

TEST(Mutations, IdxWithinGzip) {
  run(3, idx_files(), kGzipIdx, gzip, [](const std::string& path) { read_idx(path); });
}

TEST(Mutations, SafeTensors) {
  run(4, safetensors_files(), kSafeTensors, as_is,
      [](const std::string& path) { read_safetensors(path); });
}

// Most mutations above only break the length. Here it is made true again, so that the header's
// text is what is tried.
TEST(Mutations, SafeTensorsHeader) {
  std::vector<std::string> headers;
  for (const std::string& file : safetensors_files()) headers.push_back(file.substr(8));
  const auto finish = [](const std::string& bytes) {
    const auto end = bytes.rfind('}');
    const std::uint64_t length = end == std::string::npos ? bytes.size() : end + 1;
    return std::string(reinterpret_cast<const char*>(&length), 8) + bytes;
  };
  run(5, headers, kSafeTensors, finish, [](const std::string& path) { read_safetensors(path); });
}

}  // namespace
}  // namespace wengert::io
