#include "wengert/io/safetensors.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "wengert/tests/io/allocations.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

using std::literals::operator""s;

// A file with this header and these data, its length field true.
std::string file_of(const std::string& header, const std::string& data = {}) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

// A file with the one tensor "t".
std::string tensor_file(const std::string& dtype, const std::string& shape,
                        const std::string& offsets, const std::string& data) {
  return file_of("{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
                     ",\"data_offsets\":" + offsets + "}}",
                 data);
}

SafeTensors read_bytes(const std::string& bytes) {
  TemporaryFolder folder;
  put_bytes(folder / "f", bytes);
  return read_safetensors(folder / "f");
}

TEST(SafeTensorsRead, AcceptsEveryDtype) {
  struct Case {
    const char* dtype;
    std::string data;
    double value;
  };
  const Case cases[] = {
      {"F32", "\0\0\xc0\xbf"s, -1.5},
      {"F64", "\0\0\0\0\0\0\xf8\xbf"s, -1.5},
      {"I32", "\xfe\xff\xff\xff"s, -2},
      {"I64", "\xfe\xff\xff\xff\xff\xff\xff\xff"s, -2},
      {"U8", "\xfe"s, 254},
      {"BOOL", "\x01"s, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.dtype);
    const std::string end = std::to_string(c.data.size());
    const SafeTensors read = read_bytes(tensor_file(c.dtype, "[]", "[0," + end + "]", c.data));
    ASSERT_EQ(read.tensors.size(), 1u);
    EXPECT_EQ(read.tensors[0].name, "t");
    EXPECT_EQ(read.tensors[0].tensor.shape(), Shape());
    EXPECT_EQ(read.tensors[0].tensor.scalar_value(), c.value);
  }
}

TEST(SafeTensorsRead, AcceptsWhatTheFormatAllows) {
  EXPECT_TRUE(read_bytes(file_of("{}")).tensors.empty());
  EXPECT_TRUE(read_bytes(file_of("{\"__metadata__\":{}}")).metadata.empty());
  EXPECT_EQ(read_bytes(tensor_file("F32", "[2,0]", "[0,0]", "")).tensors[0].tensor.shape(),
            Shape({2, 0}));
  const std::string padded =
      "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}      ";
  EXPECT_EQ(read_bytes(file_of(padded, "a")).tensors[0].tensor.scalar_value(), 'a');
  // Keys in any order, data in another order than the header, names beyond ASCII.
  const SafeTensors read =
      read_bytes(file_of("{\"ü\":{\"data_offsets\":[1,3],\"shape\":[2],\"dtype\":\"U8\"},"
                         "\"a\\nb\":{\"shape\":[1],\"dtype\":\"U8\",\"data_offsets\":[0,1]},"
                         "\"__metadata__\":{\"k\":\"v\",\"dtype\":\"w\"}}",
                         "xyz"));
  ASSERT_EQ(read.tensors.size(), 2u);
  EXPECT_EQ(read.tensors[0].name, "ü");
  EXPECT_EQ(read.tensors[0].tensor.to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{'y', 'z'}));
  EXPECT_EQ(read.tensors[1].name, "a\nb");
  EXPECT_EQ(read.tensors[1].tensor.to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{'x'}));
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"k", "v"}, {"dtype", "w"}}));
}

struct Rejected {
  const char* name;
  std::string bytes;
  const char* words;
};

void expect_rejected(const std::vector<Rejected>& cases) {
  TemporaryFolder folder;
  for (const Rejected& c : cases) {
    SCOPED_TRACE(c.name);
    put_bytes(folder / "f", c.bytes);
    expect_io_error(folder / "f", c.words, [&] { read_safetensors(folder / "f"); });
  }
}

TEST(SafeTensorsRead, RejectsDamagedFiles) {
  const std::string good = tensor_file("F32", "[2]", "[0,8]", "01234567");
  expect_rejected({
      {"empty", "", "has 0 bytes, too few"},
      {"seven bytes", std::string(7, 'x'), "has 7 bytes, too few"},
      {"8 bytes only", std::string(8, '\0'), "not a JSON object"},
      {"8 bytes only, length 5", "\5\0\0\0\0\0\0\0"s, "is cut short"},
      {"header above 100 MB", "\x01\xe1\xf5\x05\0\0\0\0"s + "{}", "at most 100,000,000"},
      {"length 2^64-1", std::string(8, '\xff') + "{}", "at most 100,000,000"},
      {"header longer than the file", "\x03\0\0\0\0\0\0\0{}"s, "is cut short"},
      {"truncated by 2", good.substr(0, good.size() - 2), "is cut short: its tensors need 8"},
      {"trailing bytes", good + "x", "has bytes after its last tensor"},
      {"trailing bytes, no tensor", file_of("{}", "x"), "has bytes after its last tensor"},
      {"BOOL byte 2", tensor_file("BOOL", "[3]", "[0,3]", "\0\1\2"s), "BOOL byte 2 at byte 2"},
      {"BOOL byte 255", tensor_file("BOOL", "[1]", "[0,1]", "\xff"), "BOOL byte 255 at byte 0"},
  });
}

