#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/graph/utf8.h"
#include "wengert/io/file.h"
#include "wengert/io/npy_format.h"
#include "wengert/io/numpy.h"

// A zip of .npy files. Sizes are those of the table at the end: numpy.savez leaves the ones before
// each entry to zip64's extra field, however small the entry is.
namespace wengert::io {
namespace {

constexpr char kDamagedFix[] = "the file is damaged or no .npz file: copy or save it again";
constexpr std::string_view kEnding = ".npy";
constexpr std::uint32_t kEntrySignature = 0x04034b50, kTableSignature = 0x02014b50,
                        kEndSignature = 0x06054b50, kZip64Locator = 0x07064b50;
constexpr std::size_t kEntryBytes = 30, kTableBytes = 46, kEndBytes = 22, kLocatorBytes = 20;
constexpr std::uint32_t kTooLarge = 0xffffffff, kTooMany = 0xffff;  // says: look at zip64's fields
constexpr int kStored = 0, kDeflated = 8;
constexpr int kEncrypted = 1, kSizesBehind = 8, kUtf8Name = 0x800;
constexpr std::int64_t kMostShrinking = 1032;  // of deflate
constexpr std::int64_t kUsualShrinking = 8;    // beyond it an entry is unpacked for counting first

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = wengert::detail::utf8_length(text, i);
    if (bytes == 0) return false;
    i += bytes;
  }
  return true;
}

std::uint32_t checksum(std::uint32_t sum, const void* bytes, std::size_t count) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // zlib counts in 32 bits
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (; count > 0; at += std::min(count, kPiece), count -= std::min(count, kPiece)) {
    sum = static_cast<std::uint32_t>(crc32(sum, at, static_cast<uInt>(std::min(count, kPiece))));
  }
  return sum;
}

struct Entry {
  std::string name;
  int packing = kStored;
  std::uint32_t sum = 0;
  std::int64_t packed = 0, size = 0;  ///< bytes in the file, and unpacked
  std::int64_t offset = 0;            ///< of what stands before the data
  std::int64_t data = 0;              ///< of the data
  int flags = 0;
};

/// The data of an entry, unpacked on the way. What was read to the end has the right checksum.
class EntryReader {
 public:
  EntryReader(std::string_view data, const Entry& entry, const std::string& path)
      : entry_(entry), path_(path), left_(data) {
    if (entry.packing == kStored) return;
    // Raw deflate: a zip has checksums of its own.
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    inflating_ = true;
  }
  ~EntryReader() {
    if (inflating_) inflateEnd(&stream_);
  }
  EntryReader(const EntryReader&) = delete;
  EntryReader& operator=(const EntryReader&) = delete;

  std::size_t read(void* bytes, std::size_t count) {
    const std::size_t got = inflating_ ? inflate_into(static_cast<unsigned char*>(bytes), count)
                                       : copy_into(bytes, count);
    sum_ = checksum(sum_, bytes, got);
    read_ += static_cast<std::int64_t>(got);
    return got;
  }

  /// Reads on to the end without keeping anything, and holds size and checksum to be right.
  void finish() {
    std::array<char, 16384> piece;
    while (read(piece.data(), piece.size()) == piece.size() && read_ <= entry_.size) {
    }
    if (read_ != entry_.size) fail("unpacks to another size than it says");
    if (inflating_ && !ended_) fail("has packed data that do not end");
    if (inflating_ && (!left_.empty() || stream_.avail_in != 0)) {
      fail("has bytes after its packed data");
    }
    if (sum_ != entry_.sum) fail("has another checksum than it says");
  }

 private:
  std::size_t copy_into(void* bytes, std::size_t count) {
    count = std::min(count, left_.size());
    if (count > 0) std::memcpy(bytes, left_.data(), count);
    left_.remove_prefix(count);
    return count;
  }

  std::size_t inflate_into(unsigned char* bytes, std::size_t count) {
    constexpr std::size_t kPiece = std::size_t{1} << 30;
    std::size_t done = 0;
    while (done < count && !ended_) {
      if (stream_.avail_in == 0 && !left_.empty()) {
        const std::size_t part = std::min(left_.size(), kPiece);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(left_.data()));
        stream_.avail_in = static_cast<uInt>(part);
        left_.remove_prefix(part);
      }
      const auto room = static_cast<uInt>(std::min(count - done, kPiece));
      stream_.next_out = bytes + done;
      stream_.avail_out = room;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      if (code == Z_STREAM_END) ended_ = true;
      if (code == Z_BUF_ERROR) break;  // the data end before the stream does
      if (code != Z_OK && code != Z_STREAM_END) fail("has damaged packed data");
    }
    return done;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw IoError(path_, "'" + entry_.name + "' " + problem, kDamagedFix);
  }

  const Entry& entry_;
  const std::string& path_;
  std::string_view left_;
  z_stream stream_ = {};
  bool inflating_ = false, ended_ = false;
  std::uint32_t sum_ = 0;
  std::int64_t read_ = 0;
};

