#include "wengert/io/idx.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "wengert/tests/io/allocations.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

using std::literals::operator""s;

TEST(Idx, ReadsEveryTypeFromBytesWrittenByHand) {
  struct Case {
    const char* name;
    std::string bytes;
    DType dtype;
    Shape shape;
    std::vector<double> values;
  };
  const Case cases[] = {
      {"u8",
       "\0\0\x08\x02\0\0\0\x02\0\0\0\x03\x00\x01\x02\x7f\x80\xff"s,
       DType::kUint8,
       {2, 3},
       {0, 1, 2, 127, 128, 255}},
      {"i8", "\0\0\x09\x01\0\0\0\x03\x00\x7f\x80"s, DType::kInt32, {3}, {0, 127, -128}},
      {"i16",
       "\0\0\x0b\x01\0\0\0\x04\x00\x01\x01\x00\x7f\xff\x80\x00"s,
       DType::kInt32,
       {4},
       {1, 256, 32767, -32768}},
      {"i32",
       "\0\0\x0c\x01\0\0\0\x02\x01\x02\x03\x04\xff\xff\xff\xfe"s,
       DType::kInt32,
       {2},
       {16909060, -2}},
      {"f32", "\0\0\x0d\x01\0\0\0\x02\x3f\xc0\0\0\xc0\0\0\0"s, DType::kFloat32, {2}, {1.5, -2}},
      {"f64", "\0\0\x0e\x01\0\0\0\x01\xbf\xf8\0\0\0\0\0\0"s, DType::kFloat64, {1}, {-1.5}},
      {"rank 0", "\0\0\x08\0\x2a"s, DType::kUint8, {}, {42}},
      {"no elements", "\0\0\x0d\x02\0\0\0\x03\0\0\0\0"s, DType::kFloat32, {3, 0}, {}},
      {"none, large",
       "\0\0\x0e\x03\0\0\0\0\xff\xff\xff\xff\x7f\xff\xff\xff"s,
       DType::kFloat64,
       {0, 4294967295, 2147483647},
       {}},
      {"none, widened",
       "\0\0\x09\x03\0\0\0\0\xff\xff\xff\xff\x7f\xff\xff\xff"s,
       DType::kInt32,
       {0, 4294967295, 2147483647},
       {}},
  };
  TemporaryFolder folder;
  for (const Case& c : cases) {
    // The name says nothing about being compressed; the bytes do.
    for (const std::string& bytes : {c.bytes, gzip(c.bytes)}) {
      SCOPED_TRACE(c.name);
      put_bytes(folder / "f", bytes);
      const Tensor tensor = read_idx(folder / "f");
      EXPECT_EQ(tensor.dtype(), c.dtype);
      EXPECT_EQ(tensor.shape(), c.shape);
      EXPECT_EQ(tensor.to_vector<double>(), c.values);
    }
  }
}

TEST(Idx, WidensMoreThanOnePiece) {
  std::string bytes = "\0\0\x0b\x01\0\0\x27\x10"s;  // 10,000 elements
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 10000; ++i) {
    const int value = i * 7 - 32768;
    bytes += {static_cast<char>(value >> 8), static_cast<char>(value)};
    expected.push_back(static_cast<std::int16_t>(value));
  }
  TemporaryFolder folder;
  put_bytes(folder / "f", bytes);
  EXPECT_EQ(read_idx(folder / "f").to_vector<std::int32_t>(), expected);
}

TEST(Idx, RejectsWithAReason) {
  const std::string good = "\0\0\x08\x01\0\0\0\x03xyz"s;
  struct Case {
    std::string bytes;
    const char* words;
  };
  const Case cases[] = {
      {"", "ends within its IDX header"},
      {"\0\0\x08"s, "ends within its IDX header"},
      {"\0\0\x08\x02\0\0\0\x03\0\0"s, "ends within its IDX header"},
      {"PNG and more", "does not begin with two zero bytes"},
      {"\0\0\x0a\x01\0\0\0\x03xyz"s, "unknown IDX type code 0A"},
      {"\0\0\x08\x09"s + std::string(40, '\0'), "9 dimensions; at most 8"},
      {"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s, "product overflows"},
      {"\0\0\x0e\x02\x80\0\0\0\x20\0\0\0"s, "product overflows"},  // 2^60 doubles
      {"\0\0\x0e\x03\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"s, "product overflows"},  // beside a 0
      {"\0\0\x0e\x02\x7f\xff\xff\xff\x0f\xff\xff\xff"s, "is cut short"},
      {good.substr(0, good.size() - 1), "[3], that is 3 bytes of data, but it has 2"},
      {good + "!", "has bytes after the end of its [3] elements"},
      {gzip(good.substr(0, good.size() - 1)), "[3], that is 3 bytes of data, but it has 2"},
      {gzip(good + "!"), "has bytes after the end"},
      {gzip(good).substr(0, 20), "in the middle of its gzip data"},
      {gzip(good).substr(0, gzip(good).size() - 1), "in the middle of its gzip data"},
      {gzip(good) + "!", "has bytes after the end of its gzip data"},
      {"\x1f\x8b", "in the middle of its gzip data"},
      {"\x1f\x8b is text after all", "damaged gzip data"},
      {gzip("\0\0\x08\x02\0\x01\0\0\0\x01\0\0"s), "more than a gzip file of"},  // 4 GiB
  };
  TemporaryFolder folder;
  for (const Case& c : cases) {
    put_bytes(folder / "f", c.bytes);
    expect_io_error(folder / "f", c.words, [&] { read_idx(folder / "f"); });
  }
  std::string flipped = gzip(good);
  flipped[flipped.size() - 8] ^= 1;  // in the checksum
  put_bytes(folder / "f", flipped);
  expect_io_error(folder / "f", "damaged gzip data: incorrect data check",
                  [&] { read_idx(folder / "f"); });
}

TEST(Idx, SeveralGzipMembersReadAsOne) {
  TemporaryFolder folder;
  put_bytes(folder / "f", gzip("\0\0\x08\x01\0\0"s) + gzip("") + gzip("\0\x03xy"s) + gzip("z"));
  EXPECT_EQ(read_idx(folder / "f").to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{'x', 'y', 'z'}));
  put_bytes(folder / "f", gzip("\0\0\x08\x01\0\0"s) + "\x1f");
  expect_io_error(folder / "f", "in the middle of its gzip data", [&] { read_idx(folder / "f"); });
}

