#include "wengert/io/npy_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::io::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostHeader = 65536;  // NumPy itself reads 10,000 of strangers
constexpr std::size_t kAlignment = 64;
constexpr char kDamagedFix[] = "the file is damaged or no NumPy file: copy or save it again";
constexpr char kDTypeFix[] =
    "save it as one of them: numpy.save(path, a.astype('float32')) for instance";

struct ElementType {
  std::string_view code;  // as NumPy writes it, behind the order of its bytes
  DType dtype;
};
constexpr ElementType kElementTypes[] = {{"b1", DType::kBool},    {"u1", DType::kUint8},
                                         {"i4", DType::kInt32},   {"i8", DType::kInt64},
                                         {"f4", DType::kFloat32}, {"f8", DType::kFloat64}};

/// The header's text: a Python dict of three keys, of which nothing else is understood.
class HeaderParser {
 public:
  HeaderParser(const NpyInput& input, std::string_view text) : input_(input), text_(text) {}

  NpyHeader run() {
    skip_blanks();
    expect('{');
    bool descr = false, order = false, shape = false;
    for (skip_blanks(); !take('}'); skip_blanks()) {
      const std::string key = quoted();
      skip_blanks();
      expect(':');
      skip_blanks();
      bool* known = key == "descr"           ? &descr
                    : key == "fortran_order" ? &order
                    : key == "shape"         ? &shape
                                             : nullptr;
      if (known == nullptr) fail("the unknown key '" + key + "'");
      if (*known) fail("the key '" + key + "' twice");
      *known = true;
      if (key == "descr") read_dtype();
      if (key == "fortran_order") header_.fortran = truth();
      if (key == "shape") read_shape();
      skip_blanks();
      if (take(',')) continue;
      skip_blanks();
      expect('}');
      break;
    }
    skip_blanks();
    if (at_ < text_.size()) fail("more behind its end");
    if (!descr || !order || !shape) fail("no descr, fortran_order or shape");
    return header_;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) {
      ++at_;
    }
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail("no '" + std::string(1, c) + "' at byte " + std::to_string(at_));
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::string quoted() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a quote that does not end");
    const std::string_view inside = text_.substr(at_, end - at_);
    if (inside.find('\\') != std::string_view::npos) fail("a quote with a backslash");
    at_ = end + 1;
    return std::string(inside);
  }

  bool truth() {
    if (take_word("True")) return true;
    if (!take_word("False")) fail("a fortran_order that is neither True nor False");
    return false;
  }

  void read_dtype() {
    if (at_ < text_.size() && text_[at_] == '[') {
      input_.fail("is an array of records, which have no counterpart here",
                  "save each of its fields by itself");
    }
    const std::string text = quoted();
    const char order = text.empty() ? ' ' : text[0];
    const bool told = order == '<' || order == '>' || order == '=' || order == '|';
    const std::string_view code = std::string_view(text).substr(told ? 1 : 0);
    for (const ElementType& type : kElementTypes) {
      if (code != type.code) continue;
      if (!told || (order == '|' && size_of(type.dtype) > 1)) break;
      header_.dtype = type.dtype;
      header_.swapped = order == '>' && size_of(type.dtype) > 1;
      return;
    }
    if (code.starts_with('O')) {
      input_.fail("holds pickled Python objects, which are never read",
                  "save it with a dtype of numbers");
    }
    input_.fail("has the dtype '" + text +
                    "'; bool, uint8, int32, int64, float32 and float64 have a counterpart here",
                kDTypeFix);
  }

  void read_shape() {
    expect('(');
    skip_blanks();
    bool comma = true;  // "(3)" is a number in Python, "(3,)" a tuple
    while (!take(')')) {
      if (!comma) fail("a shape without a comma");
      if (header_.shape.size() == kMaxRank) {
        input_.fail("has more than " + std::to_string(kMaxRank) +
                        " dimensions, which is the most that is possible here",
                    "reshape it before it is saved");
      }
      header_.shape.push_back(size());
      skip_blanks();
      comma = take(',');
      skip_blanks();
    }
    if (header_.shape.size() == 1 && !comma) fail("a shape that is no tuple");
  }

  std::int64_t size() {
    std::int64_t value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (__builtin_mul_overflow(value, std::int64_t{10}, &value) ||
          __builtin_add_overflow(value, std::int64_t{text_[at_] - '0'}, &value)) {
        fail("a size beyond 2^63");
      }
    }
    if (at_ == begin) fail("a shape that is none");
    (void)take('L');  // as Python 2 wrote long numbers
    return value;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    input_.fail("has " + problem + " in its header", kDamagedFix);
  }

  const NpyInput& input_;
  std::string_view text_;
  std::size_t at_ = 0;
  NpyHeader header_;
};

void read_exactly(const NpyInput& input, void* bytes, std::size_t count, const char* what) {
  if (input.read(bytes, count) < count) {
    input.fail("ends within its " + std::string(what), kDamagedFix);
  }
}

