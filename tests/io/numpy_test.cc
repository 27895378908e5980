#include "wengert/io/numpy.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

#include "wengert/tests/io/allocations.h"
#include "wengert/tests/io/files.h"

// NumPy's own files, and ours as NumPy read them (tests/data/numpy_files.py).
namespace wengert::io {
namespace {

const std::string kFolder = WENGERT_TEST_DATA "/numpy/";

std::vector<double> counted(int count, double step = 1, double first = 0) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(first + step * i);
  return values;
}

void expect_array(const std::string& name, DType dtype, const Shape& shape,
                  const std::vector<double>& values) {
  const Tensor tensor = read_npy(kFolder + name + ".npy");
  EXPECT_EQ(to_string(tensor.dtype(), tensor.shape()), to_string(dtype, shape)) << name;
  EXPECT_TRUE(tensor.is_dense());
  const auto got = tensor.to_vector<double>();
  ASSERT_EQ(got.size(), values.size()) << name;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(got[i])) << name << " " << i;
      continue;
    }
    EXPECT_EQ(got[i], values[i]) << name << " " << i;
    EXPECT_EQ(std::signbit(got[i]), std::signbit(values[i])) << name << " " << i;
  }
}

TEST(Npy, ReadsWhatNumpyWrote) {
  const double inf = std::numeric_limits<double>::infinity();
  expect_array("bool", DType::kBool, {2, 2}, {1, 0, 0, 1});
  expect_array("uint8", DType::kUint8, {3}, {0, 1, 255});
  expect_array("int32", DType::kInt32, {2, 3}, counted(6, 1, -3));
  expect_array("float32", DType::kFloat32, {4}, {1.5, -0.0, inf, std::nan("")});
  expect_array("float64", DType::kFloat64, {2, 1}, {0.1, 1e-300});
  expect_array("scalar", DType::kFloat64, {}, {2.5});
  expect_array("empty", DType::kFloat32, {2, 0, 3}, {});
  expect_array("fortran", DType::kInt32, {2, 3, 4}, counted(24));
  expect_array("big_int32", DType::kInt32, {2, 3}, counted(6));
  expect_array("big_int64", DType::kInt64, {2, 3}, counted(6));
  expect_array("big_float32", DType::kFloat32, {2, 3}, counted(6, 0.25));
  expect_array("big_float64", DType::kFloat64, {2, 3}, counted(6, 0.125));
  expect_array("version2", DType::kInt64, {3}, counted(3));
  expect_array("version3", DType::kInt64, {3}, counted(3));
  const Tensor whole = read_npy(kFolder + "int64.npy");
  EXPECT_EQ(whole.to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max(), 0}));
}

TEST(Npz, ReadsWhatNumpyWrote) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    const std::vector<NamedTensor> arrays = read_npz(kFolder + name);
    ASSERT_GE(arrays.size(), 2u);
    EXPECT_EQ(arrays[0].name, "weight");
    EXPECT_EQ(arrays[0].tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(arrays[0].tensor.to_vector<double>(), counted(6));
    EXPECT_EQ(arrays[1].name, "count");
    EXPECT_EQ(arrays[1].tensor.item<std::int64_t>(), 7);
  }
  const std::vector<NamedTensor> deflated = read_npz(kFolder + "deflated.npz");
  ASSERT_EQ(deflated.size(), 3u);
  EXPECT_EQ(deflated[2].tensor.to_vector<double>(), std::vector<double>(5000, 0));
  const std::vector<NamedTensor> unnamed = read_npz(kFolder + "unnamed.npz");
  ASSERT_EQ(unnamed.size(), 2u);
  EXPECT_EQ(unnamed[0].name, "arr_0");
  EXPECT_EQ(unnamed[1].tensor.to_vector<double>(), counted(3));
  EXPECT_TRUE(read_npz(kFolder + "none.npz").empty());
}

