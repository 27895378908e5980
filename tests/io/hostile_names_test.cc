// Names in hostile files must not reach a terminal as they are, whatever the reader says of them.
#include <cstdint>
#include <vector>

#include "wengert/graph/text.h"
#include "wengert/io/csv.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/io/idx.h"
#include "wengert/io/parameter_file.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

/// What sets colours, titles and cursors, ends lines, turns text around, and is no text at all.
const std::string kEvil = "\x1b[31m\x1b]0;t\x07\r\n\x7f\xc2\x9b\xe2\x80\xaezz";
const std::string kEvilJson = "\\u001b[31m\\u001b]0;t\\u0007\\r\\n\\u007f\xc2\x9b\xe2\x80\xaezz";

/// That `body` throws, with the name in words that are printable.
template <class Body>
void expect_printable(Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(printable(error.what()), error.what());
    EXPECT_EQ(printable(error.message()), error.message());
    EXPECT_NE(error.message().find("zz"), std::string::npos)
        << "names the culprit: " << error.message();
  }
}

std::string safetensors(const std::string& header) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header;
}

TEST(HostileNames, InSafeTensors) {
  const std::vector<std::string> headers = {
      R"({"NAME":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}})",
      R"({"NAME":{"dtype":"NAME","shape":[1],"data_offsets":[0,4]}})",
      R"({"NAME":{"dtype":"F16","shape":[1],"data_offsets":[0,4]}})",
      R"({"NAME":{"dtype":"F32","NAME":[1],"data_offsets":[0,4]}})",
      R"({"NAME":1})",
      R"({"__metadata__":{"NAME":"a","NAME":"b"}})",
      R"({"NAME":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"NAME":{}})",
  };
  const TemporaryFolder folder;
  for (std::string header : headers) {
    for (std::size_t at; (at = header.find("NAME")) != std::string::npos;) {
      header.replace(at, 4, kEvilJson);
    }
    put_bytes(folder / "f", safetensors(header));
    SCOPED_TRACE(header);
    expect_printable([&] { (void)read_safetensors(folder / "f"); });
  }
}

TEST(HostileNames, InParameterFiles) {
  const TemporaryFolder folder;
  const Tensor value = Tensor::zeros({2}, DType::kFloat32);
  ParameterSet set;
  set.add_all({{"weight", value}}, {});
  const auto refused = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(folder / "f", tensors);
    expect_printable([&] { (void)load(set, folder / "f"); });
  };
  refused({{kEvil, value}, {"weight", value}});
  ParameterSet near;  // the fix names what the file has instead
  near.add_all({{"weightzz", value}}, {});
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"weightzz\x1b", value}});
  expect_printable([&] { (void)load(near, folder / "f"); });
  ParameterSet evil;
  evil.add_all({{kEvil, value}}, {});
  write_safetensors(folder / "f", std::vector<NamedTensor>{{"weight", value}});
  expect_printable([&] { (void)load(evil, folder / "f"); });
  write_safetensors(folder / "f", std::vector<NamedTensor>{{kEvil, value.reshaped({1, 2})}});
  expect_printable([&] { (void)load(evil, folder / "f"); });
  const LoadReport report = load(
      evil, folder / "f", {.rename = {{kEvil, "b"}}, .allow_missing = true, .allow_unused = true});
  EXPECT_EQ(printable(report.str()), report.str());
  EXPECT_NE(report.str().find("zz"), std::string::npos);
}

TEST(HostileNames, InTables) {
  const TemporaryFolder folder;
  const std::string quoted = "\"" + kEvil + "\"";
  put_bytes(folder / "t", quoted + "," + quoted + "\n1,2\n");
  expect_printable([&] { (void)read_csv(folder / "t"); });
  put_bytes(folder / "t", quoted + ",b\n1,2\n,x\n");
  const Table table = read_csv(folder / "t");
  EXPECT_EQ(table.columns[0].name, kEvil) << "the name itself is kept";
  expect_printable([&] { (void)table.matrix({kEvil}); });
  expect_printable([&] { (void)table.at(kEvil + "z"); });
  put_bytes(folder / "t", "a\n" + quoted + "\n");
  EXPECT_EQ(read_csv(folder / "t").columns[0].categories[0], kEvil);
}

TEST(HostileNames, OfFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / kEvil;
  expect_printable([&] { (void)read_idx(path); });
  expect_printable([&] { (void)read_safetensors(path); });
  expect_printable([&] { (void)load_fashion_mnist(path); });
  expect_printable([&] { write_file_atomically(path + "/f", "x"); });
  expect_printable([&] { check_writable_folder("/proc/" + kEvil); });
  // An error told again of another path keeps its reason and nothing else.
  put_bytes(path, "x");
  expect_printable([&] { check_writable_folder(path); });
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  put_bytes(path + "/train-images-idx3-ubyte", "no IDX");
  try {
    (void)load_fashion_mnist(path);
    ADD_FAILURE();
  } catch (const IoError& error) {
    EXPECT_EQ(error.path(), path + "/train-images-idx3-ubyte");
    EXPECT_EQ(error.message(), printable(error.path()) +
                                   ": is no IDX file: it does not begin "
                                   "with two zero bytes");
  }
}

}  // namespace
}  // namespace wengert::io
