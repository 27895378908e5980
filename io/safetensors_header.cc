#include "wengert/io/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "wengert/graph/error.h"

namespace wengert::io::detail {
namespace {

constexpr char kFormatFix[] = "write the file again with a safetensors library";

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kTypeNames[] = {
    {"F32", DType::kFloat32}, {"F64", DType::kFloat64}, {"I32", DType::kInt32},
    {"I64", DType::kInt64},   {"U8", DType::kUint8},    {"BOOL", DType::kBool},
};
constexpr std::string_view kForeignTypes[] = {"F16",     "BF16",    "F8_E4M3", "F8_E5M2", "F8_E8M0",
                                              "F6_E2M3", "F6_E3M2", "F4",      "I8",      "I16",
                                              "U16",     "U32",     "U64",     "C64"};

// Untrusted text in a message: short, on one line, in quotes.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::size_t length = std::min(text.size(), kLongest);
  if (length < text.size()) {  // not in the middle of a UTF-8 character
    while (length > 0 && (text[length] & 0xc0) == 0x80) --length;
  }
  std::string result = "\"";
  for (char c : text.substr(0, length)) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"';
    result += plain ? c : '?';
  }
  return result + (length < text.size() ? "…\"" : "\"");
}

// Follows the parser's events through the one form that a header may have:
//   {"__metadata__": {key: text, …}, name: {"dtype": text, "shape": [n, …],
//    "data_offsets": [begin, end]}, …}
// Every event names its place by `level_` and `field_`; anything out of place is an error, so
// nesting never exceeds three levels and nothing recurses.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafeTensorsHeader take() { return std::move(header_); }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    unexpected("a fraction or a number above 2^64");
  }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ != Level::kArray) unexpected("a number");
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      fail("has the number " + std::to_string(value) + ", above 2^63-1, in its " + field_);
    }
    const int limit = field_ == "shape" ? kMaxRank : 2;
    if (numbers_.size() == limit) {
      fail("has more than " + std::to_string(limit) + " numbers in its " + field_);
    }
    numbers_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (level_ == Level::kMetadata) {
      header_.metadata.emplace(field_, std::move(value));
      return true;
    }
    if (level_ != Level::kEntry || field_ != "dtype") unexpected("text");
    set_dtype(value);
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ == Level::kOutside) {
      level_ = Level::kRoot;
    } else if (level_ == Level::kRoot) {
      level_ = in_metadata_ ? Level::kMetadata : Level::kEntry;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(string_t& name) override {
    if (level_ == Level::kRoot) {
      begin_entry(name);
    } else if (level_ == Level::kMetadata) {
      if (header_.metadata.count(name) != 0) fail("repeats the key " + in_quotes(name));
      field_ = name;
    } else {
      begin_field(name);
    }
    return true;
  }

  bool end_object() override {
    if (level_ == Level::kEntry) end_entry();
    level_ = level_ == Level::kRoot ? Level::kOutside : Level::kRoot;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kEntry || field_ == "dtype") unexpected("an array");
    level_ = Level::kArray;
    numbers_.resize(0);
    return true;
  }

  bool end_array() override {
    level_ = Level::kEntry;
    if (field_ == "shape") {
      entry_.shape = numbers_;
    } else if (numbers_.size() != 2) {
      fail("needs two data_offsets");
    } else {
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    where_.clear();
    fail("is not valid JSON in UTF-8 near its byte " + std::to_string(position));
  }

 private:
  enum class Level { kOutside, kRoot, kMetadata, kEntry, kArray };

  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(path_, "has a bad safetensors header: " + where_ + what, kFormatFix);
  }
  [[noreturn]] void unexpected(const char* what) const {
    fail(std::string("has ") + what + " out of place");
  }

  void begin_entry(const std::string& name) {
    where_ = in_quotes(name) + " ";
    in_metadata_ = name == "__metadata__";
    const bool fresh =
        in_metadata_ ? !std::exchange(has_metadata_, true) : names_.insert(name).second;
    if (!fresh) fail("appears twice");
    entry_ = {};
    entry_.name = name;
    has_dtype_ = has_shape_ = has_offsets_ = false;
  }

  void begin_field(const std::string& name) {
    bool* seen = name == "dtype"          ? &has_dtype_
                 : name == "shape"        ? &has_shape_
                 : name == "data_offsets" ? &has_offsets_
                                          : nullptr;
    if (seen == nullptr) fail("has the unknown key " + in_quotes(name));
    if (*seen) fail("repeats the key " + in_quotes(name));
    *seen = true;
    field_ = name;
  }

  void set_dtype(const std::string& name) {
    for (const TypeName& type : kTypeNames) {
      if (type.name != name) continue;
      entry_.dtype = type.dtype;
      return;
    }
    if (std::find(std::begin(kForeignTypes), std::end(kForeignTypes), name) ==
        std::end(kForeignTypes)) {
      fail("has the unknown dtype " + in_quotes(name));
    }
    throw IoError(path_,
                  "holds " + where_ + "with dtype " + name +
                      ", which is not supported (F32, F64, I32, I64, U8 and BOOL are)",
                  "convert the tensor to a supported dtype where the file was written");
  }

  void end_entry() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_) {
      fail(std::string("lacks its ") + (!has_dtype_   ? "dtype"
                                        : !has_shape_ ? "shape"
                                                      : "data_offsets"));
    }
    std::int64_t bytes = static_cast<std::int64_t>(size_of(entry_.dtype));
    bool overflow = false;
    bool empty = false;
    for (std::int64_t size : entry_.shape) {
      empty |= size == 0;
      overflow |= size != 0 && __builtin_mul_overflow(bytes, size, &bytes);
    }
    // Refused even when another size is 0, as other readers of the format do.
    if (overflow) fail("has shape " + entry_.shape.str() + ", whose product overflows");
    if (empty) bytes = 0;
    if (entry_.end < entry_.begin || entry_.end - entry_.begin != bytes) {
      fail("has data_offsets [" + std::to_string(entry_.begin) + "," + std::to_string(entry_.end) +
           "] for " + to_string(entry_.dtype, entry_.shape) + ", which is " +
           std::to_string(bytes) + " bytes");
    }
    header_.entries.push_back(std::move(entry_));
  }

  const std::string& path_;
  SafeTensorsHeader header_;
  std::set<std::string> names_;
  Level level_ = Level::kOutside;
  bool in_metadata_ = false, has_metadata_ = false;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::string where_;  // the entry being read, for messages
  std::string field_;  // the key being read
  Dims numbers_;
  TensorEntry entry_;
};

}  // namespace