TEST(Npy, RefusesWhatHasNoCounterpart) {
  const auto refused = [](const std::string& name, const std::string& words) {
    expect_io_error(kFolder + name, words, [&] { (void)read_npy(kFolder + name); });
  };
  refused("int16.npy", "has the dtype '<i2'; bool, uint8, int32");
  refused("objects.npy", "pickled Python objects, which are never read");
  refused("records.npy", "array of records");
  refused("stored.npz", "is no NumPy file");
  refused("none", "");
}

/// What our side writes, by file name.
std::vector<NamedTensor> written() {
  const Tensor matrix = Tensor::from(std::vector<double>(counted(6, 0.5)), {2, 3});
  Strides turned;
  turned.push_back(1);
  turned.push_back(3);
  Tensor strided = Tensor::empty({3, 2}, DType::kFloat64);
  {
    const WriteGuard guard(strided, "test");
    copy_elements(DType::kFloat64, matrix.data(), turned, DType::kFloat64, guard.data(),
                  strided.strides(), {3, 2});
  }
  return {{"bool", Tensor::from({1.0, 0.0, 1.0}, {3}).to(DType::kBool)},
          {"uint8", Tensor::from(std::vector<std::uint8_t>{0, 1, 255}, {3, 1})},
          {"int32", Tensor::from({-1, 2}, {1, 2})},
          {"int64", Tensor::from(std::vector<std::int64_t>{std::int64_t{1} << 53, -5}, {2})},
          {"float32", Tensor::from({1.5f, -0.0f, std::numeric_limits<float>::infinity()}, {3})},
          {"matrix", matrix},
          {"turned", strided},
          {"scalar", Tensor::scalar(0.1)},
          {"empty", Tensor::zeros({0, 4}, DType::kInt32)},
          {"zeros", Tensor::zeros({4, 30}, DType::kFloat32)}};
}

std::string crc_of(const std::string& bytes) {
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += kHex[sum >> shift & 15];
  return text;
}

TEST(Npy, WritesWhatNumpyReads) {
  const TemporaryFolder own;
  const char* given = std::getenv("WENGERT_NUMPY_FOLDER");
  const std::string folder = given == nullptr ? own.path() : given;
  const std::vector<NamedTensor> arrays = written();
  for (const NamedTensor& array : arrays) {
    write_npy(folder + "/" + array.name + ".npy", array.tensor);
  }
  std::vector<NamedTensor> named = arrays;
  named.push_back({"h\xc3\xb6he/[1]", Tensor::scalar(1.0f)});
  write_npz(folder + "/stored.npz", named);
  write_npz(folder + "/deflated.npz", named, NpzPacking::kDeflated);

  std::ifstream recorded(kFolder + "read.txt");
  std::map<std::string, const Tensor*> known;
  for (const NamedTensor& array : named) known[array.name] = &array.tensor;
  const std::map<std::string, DType> dtypes = {{"|b1", DType::kBool},    {"|u1", DType::kUint8},
                                               {"<i4", DType::kInt32},   {"<i8", DType::kInt64},
                                               {"<f4", DType::kFloat32}, {"<f8", DType::kFloat64}};
  int lines = 0;
  for (std::string line; std::getline(recorded, line); ++lines) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    ASSERT_EQ(fields.size(), 6u) << line;
    if (fields[4] != "-") {
      EXPECT_EQ(crc_of(get_bytes(folder + "/" + fields[0])), fields[4])
          << fields[0] << " is no longer what NumPy read: run tests/data/numpy_files.py read";
    }
    const std::string name =
        fields[1] == "-" ? fields[0].substr(0, fields[0].size() - 4) : fields[1];
    ASSERT_TRUE(known.contains(name)) << line;
    const Tensor& tensor = *known.at(name);
    EXPECT_EQ(dtypes.at(fields[2]), tensor.dtype()) << line;
    std::string shape;
    for (const std::int64_t size : tensor.shape()) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    EXPECT_EQ(fields[3], shape.empty() ? "-" : shape) << line;
    std::istringstream elements(fields[5] == "-" ? "" : fields[5]);
    std::vector<double> values;
    for (std::string word; elements >> word;) values.push_back(std::stod(word));
    EXPECT_EQ(values, tensor.to_vector<double>()) << line.substr(0, 60);
  }
  EXPECT_EQ(lines, static_cast<int>(arrays.size() + 2 * named.size()));
  // And so do we.
  for (const char* name : {"/stored.npz", "/deflated.npz"}) {
    const std::vector<NamedTensor> read = read_npz(folder + name);
    ASSERT_EQ(read.size(), named.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i].name, named[i].name);
      EXPECT_EQ(read[i].tensor.dtype(), named[i].tensor.dtype());
      EXPECT_EQ(read[i].tensor.shape(), named[i].tensor.shape());
      EXPECT_EQ(read[i].tensor.to_vector<double>(), named[i].tensor.to_vector<double>());
    }
  }
  EXPECT_LT(get_bytes(folder + "/deflated.npz").size(), get_bytes(folder + "/stored.npz").size());
}