template <class T>
void swap_all(std::byte* bytes, std::int64_t count, T (*swap)(T)) {
  for (std::int64_t i = 0; i < count; ++i, bytes += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    value = swap(value);
    std::memcpy(bytes, &value, sizeof(T));
  }
}

void swap_elements(std::byte* bytes, std::int64_t count, std::size_t width) {
  if (width == 4)
    swap_all<std::uint32_t>(bytes, count, [](auto v) { return __builtin_bswap32(v); });
  if (width == 8)
    swap_all<std::uint64_t>(bytes, count, [](auto v) { return __builtin_bswap64(v); });
}

void check_bools(const NpyInput& input, const std::byte* bytes, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (bytes[i] <= std::byte{1}) continue;
    input.fail("has a bool of " + std::to_string(static_cast<int>(bytes[i])) + " at element " +
                   std::to_string(i),
               kDamagedFix);
  }
}

/// The same array with rows first, of one whose memory has columns first.
Tensor rows_first(const Tensor& read, const Shape& shape) {
  Tensor result = Tensor::empty(shape, read.dtype());
  Strides from;
  std::int64_t step = 1;
  for (const std::int64_t size : shape) {
    from.push_back(step);
    step *= std::max<std::int64_t>(size, 1);
  }
  const WriteGuard guard(result, "read_npy");
  copy_elements(read.dtype(), read.data(), from, read.dtype(), guard.data(), result.strides(),
                shape);
  return result;
}

}  // namespace

void NpyInput::fail(const std::string& problem, const std::string& fix) const {
  throw IoError(path, member + problem, fix);
}

NpyHeader read_npy_header(const NpyInput& input) {
  std::array<unsigned char, 12> start{};
  if (input.read(start.data(), 8) < 8 ||
      std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    input.fail("is no NumPy file: it does not begin with \\x93NUMPY",
               "give a file that numpy.save wrote");
  }
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0) {
    input.fail("is of version " + std::to_string(major) + "." + std::to_string(minor) +
                   "; 1.0, 2.0 and 3.0 are known",
               kDamagedFix);
  }
  const std::size_t width = major == 1 ? 2 : 4;
  read_exactly(input, start.data() + 8, width, "header");
  std::size_t length = 0;
  for (std::size_t i = width; i-- > 0;) length = length << 8 | start[8 + i];
  const auto before = static_cast<std::int64_t>(8 + width + length);
  if (length > kMostHeader || before > input.size) {
    input.fail("says that its header has " + std::to_string(length) + " bytes" +
                   (length > kMostHeader ? "; at most 65,536 are read" : ", more than there are"),
               kDamagedFix);
  }
  std::string text(length, '\0');
  read_exactly(input, text.data(), length, "header");
  NpyHeader header = HeaderParser(input, text).run();
  std::int64_t bytes = static_cast<std::int64_t>(size_of(header.dtype));
  bool empty = false, overflow = false;
  for (const std::int64_t size : header.shape) {
    empty |= size == 0;
    overflow |= size != 0 && __builtin_mul_overflow(bytes, size, &bytes);
  }
  if (overflow) {
    input.fail("has sizes " + header.shape.str() + " whose product overflows", kDamagedFix);
  }
  header.data_bytes = empty ? 0 : bytes;
  const std::int64_t there = input.size - before;
  if (there != header.data_bytes) {
    input.fail((there < header.data_bytes ? "is cut short: " : "has bytes after its end: ") +
                   to_string(header.dtype, header.shape) + " takes " +
                   std::to_string(header.data_bytes) + " bytes, but it has " +
                   std::to_string(there),
               kDamagedFix);
  }
  return header;
}

Tensor read_npy_elements(const NpyInput& input, const NpyHeader& header) {
  Tensor tensor = Tensor::empty(header.shape, header.dtype);
  {
    const WriteGuard guard(tensor, "read_npy");
    read_exactly(input, guard.data(), static_cast<std::size_t>(header.data_bytes), "elements");
    if (header.swapped) swap_elements(guard.data(), tensor.element_count(), size_of(header.dtype));
    if (header.dtype == DType::kBool) check_bools(input, guard.data(), tensor.element_count());
  }
  // The memory of a vector is the same in both orders.
  if (!header.fortran || header.shape.size() < 2 || header.data_bytes == 0) return tensor;
  return rows_first(tensor, header.shape);
}

std::string format_npy_header(const Tensor& tensor) {
  std::string text = "{'descr': '";
  for (const ElementType& type : kElementTypes) {
    if (type.dtype != tensor.dtype()) continue;
    text += (size_of(type.dtype) == 1 ? "|" : "<") + std::string(type.code);
  }
  text += "', 'fortran_order': False, 'shape': (";
  for (int axis = 0; axis < tensor.rank(); ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(tensor.shape()[axis]);
  }
  text += tensor.rank() == 1 ? ",), }" : "), }";
  const std::size_t before = kMagic.size() + 4;
  const std::size_t whole = (before + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text += std::string(whole - before - text.size() - 1, ' ') + "\n";
  std::string result(kMagic);
  result +=
      {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return result + text;
}

}  // namespace wengert::io::detail