/// A zip in memory, of which nothing is believed.
class Zip {
 public:
  Zip(const std::string& path, std::string_view bytes) : path_(path), bytes_(bytes) {}

  /// Its entries in the order of the table at the end.
  std::vector<Entry> entries() {
    find_end();
    std::vector<Entry> entries;
    std::size_t at = table_;
    for (std::uint32_t i = 0; i < count_; ++i) entries.push_back(read_entry(at));
    if (at != end_) fail("has a table of another size than it says");
    check_places(entries);
    return entries;
  }
  std::string_view data(const Entry& entry) const {
    return bytes_.substr(static_cast<std::size_t>(entry.data),
                         static_cast<std::size_t>(entry.packed));
  }

 private:
  std::uint32_t number(std::size_t at, int width) const {
    std::uint32_t value = 0;
    for (int i = width; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes_[at + static_cast<std::size_t>(i)]);
    }
    return value;
  }
  bool holds(std::size_t at, std::size_t count, std::size_t end) const {
    return at <= end && count <= end - at;
  }

  void find_end() {
    if (bytes_.size() < kEndBytes) fail("is no zip: it is too short");
    const std::size_t last = bytes_.size() - kEndBytes;
    for (std::size_t back = 0; back <= std::min<std::size_t>(last, 65535); ++back) {
      const std::size_t at = last - back;  // a comment of `back` bytes follows
      if (number(at, 4) == kEndSignature && number(at + 20, 2) == back) return read_end(at);
    }
    fail("is no zip: it has no table at its end");
  }

  void read_end(std::size_t at) {
    end_ = at;
    count_ = number(at + 10, 2);
    const std::size_t size = number(at + 12, 4);
    table_ = number(at + 16, 4);
    const bool locator = at >= kLocatorBytes && number(at - kLocatorBytes, 4) == kZip64Locator;
    if (locator || count_ == kTooMany || size == kTooLarge || table_ == kTooLarge) fail_zip64();
    if (number(at + 4, 2) != 0 || number(at + 6, 2) != 0 || number(at + 8, 2) != count_) {
      fail("is a part of a zip of several files");
    }
    if (!holds(table_, size, end_) || table_ + size != end_) {
      fail("has its table elsewhere than it says");
    }
  }

  Entry read_entry(std::size_t& at) const {
    if (!holds(at, kTableBytes, end_) || number(at, 4) != kTableSignature) {
      fail("has a damaged table");
    }
    const std::size_t name = number(at + 28, 2), extra = number(at + 30, 2),
                      comment = number(at + 32, 2);
    if (!holds(at + kTableBytes, name + extra + comment, end_)) fail("has a damaged table");
    Entry entry;
    entry.name = bytes_.substr(at + kTableBytes, name);
    entry.flags = static_cast<int>(number(at + 8, 2));
    entry.packing = static_cast<int>(number(at + 10, 2));
    entry.sum = number(at + 16, 4);
    const std::uint32_t packed = number(at + 20, 4), size = number(at + 24, 4),
                        offset = number(at + 42, 4);
    if (packed == kTooLarge || size == kTooLarge || offset == kTooLarge) fail_zip64();
    entry.packed = packed;
    entry.size = size;
    entry.offset = offset;
    if (number(at + 34, 2) != 0) fail("is a part of a zip of several files");
    at += kTableBytes + name + extra + comment;
    check_entry(entry);
    find_data(entry);
    return entry;
  }

  void check_entry(const Entry& entry) const {
    const std::string name = "'" + entry.name + "' ";
    if ((entry.flags & kEncrypted) != 0) {
      fail("holds " + name + "encrypted", "save the arrays without a password");
    }
    if (entry.packing != kStored && entry.packing != kDeflated) {
      fail("has " + name + "packed by method " + std::to_string(entry.packing) +
               "; stored (0) and deflated (8) are read",
           "save the arrays by numpy.savez or savez_compressed");
    }
    const bool possible = entry.packing == kStored ? entry.packed == entry.size
                                                   : entry.size / kMostShrinking <= entry.packed;
    if (!possible) {
      fail("says that " + name + "has " + std::to_string(entry.size) + " bytes, more than " +
           std::to_string(entry.packed) + " packed ones can hold");
    }
    if (!is_utf8(entry.name)) fail("has " + name + "whose name is not UTF-8", "rename the array");
    if (entry.name.size() <= kEnding.size() || !entry.name.ends_with(kEnding)) {
      fail("holds " + name + "which is no .npy file", "give a file that numpy.savez wrote");
    }
  }

  /// What stands before the data repeats the table, or leaves sizes to what follows.
  void find_data(Entry& entry) const {
    const auto at = static_cast<std::size_t>(entry.offset);
    const std::string name = "'" + entry.name + "' ";
    if (!holds(at, kEntryBytes, table_) || number(at, 4) != kEntrySignature) {
      fail("has nothing where " + name + "should begin");
    }
    const std::size_t name_bytes = number(at + 26, 2), extra = number(at + 28, 2);
    const std::size_t data = at + kEntryBytes + name_bytes + extra;
    const auto fits = [&](std::size_t place, std::int64_t told) {
      const std::uint32_t here = number(at + place, 4);
      return here == told || here == kTooLarge || (entry.flags & kSizesBehind) != 0;
    };
    if (bytes_.substr(at + kEntryBytes, name_bytes) != entry.name ||
        static_cast<int>(number(at + 8, 2)) != entry.packing || !fits(18, entry.packed) ||
        !fits(22, entry.size)) {
      fail("has another entry than its table says where " + name + "should be");
    }
    if (!holds(data, static_cast<std::size_t>(entry.packed), table_)) {
      fail("is cut short within " + name);
    }
    entry.data = static_cast<std::int64_t>(data);
  }

  void check_places(const std::vector<Entry>& entries) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> places;
    std::set<std::string_view> names;
    for (const Entry& entry : entries) {
      places.emplace_back(entry.offset, entry.data + entry.packed);
      if (!names.insert(entry.name).second) fail("has '" + entry.name + "' twice", "rename one");
    }
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i) {
      if (places[i].first < places[i - 1].second) fail("has entries that overlap");
    }
  }

  [[noreturn]] void fail_zip64() const {
    fail("is a zip64, as arrays or files of 4 GiB or more need", "save fewer arrays in a file");
  }
  [[noreturn]] void fail(const std::string& problem, const char* fix = kDamagedFix) const {
    throw IoError(path_, problem, fix);
  }

  const std::string& path_;
  std::string_view bytes_;
  std::size_t table_ = 0, end_ = 0;  ///< where the table begins and what ends the zip
  std::uint32_t count_ = 0;
};

