#include "wengert/io/numpy.h"

#include <algorithm>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/tests/fuzz/target.h"

// An array, or a zip of them. What is read is what is written again.
namespace wengert::fuzz {
namespace {

void same(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape() && a.dtype() == b.dtype(), "another tensor");
  const auto equal = [](double x, double y) { return x == y || (x != x && y != y); };
  const auto first = a.to_vector<double>(), second = b.to_vector<double>();
  require(std::equal(first.begin(), first.end(), second.begin(), equal), "other elements");
}

}  // namespace

FUZZ_TARGET(numpy) {
  const std::uint8_t choices = input.byte();
  const bool zip = (choices & 1) != 0;
  const MemoryFile file(input.rest());
  const ScratchFolder folder;
  const std::string path = folder / "again";
  try {
    if (!zip) {
      const Tensor read = io::read_npy(file.path());
      accept();
      io::write_npy(path, read);
      same(read, io::read_npy(path));
      return;
    }
    const std::vector<io::NamedTensor> read = io::read_npz(file.path(), 1 << 20);
    accept();
    io::write_npz(path, read,
                  (choices & 2) != 0 ? io::NpzPacking::kDeflated : io::NpzPacking::kStored);
    const std::vector<io::NamedTensor> again = io::read_npz(path);
    require(again.size() == read.size(), "another count of arrays");
    for (std::size_t i = 0; i < read.size(); ++i) {
      require(again[i].name == read[i].name, "another name");
      same(read[i].tensor, again[i].tensor);
    }
  } catch (const IoError& error) {
    require(error.path() == file.path(), "an error of another file");
  }
}

}  // namespace wengert::fuzz
