#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "wengert/io/csv.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/io/folder_lock.h"
#include "wengert/io/idx.h"
#include "wengert/io/numpy.h"
#include "wengert/io/parameter_file.h"
#include "wengert/io/safetensors.h"
#include "wengert/io/transfer.h"
#include "wengert/tests/io/files.h"
#include "wengert/tests/memory/programs.h"

// Programs that write files, and one for each that reads them.
namespace wengert {
namespace {

using io::get_bytes;
using io::put_bytes;

/// A folder of its own for each run of a program.
struct Folder {
  Folder() : path(scratch_folder() + "/files") {
    std::filesystem::remove_all(path);
    std::filesystem::create_directory(path);
  }
  std::string operator/(const char* name) const { return path + "/" + name; }
  int files() const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++count;
    return count;
  }
  std::string path;
};

const std::vector<io::NamedTensor>& some_tensors() {
  static const std::vector<io::NamedTensor> tensors = {
      {"a tensor that no short string holds", Tensor::from({1.5f, 2.5f}, {2})},
      {"strided", Var(transpose(Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 2}))).value()}};
  return tensors;
}

/// What writes a file: the one behind a symbolic link is replaced, wholly or not at all.
Program writing(const std::string& name, void (*write)(const std::string& path)) {
  return {name, [write](Attempts& attempt) {
            const Folder folder;
            const std::string target = folder / "a file whose name no short string holds";
            const std::string link = folder / "a link";
            put_bytes(target, "old");
            std::filesystem::create_symlink(target, link);
            attempt([&] { write(link); },
                    [&] {
                      const std::string bytes = get_bytes(target);
                      if (bytes != "old") {  // said to be so
                        EXPECT_NE(attempt.message().find("is in place, but"), std::string::npos)
                            << "the old file is no longer whole: " << attempt.message();
                      }
                      EXPECT_EQ(folder.files(), 2) << "a temporary file is left";
                    });
            EXPECT_EQ(folder.files(), 2) << "a temporary file is left";
            struct stat status {};
            EXPECT_EQ(::lstat(link.c_str(), &status), 0);
            EXPECT_TRUE(S_ISLNK(status.st_mode)) << "the link is cut";
            return get_bytes(target);
          }};
}

/// What reads a file that `write` makes, or a folder of them, and gives all that was read.
Program reading(const std::string& name, void (*write)(const std::string& path),
                std::string (*read)(const std::string& path)) {
  return {name, [=](Attempts& attempt) {
            const Folder folder;
            const std::string path = folder / "a file whose name no short string holds";
            write(path);
            return attempt([&] { return read(path); });
          }};
}

void put_csv(const std::string& path) {
  put_bytes(path,
            "a column that no short string holds,second\n1.5,\"a, \"\"quoted\"\" field\"\n"
            "NA,another category\n-2e3,\n");
}

void put_gzipped_csv(const std::string& path) {
  put_csv(path);
  put_bytes(path, io::gzip(get_bytes(path)));
}

std::string read_csv(const std::string& path) {
  const io::Table table = io::read_csv(path);
  std::string text;
  for (const io::Column& column : table.columns) {
    text += column.name + bytes_of(column.values) + std::to_string(column.missing);
    for (const std::string& category : column.categories) text += category;
  }
  return text;
}

void put_idx(const std::string& path) {
  io::write_idx(path, Tensor::from({1.5f, 2.5f, -3.0f, 4.0f}, {2, 2}));
}

void put_gzipped_idx(const std::string& path) {
  put_idx(path);
  put_bytes(path, io::gzip(get_bytes(path)));
}

std::string read_idx(const std::string& path) { return bytes_of(io::read_idx(path)); }

void put_images(const std::string& path) {
  std::filesystem::create_directory(path);
  for (const std::string part : {"/train", "/t10k"}) {
    io::write_idx(path + part + "-images-idx3-ubyte", Tensor::full({2, 28, 28}, 7, DType::kUint8));
    const std::string labels = path + part + "-labels-idx1-ubyte";
    io::write_idx(labels, Tensor::from<std::uint8_t>({9, 4}, {2}));
    put_bytes(labels + ".gz", io::gzip(get_bytes(labels)));
    std::filesystem::remove(labels);
  }
}

std::string read_images(const std::string& path) {
  const io::ImageSet set = io::load_fashion_mnist(path);
  return bytes_of(set.train_images) + bytes_of(set.train_labels) + bytes_of(set.test_images) +
         bytes_of(set.test_labels);
}

void put_tensors(const std::string& path) {
  io::write_safetensors(path, some_tensors(), {{"format", "test"}});
}

std::string read_tensors(const std::string& path) {
  const io::SafeTensors file = io::read_safetensors(path);
  std::string text = file.metadata.at("format");
  for (const auto& [name, tensor] : file.tensors) text += name + bytes_of(tensor);
  return text;
}

void put_array(const std::string& path) { io::write_npy(path, some_tensors()[1].tensor); }

