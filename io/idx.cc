#include "wengert/io/idx.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/io/file.h"
#include "wengert/io/input_stream.h"

namespace wengert::io {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are swapped unconditionally");

constexpr char kDamagedFix[] = "the file is damaged or no IDX file: copy or download it again";

struct ElementType {
  unsigned char code;
  int bytes;  // in the file
  bool is_signed;
  DType dtype;
};
constexpr ElementType kElementTypes[] = {
    {0x08, 1, false, DType::kUint8},  {0x09, 1, true, DType::kInt32},
    {0x0B, 2, true, DType::kInt32},   {0x0C, 4, true, DType::kInt32},
    {0x0D, 4, true, DType::kFloat32}, {0x0E, 8, true, DType::kFloat64},
};

struct Header {
  ElementType type;
  Shape shape;
  std::int64_t count = 1;       // elements
  std::int64_t data_bytes = 0;  // in the file, unpacked
  std::int64_t header_bytes = 0;
};

void read_header_bytes(InputStream& stream, unsigned char* bytes, std::size_t count) {
  if (stream.read(bytes, count) < count) {
    throw IoError(stream.path(), "ends within its IDX header", kDamagedFix);
  }
}

ElementType element_type(const std::string& path, unsigned char code) {
  for (const ElementType& type : kElementTypes) {
    if (type.code == code) return type;
  }
  constexpr char kHex[] = "0123456789ABCDEF";
  throw IoError(path,
                std::string("has the unknown IDX type code ") + kHex[code >> 4] + kHex[code & 15],
                "codes are 08, 09, 0B, 0C, 0D and 0E: the file is damaged or no IDX file");
}

Header read_header(InputStream& stream) {
  std::array<unsigned char, 4> start{};
  read_header_bytes(stream, start.data(), start.size());
  if (start[0] != 0 || start[1] != 0) {
    throw IoError(stream.path(), "is no IDX file: it does not begin with two zero bytes",
                  "give the path of an IDX file, plain or gzipped");
  }
  Header header{.type = element_type(stream.path(), start[2]), .shape = {}};
  const int rank = start[3];
  if (rank > kMaxRank) {
    throw IoError(stream.path(),
                  "has " + std::to_string(rank) + " dimensions; at most " +
                      std::to_string(kMaxRank) + " are possible here",
                  kDamagedFix);
  }
  bool fits = true;
  bool empty = false;
  for (int axis = 0; axis < rank; ++axis) {
    std::array<unsigned char, 4> size{};
    read_header_bytes(stream, size.data(), size.size());
    header.shape.push_back(std::int64_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
    empty |= header.shape.back() == 0;
    fits &= header.shape.back() == 0 ||
            !__builtin_mul_overflow(header.count, header.shape.back(), &header.count);
  }
  if (empty) header.count = 0;
  fits &= !__builtin_mul_overflow(header.count, header.type.bytes, &header.data_bytes);
  if (!fits) {
    throw IoError(stream.path(), "has sizes " + header.shape.str() + " whose product overflows",
                  kDamagedFix);
  }
  header.header_bytes = 4 + 4 * rank;
  return header;
}

[[noreturn]] void fail_short(const InputStream& stream, const Header& header, std::int64_t got) {
  throw IoError(stream.path(),
                "is cut short: its header says " + header.shape.str() + ", that is " +
                    std::to_string(header.data_bytes) + " bytes of data, but it has " +
                    std::to_string(got),
                kDamagedFix);
}

// Proves that the data are there before memory is taken for them. A plain file's size tells. A
// gzipped one that claims to unpack to much more than itself is unpacked once for counting only.
void check_size(InputStream& stream, const Header& header, std::int64_t unpacked_limit) {
  constexpr std::int64_t kUsualShrinking = 8;
  if (!stream.compressed()) {
    const std::int64_t got = stream.file_size() - header.header_bytes;
    if (got < header.data_bytes) fail_short(stream, header, got);
    return;
  }
  if (header.data_bytes > stream.size_limit()) {
    throw IoError(stream.path(),
                  "says " + header.shape.str() + ", more than a gzip file of " +
                      std::to_string(stream.file_size()) + " bytes can hold",
                  kDamagedFix);
  }
  const std::int64_t limit = stream.allowed(unpacked_limit);
  if (header.data_bytes > limit) stream.fail_unpacking(limit, "read_idx's unpacked_limit");
  if (header.data_bytes <= stream.file_size() * kUsualShrinking) return;
  const std::int64_t got = stream.skip(header.data_bytes);
  if (got < header.data_bytes) fail_short(stream, header, got);
  stream.rewind();
  stream.skip(header.header_bytes);
}

template <class T>
void swap_bytes(std::byte* bytes, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    if constexpr (sizeof(T) == 8) {
      value = __builtin_bswap64(value);
    } else {
      value = __builtin_bswap32(value);
    }
    std::memcpy(bytes + i * sizeof(T), &value, sizeof(T));
  }
}

void swap_elements(std::byte* bytes, std::int64_t count, std::size_t element_bytes) {
  if (element_bytes == 4) swap_bytes<std::uint32_t>(bytes, count);
  if (element_bytes == 8) swap_bytes<std::uint64_t>(bytes, count);
}

// Signed 8- and 16-bit elements into i32, a piece at a time.
void read_widened(InputStream& stream, const Header& header, std::int32_t* out) {
  std::array<unsigned char, 4096> piece;
  const int width = header.type.bytes;
  std::int64_t done = 0;
  while (done < header.count) {
    const auto want = std::min<std::int64_t>(header.count - done, piece.size() / width);
    const std::size_t got = stream.read(piece.data(), static_cast<std::size_t>(want * width));
    if (static_cast<std::int64_t>(got) < want * width) {
      fail_short(stream, header, done * width + static_cast<std::int64_t>(got));
    }
    for (std::int64_t i = 0; i < want; ++i, ++done) {
      out[done] = width == 1 ? static_cast<std::int8_t>(piece[i])
                             : static_cast<std::int16_t>(piece[2 * i] << 8 | piece[2 * i + 1]);
    }
  }
}

}  // namespace