Tensor read_array(const std::string& path, const Zip& zip, const Entry& entry) {
  EntryReader reader(zip.data(entry), entry, path);
  const detail::NpyInput input{
      path, "'" + entry.name + "' ", entry.size,
      [&reader](void* bytes, std::size_t count) { return reader.read(bytes, count); }};
  const detail::NpyHeader header = detail::read_npy_header(input);
  // Proves that the data are there before memory is taken for them.
  if (entry.size > entry.packed * kUsualShrinking) {
    EntryReader(zip.data(entry), entry, path).finish();
  }
  Tensor tensor = detail::read_npy_elements(input, header);
  reader.finish();
  return tensor;
}

std::string deflated(std::string_view head, std::string_view body) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
  std::string result;
  try {
    std::array<char, 65536> piece;
    for (const std::string_view part : {head, body}) {
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
      stream.avail_in = static_cast<uInt>(part.size());  // below 4 GiB, as was checked
      const int flush = part.data() == body.data() ? Z_FINISH : Z_NO_FLUSH;
      do {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        (void)deflate(&stream, flush);
        result.append(piece.data(), piece.size() - stream.avail_out);
      } while (stream.avail_out == 0);
    }
  } catch (...) {
    deflateEnd(&stream);
    throw;
  }
  deflateEnd(&stream);
  return result;
}

void put(std::string& to, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) to += static_cast<char>(value >> (8 * i) & 0xff);
}

/// What an entry and its line of the table have in common: 26 bytes.
std::string common_fields(const Entry& entry) {
  std::string bytes;
  put(bytes, 20, 2);  // needs version 2.0 of the format
  put(bytes, static_cast<std::uint64_t>(entry.flags), 2);
  put(bytes, static_cast<std::uint64_t>(entry.packing), 2);
  put(bytes, 0, 2);
  put(bytes, 0x21, 2);  // always the first of January 1980: the same arrays, the same bytes
  put(bytes, entry.sum, 4);
  put(bytes, static_cast<std::uint64_t>(entry.packed), 4);
  put(bytes, static_cast<std::uint64_t>(entry.size), 4);
  put(bytes, entry.name.size(), 2);
  put(bytes, 0, 2);  // no extra field
  return bytes;
}

