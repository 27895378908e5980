#include "wengert/io/input_stream.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <vector>

#include "wengert/graph/error.h"

namespace wengert::io {
namespace {

constexpr std::size_t kBufferBytes = 65536;
constexpr std::int64_t kMostShrinking = 1032;  // of deflate
constexpr int kGzipOnly = 16 + MAX_WBITS;      // zlib's code for "a gzip header must be there"
constexpr char kDamagedFix[] = "the file is damaged: copy or download it again";

}  // namespace

struct InputStream::Inflater {
  explicit Inflater(std::int64_t file_bytes)
      : buffer(static_cast<std::size_t>(std::clamp<std::int64_t>(file_bytes, 1, kBufferBytes))) {
    if (inflateInit2(&stream, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }

  z_stream stream = {};
  std::vector<unsigned char> buffer;
  bool ended = false;  // behind the last member
};

InputStream::InputStream(const std::string& path) : file_(path) {
  unsigned char magic[2];
  const bool gzipped = file_.read(magic, 2) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
  file_.rewind();
  if (gzipped) inflater_ = std::make_unique<Inflater>(file_.size());
}

InputStream::~InputStream() = default;

std::int64_t InputStream::size_limit() const {
  if (!compressed()) return file_size();
  return file_size() > std::numeric_limits<std::int64_t>::max() / kMostShrinking
             ? std::numeric_limits<std::int64_t>::max()
             : file_size() * kMostShrinking;
}

std::int64_t InputStream::allowed(std::int64_t wanted) const {
  constexpr std::int64_t kUsualShrinking = 32, kLeast = std::int64_t{64} << 20;
  if (!compressed()) return std::numeric_limits<std::int64_t>::max();
  return wanted > 0 ? wanted : std::max(kLeast, size_limit() / kMostShrinking * kUsualShrinking);
}

void InputStream::fail_unpacking(std::int64_t limit, const char* option) const {
  throw IoError(path(),
                "has " + std::to_string(file_size()) + " bytes and unpacks to more than the " +
                    std::to_string(limit) + " allowed",
                "if you trust it, unpack it with gunzip, or set " + std::string(option));
}

void InputStream::rewind() {
  file_.rewind();
  if (!compressed()) return;
  inflateReset(&inflater_->stream);
  inflater_->stream.avail_in = 0;
  inflater_->ended = false;
}

std::size_t InputStream::read(void* bytes, std::size_t count) {
  if (!compressed()) return file_.read(bytes, count);
  std::size_t done = 0;
  while (done < count && !inflater_->ended) {
    done += inflate_into(static_cast<unsigned char*>(bytes) + done, count - done);
  }
  return done;
}

std::int64_t InputStream::skip(std::int64_t count) {
  std::array<unsigned char, 8192> sink;
  std::int64_t done = 0;
  while (done < count) {
    const auto wanted = std::min<std::int64_t>(count - done, sink.size());
    const std::size_t got = read(sink.data(), static_cast<std::size_t>(wanted));
    if (got == 0) break;
    done += static_cast<std::int64_t>(got);
  }
  return done;
}

// One step of zlib's; returns the bytes it made, possibly none.
std::size_t InputStream::inflate_into(unsigned char* bytes, std::size_t count) {
  z_stream& stream = inflater_->stream;
  const bool starved = stream.avail_in == 0 && !refill();
  stream.next_out = bytes;
  const auto room = static_cast<uInt>(std::min<std::size_t>(count, std::size_t{1} << 30));
  stream.avail_out = room;
  const int result = inflate(&stream, Z_NO_FLUSH);
  const std::size_t made = room - stream.avail_out;
  if (result == Z_STREAM_END) {
    inflater_->ended = !next_member();
  } else if (result == Z_MEM_ERROR) {
    throw std::bad_alloc();
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    throw IoError(path(),
                  std::string("holds damaged gzip data: ") +
                      (stream.msg != nullptr ? stream.msg : "unknown kind of stream"),
                  kDamagedFix);
  } else if (starved && made == 0) {
    throw IoError(path(), "ends in the middle of its gzip data", kDamagedFix);
  }
  return made;
}

// Whether there is more compressed input.
bool InputStream::refill() {
  Inflater& inflater = *inflater_;
  const std::size_t got = file_.read(inflater.buffer.data(), inflater.buffer.size());
  inflater.stream.next_in = inflater.buffer.data();
  inflater.stream.avail_in = static_cast<uInt>(got);
  return got > 0;
}

// Whether another member follows the one that ended; its header is checked by inflate().
bool InputStream::next_member() {
  z_stream& stream = inflater_->stream;
  if (stream.avail_in == 0 && !refill()) return false;
  if (*stream.next_in != 0x1f) {
    throw IoError(path(), "has bytes after the end of its gzip data", kDamagedFix);
  }
  inflateReset(&stream);
  return true;
}

}  // namespace wengert::io