Tensor read_idx(const std::string& path, std::int64_t unpacked_limit, std::source_location where) {
  const wengert::detail::CallSite site(where);
  InputStream stream(path);
  const Header header = read_header(stream);
  check_size(stream, header, unpacked_limit);
  Tensor tensor = Tensor::empty(header.shape, header.type.dtype);
  {
    WriteGuard guard(tensor, "read_idx");
    if (header.type.bytes < static_cast<int>(size_of(tensor.dtype()))) {
      read_widened(stream, header, guard.span<std::int32_t>().data());
    } else {
      const std::size_t got =
          stream.read(guard.data(), static_cast<std::size_t>(header.data_bytes));
      if (static_cast<std::int64_t>(got) < header.data_bytes) {
        fail_short(stream, header, static_cast<std::int64_t>(got));
      }
      swap_elements(guard.data(), header.count, size_of(tensor.dtype()));
    }
  }
  // Reading on also makes zlib verify the checksum, which follows the last byte.
  if (stream.skip(1) != 0) {
    throw IoError(path, "has bytes after the end of its " + header.shape.str() + " elements",
                  kDamagedFix);
  }
  return tensor;
}

void write_idx(const std::string& path, const Tensor& tensor, std::source_location where) {
  const detail::CallSite site(where);
  const ElementType* type = nullptr;
  for (const ElementType& candidate : kElementTypes) {
    if (candidate.dtype == tensor.dtype() &&
        candidate.bytes == static_cast<int>(size_of(tensor.dtype()))) {
      type = &candidate;
    }
  }
  if (type == nullptr) {
    throw Error(ErrorKind::kDType, "write_idx",
                "IDX files hold no " + std::string(name_of(tensor.dtype())) + " elements",
                "convert with to(DType::kInt32) or to(DType::kUint8)");
  }
  std::string header = {'\0', '\0', static_cast<char>(type->code),
                        static_cast<char>(tensor.rank())};
  for (std::int64_t size : tensor.shape()) {
    if (size > std::numeric_limits<std::uint32_t>::max()) {
      throw Error(ErrorKind::kShape, "write_idx",
                  "a size of " + tensor.shape().str() + " exceeds the 32 bits of IDX files");
    }
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(size >> shift);
  }
  AtomicFile file(path);
  file.write(header);
  Tensor elements = tensor.clone();
  WriteGuard guard(elements, "write_idx");
  swap_elements(guard.data(), elements.element_count(), size_of(elements.dtype()));
  file.write(guard.data(),
             static_cast<std::size_t>(elements.element_count()) * size_of(elements.dtype()));
  file.commit();
}

}  // namespace wengert::io