TEST(Idx, HighlyCompressibleFilesLoad) {
  const std::string header = "\0\0\x08\x01\0\x4c\x4b\x40"s;  // 5,000,000
  TemporaryFolder folder;
  put_bytes(folder / "f", gzip(header + std::string(5'000'000, '\7')));
  ASSERT_LT(std::filesystem::file_size(folder / "f"), 6000u);
  EXPECT_EQ(read_idx(folder / "f").to_vector<std::uint8_t>(),
            std::vector<std::uint8_t>(5'000'000, 7));
}

TEST(Idx, GzipBombsTakeNoMemory) {
  // A hundred megabytes of zeros behind a header that asks for one byte more, then for one.
  const std::string zeros(100'000'000, '\0');
  TemporaryFolder folder;
  put_bytes(folder / "f", gzip("\0\0\x08\x01\x05\xf5\xe1\x01"s + zeros));  // one element missing
  start_counting_allocations();
  constexpr std::int64_t kAllowed = 200'000'000;
  expect_io_error(folder / "f", "is cut short", [&] { read_idx(folder / "f", kAllowed); });
  EXPECT_LT(allocated_bytes(), 1'000'000u);
  // What is really there is no reason either to take a thousand times the file's size.
  start_counting_allocations();
  expect_io_error(folder / "f",
                  "unpacks to more than the 67108864 allowed; if you trust it, unpack",
                  [&] { read_idx(folder / "f"); });
  EXPECT_LT(allocated_bytes(), 1'000'000u);
  put_bytes(folder / "g", gzip("\0\0\x08\x01\0\0\0\x01"s + zeros));
  start_counting_allocations();
  expect_io_error(folder / "g", "has bytes after the end", [&] { read_idx(folder / "g"); });
  EXPECT_LT(allocated_bytes(), 1'000'000u);
  EXPECT_GT(allocated_bytes(), 65536u) << "allocations are not counted";
}

TEST(Idx, TheLimitOfUnpackingIsTheCallers) {
  TemporaryFolder folder;
  put_bytes(folder / "f", gzip("\0\0\x08\x01\0\0\x03\xe8"s + std::string(1000, '\7')));
  expect_io_error(folder / "f", "more than the 999 allowed", [&] { read_idx(folder / "f", 999); });
  EXPECT_EQ(read_idx(folder / "f", 1000).element_count(), 1000);
  put_bytes(folder / "plain", "\0\0\x08\x01\0\0\0\x02"s + "xy");
  EXPECT_EQ(read_idx(folder / "plain", 1).element_count(), 2) << "it is not packed";
}

TEST(Idx, RoundTrip) {
  TemporaryFolder folder;
  const std::vector<double> values = {0, 1, 2, 3, 100, 255};
  for (DType dtype : {DType::kUint8, DType::kInt32, DType::kFloat32, DType::kFloat64}) {
    SCOPED_TRACE(name_of(dtype));
    const Tensor tensor = Tensor::from<double>(values, {2, 1, 3}).to(dtype);
    write_idx(folder / "f", tensor);
    const Tensor read = read_idx(folder / "f");
    EXPECT_EQ(read.dtype(), dtype);
    EXPECT_EQ(read.shape(), tensor.shape());
    EXPECT_EQ(read.to_vector<double>(), values);
    EXPECT_EQ(tensor.to_vector<double>(), values) << "writing changed the tensor";
  }
  write_idx(folder / "f", Tensor::from<double>(values, {3, 2}).rows(1, 3));
  EXPECT_EQ(read_idx(folder / "f").to_vector<double>(), (std::vector<double>{2, 3, 100, 255}));
  write_idx(folder / "f", Tensor::scalar(7.0f));
  EXPECT_EQ(read_idx(folder / "f").shape(), Shape());
  EXPECT_THROW(write_idx(folder / "g", Tensor::zeros({2}, DType::kInt64)), Error);
  EXPECT_THROW(write_idx(folder / "g", Tensor::zeros({2}, DType::kBool)), Error);
  EXPECT_EQ(folder.names(), std::set<std::string>{"f"});
}

}  // namespace
}  // namespace wengert::io
