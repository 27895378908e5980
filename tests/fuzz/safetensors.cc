#include "wengert/io/safetensors.h"

#include <cstring>

#include "wengert/graph/error.h"
#include "wengert/tests/fuzz/target.h"

// The length of the header is put in front, or comes from the bytes. What is read is what is
// written again.
namespace wengert::fuzz {
namespace {

std::string file_of(Input input) {
  if (!input.chance()) return input.rest();
  const std::string bytes = input.rest();
  const std::size_t end = bytes.rfind('}');
  const std::uint64_t length = end == std::string::npos ? bytes.size() : end + 1;
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + bytes;
}

std::string bytes_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {reinterpret_cast<const char*>(dense.data()),
          static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype())};
}

}  // namespace

FUZZ_TARGET(safetensors) {
  const MemoryFile file(file_of(input));
  io::SafeTensors read;
  try {
    read = io::read_safetensors(file.path());
  } catch (const IoError& error) {
    require(error.path() == file.path(), "an error of another file");
    return;
  }
  accept();
  const ScratchFolder folder;
  const std::string path = folder / "safetensors";
  io::write_safetensors(path, read.tensors, read.metadata);
  const io::SafeTensors again = io::read_safetensors(path);
  require(again.metadata == read.metadata, "other metadata");
  require(again.tensors.size() == read.tensors.size(), "other tensors");
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    const io::NamedTensor &a = read.tensors[i], &b = again.tensors[i];
    require(a.name == b.name && a.tensor.shape() == b.tensor.shape() &&
                a.tensor.dtype() == b.tensor.dtype() && bytes_of(a.tensor) == bytes_of(b.tensor),
            "another tensor");
  }
}

}  // namespace wengert::fuzz