/// A .npy file of a header's text, which is padded as it need not be.
std::string npy(const std::string& header, const std::string& data = {}, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {static_cast<char>(version), '\0'};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  }
  return bytes + header + data;
}

TEST(Npy, TakesAnyFormOfTheHeader) {
  const TemporaryFolder folder;
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  for (const std::string& header :
       {std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"),
        std::string("{'descr':'<f4','fortran_order':False,'shape':(2,)}"),
        std::string("  {\"shape\": ( 2 , ), \"fortran_order\": True,\n\"descr\": \"=f4\"} \n\n"),
        std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}")}) {
    for (const int version : {1, 2, 3}) {
      put_bytes(folder / "f", npy(header, data, version));
      EXPECT_EQ(read_npy(folder / "f").to_vector<double>(), (std::vector<double>{1, 2})) << header;
    }
  }
  put_bytes(folder / "f", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,1)}", data));
  EXPECT_EQ(read_npy(folder / "f").shape(), (Shape{2, 1}));
  put_bytes(folder / "f", npy("{'descr': '<b1', 'fortran_order': False, 'shape': ()}", "\1"));
  EXPECT_EQ(read_npy(folder / "f").scalar_value(), 1);
}

TEST(Npy, RefusesHostileFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  const auto refused = [&](const std::string& bytes, const std::string& words) {
    put_bytes(path, bytes);
    start_counting_allocations();
    expect_io_error(path, words, [&] { (void)read_npy(path); });
    EXPECT_LT(allocated_bytes(), 100'000u) << words;
  };
  const auto header = [](const std::string& shape, const std::string& descr = "'<f4'",
                         const std::string& order = "False") {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  };
  const std::string good = npy(header("(2,)"), "12345678");
  refused("", "is no NumPy file");
  refused("\x93NUMPX\1\0aaaaaaaa", "is no NumPy file");
  refused(good.substr(0, 9), "ends within its header");
  refused(good.substr(0, 20), "more than there are");
  refused(good.substr(0, good.size() - 1), "is cut short: f32[2] takes 8 bytes, but it has 7");
  refused(good + "9", "has bytes after its end");
  refused(npy(header("(2,)"), "12345678", 4), "is of version 4.0");
  refused(npy(header("(9000000000000000000,)")), "whose product overflows");
  refused(npy(header("(4294967296, 4294967296, 0)")), "whose product overflows");
  refused(npy(header("(99999999999999999999,)")), "a size beyond 2^63");
  refused(npy(header("(1000000000000,)"), "1234"), "is cut short");
  refused(npy(header("(-1,)")), "a shape that is none");
  refused(npy(header("(2)"), "12345678"), "a shape that is no tuple");
  refused(npy(header("(1 1)"), "1234"), "a shape without a comma");
  refused(npy(header("(,)")), "a shape that is none");
  refused(npy(header("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), "1234"), "dimensions");
  refused(npy(header("2")), "no '('");
  refused(npy(header("(2,)", "'<f2'"), "1234"), "has the dtype '<f2'");
  refused(npy(header("(2,)", "'|f4'"), "12345678"), "has the dtype '|f4'");
  refused(npy(header("(2,)", "'f4'"), "12345678"), "has the dtype 'f4'");
  refused(npy(header("(2,)", "'|O'"), "12345678"), "pickled Python objects");
  refused(npy(header("(2,)", "[('a', '<f4')]"), "12345678"), "array of records");
  refused(npy(header("(2,)", "'<f4'", "1"), "12345678"), "neither True nor False");
  refused(npy(header("(2,)", "'|b1'"), "\1\2"), "has a bool of 2 at element 1");
  refused(npy("{}"), "no descr, fortran_order or shape");
  refused(npy("{'descr': '<f4', 'descr': '<f4'}"), "the key 'descr' twice");
  refused(npy("{'a': 1}"), "the unknown key 'a'");
  refused(npy("{'descr': '<f4"), "a quote that does not end");
  refused(npy("{'descr': '\\x3cf4'}"), "a quote with a backslash");
  refused(npy(header("(2,)") + "x", "12345678"), "more behind its end");
  refused(npy("__import__('os')"), "no '{'");
  refused(npy(std::string(70000, ' '), "", 2), "at most 65,536 are read");
  expect_io_error(folder / "none", "", [&] { (void)read_npy(folder / "none"); });
}

TEST(Npz, RefusesHostileFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  write_npz(path, std::vector<NamedTensor>{{"a", Tensor::full({3}, 2)},
                                           {"b", Tensor::scalar(std::int64_t{5})}});
  const std::string good = get_bytes(path);
  const auto refused = [&](const std::string& bytes, const std::string& words) {
    put_bytes(path, bytes);
    start_counting_allocations();
    expect_io_error(path, words, [&] { (void)read_npz(path); });
    EXPECT_LT(allocated_bytes(), 300'000u) << words;
  };
  const std::size_t end = good.size() - 22, table = good.find("PK\1\2"),
                    second = good.find("PK\3\4", 4), second_table = good.find("PK\1\2", table + 4);
  const auto with = [&good](std::size_t at, const std::string& bytes) {
    std::string changed = good;
    return changed.replace(at, bytes.size(), bytes);
  };
  const std::string full(4, '\xff');
  refused("", "it is too short");
  refused(std::string(100, 'x'), "it has no table at its end");
  refused(good.substr(0, good.size() - 1), "it has no table at its end");
  refused(good.substr(1), "has its table elsewhere than it says");
  refused(with(end + 10, "\xff\xff"), "is a zip64");
  refused(with(end + 16, full), "is a zip64");
  refused(with(table + 20, full), "is a zip64");
  refused(with(table + 24, full), "is a zip64");
  refused(with(table + 42, full), "is a zip64");
  refused(with(end + 4, "\1"), "a part of a zip of several files");
  refused(with(table + 34, "\1"), "a part of a zip of several files");
  refused(with(end + 10, "\3"), "a part of a zip of several files");
  refused(with(end + 8, std::string("\3\0\3", 3)), "has a damaged table");
  refused(with(end + 8, std::string("\1\0\1", 3)), "has a table of another size than it says");
  refused(with(table, "X"), "has a damaged table");
  refused(with(table + 28, "\xff\xff"), "has a damaged table");
  refused(with(table + 8, "\1"), "holds 'a.npy' encrypted");
  refused(with(table + 10, "\14"), "packed by method 12");
  refused(with(table + 24, "\1"), "more than");
  refused(with(table + 46, "\xff"), "whose name is not UTF-8");
  refused(with(table + 48, "N"), "which is no .npy file");
  refused(with(table + 42, "\5"), "has nothing where 'a.npy' should begin");
  refused(with(table + 42, std::string(1, static_cast<char>(second))), "has another entry");
  refused(with(30, "c"), "has another entry than its table says");
  refused(with(18, "\1"), "has another entry than its table says");
  refused(with(28, "\xff\xff"), "is cut short within 'a.npy'");
  refused(with(second_table + 46, "a"), "has another entry");
  refused(with(second - 1, "\7"), "'a.npy' has another checksum than it says");
  refused(with(table + 16, "\7"), "'a.npy' has another checksum than it says");
  refused(with(35 + 8, "\xff\xff"), "'a.npy' says that its header has 65535 bytes");
  // Two lines of the table for one entry.
  std::string twice = good;
  const std::string line = good.substr(table, second_table - table);
  twice.replace(second_table, end - second_table, line);
  std::string size(4, '\0');
  size[0] = static_cast<char>(2 * line.size());
  twice.replace(twice.size() - 10, 4, size);
  refused(twice, "has 'a.npy' twice");

  const std::string deflated = get_bytes(kFolder + "deflated.npz");
  const auto damaged = [&](std::size_t at, const std::string& bytes, const std::string& words) {
    std::string changed = deflated;
    changed.replace(at, bytes.size(), bytes);
    refused(changed, words);
  };
  const std::size_t first_table = deflated.find("PK\1\2");
  const std::size_t data = 30 + 10 + 20;  // behind a name of 10 bytes and zip64's field
  damaged(data, "\7", "'weight.npy' ");
  damaged(first_table + 24, std::string("\0\0\0\1", 4), "more than");
  damaged(first_table + 24, "\x99", "'weight.npy' has bytes after its end");
}

TEST(Npz, UnpacksNoMoreThanIsAllowed) {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  const Tensor zeros = Tensor::zeros({1 << 20}, DType::kUint8);
  write_npz(path, std::vector<NamedTensor>{{"zeros", zeros}}, NpzPacking::kDeflated);
  EXPECT_LT(get_bytes(path).size(), 3000u);
  EXPECT_EQ(read_npz(path)[0].tensor.element_count(), 1 << 20);
  start_counting_allocations();
  expect_io_error(path, "more than the 1000000 allowed here; raise read_npz's unpacked_limit",
                  [&] { (void)read_npz(path, 1'000'000); });
  // A claim that the packed data do not keep costs no memory.
  std::string bytes = get_bytes(path);
  const std::size_t table = bytes.find("PK\1\2");
  const std::size_t packed = bytes.find("PK\1\2") - (30 + 9);
  std::string cut = bytes.substr(0, 30 + 9 + packed / 2);
  const std::size_t moved = cut.size();
  std::string line = bytes.substr(table);
  const auto put32 = [&line](std::size_t at, std::size_t value) {
    for (int i = 0; i < 4; ++i)
      line[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  put32(20, packed / 2 + 1);
  put32(line.size() - 6, moved + 1);
  put_bytes(path, cut + "x" + line);
  start_counting_allocations();
  expect_io_error(path, "has ", [&] { (void)read_npz(path); });
  EXPECT_LT(allocated_bytes(), 300'000u);
}

TEST(Npz, RefusesNamesThatItCouldNotReadBack) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<NamedTensor>& arrays) {
    EXPECT_THROW(write_npz(folder / "f", arrays), Error);
    EXPECT_TRUE(folder.names().empty());
  };
  refused({{"a", Tensor()}, {"a", Tensor()}});
  refused({{"", Tensor()}});
  refused({{"\xff", Tensor()}});
  refused(std::vector<NamedTensor>(65535, NamedTensor{"a", Tensor()}));
  EXPECT_THROW(write_npy(folder / "no folder/f", Tensor()), IoError);
}

}  // namespace
}  // namespace wengert::io