/// Columns first and big endian, as NumPy may write it.
void put_turned_array(const std::string& path) {
  const std::string header = "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 2), }";
  put_bytes(path, "\x93NUMPY" + std::string({'\1', '\0', static_cast<char>(header.size()), '\0'}) +
                      header + std::string("\x40\0\0\0\x40\x40\0\0\x40\x80\0\0\x40\xa0\0\0", 16));
}

std::string read_array(const std::string& path) { return bytes_of(io::read_npy(path)); }

void put_arrays(const std::string& path) { io::write_npz(path, some_tensors()); }

void put_packed_arrays(const std::string& path) {
  const std::vector<io::NamedTensor> tensors = {
      some_tensors()[1], {"what shrinks a lot", Tensor::zeros({3000}, DType::kFloat32)}};
  io::write_npz(path, tensors, io::NpzPacking::kDeflated);
}

std::string read_arrays(const std::string& path) {
  std::string text;
  for (const auto& [name, tensor] : io::read_npz(path)) text += name + bytes_of(tensor);
  return text;
}

/// A set of parameters and buffers, as a model makes them.
void fill(ParameterSet& parameters, double value) {
  parameters.add("a layer that no short string holds/weight", Tensor::full({2, 3}, value));
  parameters.add("a layer that no short string holds/bias", Tensor::full({3}, value));
  parameters.add_buffer("a buffer that no short string holds", Tensor::full({3}, value));
}

void put_parameters(const std::string& path) {
  ParameterSet parameters;
  fill(parameters, 2.5);
  io::save(parameters, path, {{"key", "value"}});
}

std::string load_empty(const std::string& path) {
  ParameterSet parameters;
  const io::LoadReport report = io::load(parameters, path);
  return report.str() + bytes_of(parameters) + report.metadata.at("key");
}

/// Into a set that has values: they are as they were, or the file's.
std::string load_filled(Attempts& attempt) {
  const Folder folder;
  const std::string path = folder / "a file whose name no short string holds";
  put_parameters(path);
  ParameterSet parameters;
  fill(parameters, 1);
  const auto bytes = [&] {
    return bytes_of(parameters) + bytes_of(parameters.buffers().at(0)->value());
  };
  const std::string before = bytes();
  attempt([&] { (void)io::load(parameters, path); }, [&] { EXPECT_EQ(bytes(), before); });
  return bytes();
}

/// A part of it: loaded and frozen, or as it was.
std::string transfer(Attempts& attempt) {
  const Folder folder;
  const std::string path = folder / "a file whose name no short string holds";
  put_parameters(path);
  ParameterSet parameters;
  fill(parameters, 1);
  const auto told = [&] {
    std::string text = bytes_of(parameters) + bytes_of(parameters.buffers().at(0)->value());
    for (const Parameter* parameter : parameters.all()) text += parameter->trainable() ? "t" : "f";
    return text;
  };
  const std::string before = told();
  attempt(
      [&] {
        (void)io::transfer(parameters, path, {.wanted = {"*weight", "*buffer*"}});
      },
      [&] { EXPECT_EQ(told(), before); });
  return told();
}

/// Finds out beforehand whether a folder that is not there yet can be written.
std::string probe_folder(Attempts& attempt) {
  const Folder folder;
  const std::string path = folder / "a folder of a long name/and another one";
  attempt([&] { io::check_writable_folder(path); });
  EXPECT_TRUE(std::filesystem::is_empty(path));
  return "probed";
}

/// A folder that could not be locked is free.
std::string lock_folder(Attempts& attempt) {
  const Folder folder;
  attempt([&] { const io::FolderLock lock(folder.path); });
  const io::FolderLock lock(folder.path);
  EXPECT_THROW(io::FolderLock{folder.path}, IoError);
  EXPECT_EQ(folder.files(), 0);
  return "locked";
}

}  // namespace

std::vector<Program> file_programs() {
  return {
      writing("write_safetensors", put_tensors),
      writing("write_idx", put_idx),
      writing("write_npy", put_array),
      writing("write_npz", put_arrays),
      writing("write_packed_npz", put_packed_arrays),
      writing("save_parameters", put_parameters),
      writing("write_text",
              [](const std::string& path) { io::write_file_atomically(path, "new"); }),
      {"probe_folder", probe_folder},
      {"lock_folder", lock_folder},
      reading("read_text", put_csv, [](const std::string& path) { return io::read_file(path); }),
      reading("read_csv", put_csv, read_csv),
      reading("read_gzipped_csv", put_gzipped_csv, read_csv),
      reading("read_idx", put_idx, read_idx),
      reading("read_gzipped_idx", put_gzipped_idx, read_idx),
      reading("read_images", put_images, read_images),
      reading("read_safetensors", put_tensors, read_tensors),
      reading("read_npy", put_array, read_array),
      reading("read_turned_npy", put_turned_array, read_array),
      reading("read_npz", put_arrays, read_arrays),
      reading("read_packed_npz", put_packed_arrays, read_arrays),
      reading("load_parameters", put_parameters, load_empty),
      {"load_into_parameters", load_filled},
      {"transfer", transfer},
  };
}

}  // namespace wengert