SafeTensorsHeader parse_safetensors_header(const std::string& path, const std::string& text) {
  // The parser would skip a byte order mark and take a NUL for the end of the text.
  if (text.empty() || text[0] != '{' || text.find('\0') != std::string::npos) {
    throw IoError(path, "has a bad safetensors header: it is not a JSON object", kFormatFix);
  }
  HeaderReader reader(path);
  nlohmann::json::sax_parse(text, &reader);
  return reader.take();
}

std::string format_safetensors_header(const SafeTensorsHeader& header) {
  // Put together by hand: the destructor of a JSON object asks for memory, which may be out.
  try {
    std::string text = "{";
    for (const auto& [key, value] : header.metadata) {
      text += text.size() == 1 ? "\"__metadata__\":{" : ",";
      text += nlohmann::json(key).dump() + ":" + nlohmann::json(value).dump();
    }
    if (!header.metadata.empty()) text += '}';
    for (const TensorEntry& entry : header.entries) {
      const auto type = std::find_if(std::begin(kTypeNames), std::end(kTypeNames),
                                     [&](const TypeName& t) { return t.dtype == entry.dtype; });
      if (text.size() > 1) text += ',';
      text += nlohmann::json(entry.name).dump() + ":{\"dtype\":\"" + std::string(type->name) +
              "\",\"shape\":" + entry.shape.str() + ",\"data_offsets\":[" +
              std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
    }
    return text + "}";
  } catch (const nlohmann::json::type_error&) {
    throw Error(ErrorKind::kValue, "write_safetensors", "a name or metadata text is not UTF-8",
                "use UTF-8 text");
  }
}

}  // namespace wengert::io::detail
