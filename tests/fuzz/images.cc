#include <fstream>

#include "wengert/graph/error.h"
#include "wengert/io/dataset.h"
#include "wengert/tests/fuzz/target.h"

// The four files of a data set of images, the last three sound or cut off somewhere.
namespace wengert::fuzz {
namespace {

std::string images(int count) {
  return std::string("\0\0\x08\x03\0\0\0", 7) + static_cast<char>(count) +
         std::string("\0\0\0\x1c\0\0\0\x1c", 8) +
         std::string(784 * static_cast<std::size_t>(count), 'x');
}
std::string labels(int count) {
  return std::string("\0\0\x08\x01\0\0\0", 7) + static_cast<char>(count) +
         std::string(static_cast<std::size_t>(count), '\3');
}

}  // namespace

FUZZ_TARGET(images) {
  const ScratchFolder folder;
  const int count = input.below(4), mutated = input.below(4);
  const bool packed = input.chance();
  std::string files[] = {images(count), labels(count), images(1), labels(1)};
  // The bytes lie over the beginning of one file, and may go on after its end.
  const std::string bytes = input.rest();
  files[mutated].replace(0, bytes.size(), bytes);
  const char* names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
  for (int i = 0; i < 4; ++i) {
    std::ofstream file(folder / (std::string(names[i]) + (packed ? ".gz" : "")), std::ios::binary);
    file << (packed ? gzip(files[i]) : files[i]);
  }
  try {
    const io::ImageSet set = io::load_fashion_mnist(folder.path());
    accept();
    require(set.train_images.size(0) == set.train_labels.size(0), "images without labels");
    require(set.test_images.size(0) == set.test_labels.size(0), "images without labels");
    for (const double label : set.train_labels.to_vector<double>()) {
      require(label >= 0 && label <= 9, "a class that is none");
    }
  } catch (const IoError& error) {
    require(error.path().starts_with(folder.path()), "an error of another folder");
  }
}

}  // namespace wengert::fuzz
