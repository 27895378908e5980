#include "wengert/io/idx.h"

#include <algorithm>

#include "wengert/graph/error.h"
#include "wengert/tests/fuzz/target.h"

// The file itself, or packed, which the checksum would else keep mutations out of. What is read is
// what is written again.
namespace wengert::fuzz {

FUZZ_TARGET(idx) {
  const bool packed = input.chance();
  const std::string bytes = input.rest();
  const MemoryFile file(packed ? gzip(bytes) : bytes);
  Tensor read;
  try {
    read = io::read_idx(file.path());
  } catch (const IoError& error) {
    require(error.path() == file.path(), "an error of another file");
    return;
  }
  accept();
  const ScratchFolder folder;
  const std::string path = folder / "idx";
  io::write_idx(path, read);
  const Tensor again = io::read_idx(path);
  require(again.shape() == read.shape() && again.dtype() == read.dtype(), "another tensor");
  const auto same = [](double a, double b) { return a == b || (a != a && b != b); };
  const auto first = read.to_vector<double>(), second = again.to_vector<double>();
  require(std::equal(first.begin(), first.end(), second.begin(), same), "other elements");
}

}  // namespace wengert::fuzz