TEST(SafeTensorsRead, RejectsBadText) {
  const std::string deep(100'000, '[');
  expect_rejected({
      {"a brace", file_of("{"), "not valid JSON"},
      {"not UTF-8", file_of("{\"\xff\":1}"), "not valid JSON"},
      {"overlong UTF-8", file_of("{\"\xc0\x80\":1}"), "not valid JSON"},
      {"lone surrogate", file_of("{\"\\ud800\":1}"), "not valid JSON"},
      {"leading space", file_of(" {}"), "not a JSON object"},
      {"byte order mark", file_of("\xef\xbb\xbf{}"), "not a JSON object"},
      {"NUL padding", file_of("{}\0\0"s), "not a JSON object"},
      {"an array", file_of("[]"), "not a JSON object"},
      {"two objects", file_of("{}{}"), "not valid JSON"},
      {"deep arrays", file_of("{\"t\":" + deep), "\"t\" has an array out of place"},
      {"deep shape", file_of("{\"t\":{\"shape\":" + deep), "\"t\" has an array out of place"},
      {"deep objects", file_of("{\"t\":{\"shape\":{"), "\"t\" has an object out of place"},
      {"deep metadata", file_of("{\"__metadata__\":{\"a\":{"), "an object out of place"},
      {"comment", file_of("{/**/}"), "not valid JSON"},
  });
}

TEST(SafeTensorsRead, RejectsWrongKeysAndTypes) {
  const std::string entry = "\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
  expect_rejected({
      {"duplicate tensor", file_of("{" + entry + "," + entry + "}", "x"), "\"t\" appears twice"},
      {"duplicate by escape", file_of("{" + entry + ",\"\\u0074\"" + entry.substr(3) + "}", "x"),
       "\"t\" appears twice"},
      {"duplicate metadata", file_of("{\"__metadata__\":{},\"__metadata__\":{}}"),
       "\"__metadata__\" appears twice"},
      {"duplicate in metadata", file_of("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}"),
       "repeats the key \"a\""},
      {"duplicate dtype", file_of("{\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}"),
       "\"t\" repeats the key \"dtype\""},
      {"unknown key", file_of("{\"t\":{\"colour\":1}}"), "\"t\" has the unknown key \"colour\""},
      {"no dtype", file_of("{\"t\":{\"shape\":[],\"data_offsets\":[0,1]}}", "x"),
       "lacks its dtype"},
      {"no shape", file_of("{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "x"),
       "lacks its shape"},
      {"no offsets", file_of("{\"t\":{\"dtype\":\"U8\",\"shape\":[]}}"), "lacks its data_offsets"},
      {"metadata number", file_of("{\"__metadata__\":{\"a\":1}}"), "a number out of place"},
      {"metadata null", file_of("{\"__metadata__\":{\"a\":null}}"), "null out of place"},
      {"metadata boolean", file_of("{\"__metadata__\":{\"a\":true}}"), "a boolean out of place"},
      {"metadata array", file_of("{\"__metadata__\":{\"a\":[]}}"), "an array out of place"},
      {"metadata text", file_of("{\"__metadata__\":\"a\"}"), "text out of place"},
      {"tensor text", file_of("{\"t\":\"a\"}"), "text out of place"},
      {"tensor number", file_of("{\"t\":3}"), "a number out of place"},
      {"dtype number", file_of("{\"t\":{\"dtype\":1}}"), "a number out of place"},
      {"dtype array", file_of("{\"t\":{\"dtype\":[]}}"), "an array out of place"},
      {"shape text", file_of("{\"t\":{\"shape\":\"1\"}}"), "text out of place"},
      {"shape of text", file_of("{\"t\":{\"shape\":[\"1\"]}}"), "text out of place"},
      {"unknown dtype", tensor_file("f32", "[1]", "[0,4]", "abcd"), "unknown dtype \"f32\""},
      {"F16", tensor_file("F16", "[1]", "[0,2]", "ab"), "\"t\" with dtype F16, which is not"},
      {"BF16", tensor_file("BF16", "[1]", "[0,2]", "ab"), "\"t\" with dtype BF16, which is not"},
  });
}

TEST(SafeTensorsRead, RejectsWrongNumbers) {
  const auto two = [](const char* first, const char* second) {
    return file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":"s + first +
                       "},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + second + "}}",
                   "wxyz");
  };
  expect_rejected({
      {"size mismatch", tensor_file("F32", "[2]", "[0,4]", "abcd"), "which is 8 bytes"},
      {"backward offsets", tensor_file("U8", "[1]", "[1,0]", "a"), "data_offsets [1,0]"},
      {"overlap", two("[0,2]", "[1,3]"), "has data that overlap at byte 1"},
      {"same place", two("[0,2]", "[0,2]"), "has data that overlap"},
      {"hole", two("[0,2]", "[3,5]"), "leave a hole at byte 2"},
      {"hole in front", two("[1,3]", "[3,5]"), "leave a hole at byte 0"},
      {"overflow 2^64-2", tensor_file("F32", "[2,18446744073709551614]", "[0,8]", "01234567"),
       "above 2^63-1"},
      {"overflow 2^63-1", tensor_file("F32", "[2,9223372036854775807]", "[0,8]", "01234567"),
       "product overflows"},
      {"overflow by bytes", tensor_file("F64", "[1152921504606846976]", "[0,0]", ""),
       "product overflows"},
      {"above 2^64", tensor_file("U8", "[18446744073709551617]", "[0,1]", "a"), "above 2^64"},
      {"negative", tensor_file("U8", "[-1]", "[0,1]", "a"), "a negative number"},
      {"fraction", tensor_file("U8", "[1.0]", "[0,1]", "a"), "a fraction"},
      {"offset 2^63", tensor_file("U8", "[1]", "[9223372036854775808,1]", "a"), "above 2^63-1"},
      {"far away", tensor_file("U8", "[1]", "[9223372036854775806,9223372036854775807]", "a"),
       "leave a hole"},
      {"promises a terabyte", tensor_file("U8", "[1099511627776]", "[0,1099511627776]", "a"),
       "is cut short"},
      {"rank 9", tensor_file("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]", "a"), "more than 8 numbers"},
      {"three offsets", tensor_file("U8", "[1]", "[0,1,2]", "a"), "more than 2 numbers"},
      {"one offset", tensor_file("U8", "[1]", "[0]", "a"), "needs two data_offsets"},
  });
}