void check_names(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const NamedTensor& entry : tensors) {
    if (!names.insert(entry.name).second) {
      throw Error(ErrorKind::kParameter, "write_npz", "the name '" + entry.name + "' comes twice",
                  "give each array its own");
    }
    if (entry.name.empty() || entry.name.size() > 60000 || !is_utf8(entry.name)) {
      throw Error(ErrorKind::kValue, "write_npz",
                  "'" + printable(entry.name.substr(0, 100)) + "' is no name of an array",
                  "names are UTF-8 and not empty");
    }
  }
}

[[noreturn]] void refuse_zip64(const std::string& what) {
  throw Error(ErrorKind::kValue, "write_npz", what + ", which needs zip64",
              "write several files, or safetensors");
}

}  // namespace

std::vector<NamedTensor> read_npz(const std::string& path, std::int64_t unpacked_limit,
                                  std::source_location where) {
  const wengert::detail::CallSite site(where);
  const std::string bytes = read_file(path);
  Zip zip(path, bytes);
  const std::vector<Entry> entries = zip.entries();
  const auto limit = unpacked_limit > 0 ? unpacked_limit
                                        : std::max(static_cast<std::int64_t>(bytes.size()) * 32,
                                                   std::int64_t{64} << 20);
  std::int64_t size = 0;
  for (const Entry& entry : entries) size += entry.size;  // each below 2³², fewer than 2¹⁶
  if (size > limit) {
    throw IoError(path,
                  "unpacks to " + std::to_string(size) + " bytes, more than the " +
                      std::to_string(limit) + " allowed here",
                  "raise read_npz's unpacked_limit if you trust it");
  }
  std::vector<NamedTensor> result;
  for (const Entry& entry : entries) {
    result.push_back(
        {entry.name.substr(0, entry.name.size() - kEnding.size()), read_array(path, zip, entry)});
  }
  return result;
}

void write_npz(const std::string& path, std::span<const NamedTensor> tensors, NpzPacking packing,
               std::source_location where) {
  const wengert::detail::CallSite site(where);
  check_names(tensors);
  if (tensors.size() >= kTooMany) refuse_zip64(std::to_string(tensors.size()) + " arrays");
  AtomicFile file(path);
  std::string table;
  std::uint64_t offset = 0;
  const auto write = [&](std::string_view bytes) {
    file.write(bytes);
    offset += bytes.size();
  };
  for (const NamedTensor& tensor : tensors) {
    const Tensor dense = tensor.tensor.contiguous();
    const std::string head = detail::format_npy_header(dense);
    const std::string_view body(
        reinterpret_cast<const char*>(dense.data()),
        static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype()));
    // Deflate may make what does not shrink a little larger.
    if (body.size() >= kTooLarge - (body.size() >> 8) - 65536) {
      refuse_zip64("'" + printable(tensor.name) + "' has " + std::to_string(body.size()) +
                   " bytes");
    }
    Entry entry;
    entry.name = tensor.name + std::string(kEnding);
    const bool ascii = std::all_of(entry.name.begin(), entry.name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    entry.flags = ascii ? 0 : kUtf8Name;
    entry.sum = checksum(checksum(0, head.data(), head.size()), body.data(), body.size());
    entry.size = static_cast<std::int64_t>(head.size() + body.size());
    entry.packed = entry.size;
    std::string packed;
    if (packing == NpzPacking::kDeflated) {
      packed = deflated(head, body);
      entry.packing = kDeflated;
      entry.packed = static_cast<std::int64_t>(packed.size());
    }
    const std::string fields = common_fields(entry);
    put(table, kTableSignature, 4);
    put(table, 20, 2);  // made by version 2.0
    table += fields;
    table.append(10, '\0');  // no comment, first file, no attributes
    put(table, offset, 4);
    table += entry.name;
    std::string start;
    put(start, kEntrySignature, 4);
    write(start + fields + entry.name);
    if (packing == NpzPacking::kDeflated) {
      write(packed);
    } else {
      write(head);
      write(body);
    }
    if (offset >= kTooLarge) refuse_zip64("the file has " + std::to_string(offset) + " bytes");
  }
  std::string end;
  put(end, kEndSignature, 4);
  put(end, 0, 4);  // the first and only file
  put(end, tensors.size(), 2);
  put(end, tensors.size(), 2);
  put(end, table.size(), 4);
  put(end, offset, 4);
  put(end, 0, 2);  // no comment
  if (offset + table.size() >= kTooLarge) refuse_zip64("the table of the arrays is too long");
  file.write(table + end);
  file.commit();
}

}  // namespace wengert::io