TEST(SafeTensorsRead, MessagesStayShortAndOnOneLine) {
  TemporaryFolder folder;
  put_bytes(folder / "f", file_of("{\"\\n\\u001b[31m" + std::string(1000, 'x') + "\":3}"));
  try {
    read_safetensors(folder / "f");
    FAIL();
  } catch (const IoError& error) {
    const std::string text = error.what();
    EXPECT_LT(text.size(), 400u);
    for (char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
  }
}

TEST(SafeTensorsRead, ManyTensorsAreQuickAndSmall) {
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
              "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
  }
  const std::string bytes = file_of(header + "}");
  TemporaryFolder folder;
  put_bytes(folder / "f", bytes);
  start_counting_allocations();
  EXPECT_EQ(read_safetensors(folder / "f").tensors.size(), 50'000u);
  EXPECT_LT(allocated_bytes(), 32 * bytes.size());
}

std::vector<NamedTensor> examples() {
  const float inf = std::numeric_limits<float>::infinity();
  return {
      {"mask", Tensor::from<bool>({true, false, true}, {3})},
      {"layer/weight", Tensor::from<float>({1.5f, -0.0f, inf, -inf, 1e-45f, 3}, {2, 3})},
      {"scalar", Tensor::scalar(std::int64_t{-5})},
      {"bytes", Tensor::from<std::uint8_t>({0, 255, 7}, {3, 1})},
      {"double \"quoted\" \\ \n ü", Tensor::from<double>({0.1, 1e300}, {2})},
      {"nothing", Tensor::zeros({2, 0}, DType::kFloat32)},
      {"index", Tensor::from<std::int32_t>({-1, 2147483647}, {2})},
  };
}

TEST(SafeTensorsWrite, RoundTripKeepsOrderBitsAndMetadata) {
  TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = examples();
  const std::map<std::string, std::string> metadata = {{"b", "2"}, {"a", "ü\n\"\\"}, {"", ""}};
  write_safetensors(folder / "f", tensors, metadata);
  const SafeTensors read = read_safetensors(folder / "f");
  EXPECT_EQ(read.metadata, metadata);
  ASSERT_EQ(read.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    SCOPED_TRACE(tensors[i].name);
    const Tensor& expected = tensors[i].tensor;
    const Tensor& found = read.tensors[i].tensor;
    EXPECT_EQ(read.tensors[i].name, tensors[i].name);
    EXPECT_EQ(found.dtype(), expected.dtype());
    ASSERT_EQ(found.shape(), expected.shape());
    const auto bytes = static_cast<std::size_t>(found.element_count()) * size_of(found.dtype());
    EXPECT_TRUE(bytes == 0 || std::memcmp(found.data(), expected.data(), bytes) == 0);
  }
}

TEST(SafeTensorsWrite, StridedTensorsAreWrittenByElement) {
  TemporaryFolder folder;
  const Tensor whole = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor transposed =
      Tensor::from_storage((wengert::detail::retain(whole.storage()), whole.storage()),
                           whole.storage()->data, DType::kFloat32, {2, 3}, {1, 2});
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"t", transposed}});
  EXPECT_EQ(read_safetensors(folder / "f").tensors[0].tensor.to_vector<float>(),
            (std::vector<float>{1, 3, 5, 2, 4, 6}));
}

TEST(SafeTensorsWrite, SameInputSameBytesAlignedTo8) {
  TemporaryFolder folder;
  write_safetensors(folder / "f", examples(), {{"z", "1"}, {"a", "2"}});
  write_safetensors(folder / "g", examples(), {{"a", "2"}, {"z", "1"}});
  EXPECT_EQ(get_bytes(folder / "f"), get_bytes(folder / "g"));
  write_safetensors(folder / "h",
                    std::vector<NamedTensor>{{"b", Tensor::from<std::uint8_t>({9}, {1})},
                                             {"a", Tensor::scalar(1.0)}});
  const std::string header =
      "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
      "\"a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}       ";
  ASSERT_EQ(header.size() % 8, 0u);
  EXPECT_EQ(get_bytes(folder / "h"), file_of(header, "\0\0\0\0\0\0\xf0\x3f\x09"s));
}

TEST(SafeTensorsWrite, MisuseLeavesTheOldFile) {
  TemporaryFolder folder;
  put_bytes(folder / "f", "old");
  const Tensor one = Tensor::scalar(1.0f);
  const auto write = [&](std::vector<NamedTensor> tensors,
                         const std::map<std::string, std::string>& metadata = {}) {
    write_safetensors(folder / "f", tensors, metadata);
  };
  const auto kind_of = [](auto&& body) {
    try {
      body();
    } catch (const Error& error) {
      return name_of(error.kind());
    }
    return std::string_view("no error");
  };
  EXPECT_EQ(kind_of([&] { write({{"a", one}, {"b", one}, {"a", one}}); }), "parameter");
  EXPECT_EQ(kind_of([&] { write({{"__metadata__", one}}); }), "parameter");
  EXPECT_EQ(kind_of([&] { write({{"\xff", one}}); }), "value");
  EXPECT_EQ(kind_of([&] { write({{"a", one}}, {{"k", "\xc3"}}); }), "value");
  EXPECT_EQ(kind_of([&] { write({{"a", one}}, {{"k", std::string(100'000'001, 'x')}}); }), "value");
  EXPECT_EQ(get_bytes(folder / "f"), "old");
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

// Written by the Python package of the format; see the script beside it.
TEST(SafeTensorsRead, FilesOfThePythonPackage) {
  const SafeTensors read =
      read_safetensors(WENGERT_TEST_DATA "/safetensors/python_written.safetensors");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "np"}, {"ü", "β"}}));
  std::map<std::string, Tensor> tensors;
  for (const NamedTensor& named : read.tensors) tensors[named.name] = named.tensor;
  ASSERT_EQ(tensors.size(), 7u);
  EXPECT_EQ(to_string(tensors["f32"].dtype(), tensors["f32"].shape()), "f32[2,3]");
  EXPECT_EQ(tensors["f32"].to_vector<double>(), (std::vector<double>{0, 0.5, 1, 1.5, 2, 2.5}));
  EXPECT_EQ(to_string(tensors["f64"].dtype(), tensors["f64"].shape()), "f64[]");
  EXPECT_EQ(tensors["f64"].item<double>(), 0.1);
  EXPECT_EQ(tensors["i32"].to_vector<std::int32_t>(), (std::vector<std::int32_t>{-1, 2147483647}));
  EXPECT_EQ(tensors["i64"].to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}));
  EXPECT_EQ(tensors["u8"].to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{0, 128, 255}));
  EXPECT_EQ(tensors["bool"].to_vector<bool>(), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(tensors["empty"].shape(), Shape({2, 0}));
}

}  // namespace
}  // namespace wengert::io
