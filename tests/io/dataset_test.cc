#include "wengert/io/dataset.h"

#include <stdlib.h>

#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "wengert/io/idx.h"
#include "wengert/tests/io/files.h"

namespace wengert::io {
namespace {

constexpr char kPackage[] = "/usr/share/datasets/fashion-mnist";

// Sets the variable for a test, and puts it back.
class DataVariable {
 public:
  explicit DataVariable(const std::string& value) {
    if (const char* old = ::getenv("WENGERT_DATA")) old_ = old;
    ::setenv("WENGERT_DATA", value.c_str(), 1);
  }
  ~DataVariable() {
    if (old_) {
      ::setenv("WENGERT_DATA", old_->c_str(), 1);
    } else {
      ::unsetenv("WENGERT_DATA");
    }
  }

 private:
  std::optional<std::string> old_;
};

Tensor pictures(std::int64_t count, int value) {
  return Tensor::full({count, 28, 28}, value, DType::kUint8);
}

// A small data set: 3 pictures to train, 2 to test.
void put_set(const std::string& folder, int value = 7) {
  std::filesystem::create_directories(folder);
  write_idx(folder + "/train-images-idx3-ubyte", pictures(3, value));
  write_idx(folder + "/train-labels-idx1-ubyte", Tensor::from<std::uint8_t>({0, 9, 4}, {3}));
  write_idx(folder + "/t10k-images-idx3-ubyte", pictures(2, value + 1));
  write_idx(folder + "/t10k-labels-idx1-ubyte", Tensor::from<std::uint8_t>({1, 2}, {2}));
}

TEST(FashionMnist, LoadsPlainAndGzippedFiles) {
  TemporaryFolder folder;
  put_set(folder.path());
  const std::string labels = folder / "train-labels-idx1-ubyte";
  put_bytes(labels + ".gz", gzip(get_bytes(labels)));
  std::filesystem::remove(labels);
  const ImageSet set = load_fashion_mnist(folder.path());
  EXPECT_EQ(set.train_images.to_vector<std::uint8_t>(), pictures(3, 7).to_vector<std::uint8_t>());
  EXPECT_EQ(set.train_labels.to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{0, 9, 4}));
  EXPECT_EQ(set.test_images.to_vector<std::uint8_t>(), pictures(2, 8).to_vector<std::uint8_t>());
  EXPECT_EQ(set.test_labels.to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{1, 2}));
}

TEST(FashionMnist, ArgumentThenVariableThenPackage) {
  TemporaryFolder folder;
  put_set(folder / "given", 1);
  put_set(folder / "named", 2);
  put_set(folder / "above/fashion-mnist", 3);
  const DataVariable named(folder / "named");
  EXPECT_EQ(load_fashion_mnist(folder / "given").train_images.at(0), 1);
  EXPECT_EQ(load_fashion_mnist().train_images.at(0), 2);
  const DataVariable above(folder / "above");
  EXPECT_EQ(load_fashion_mnist().train_images.at(0), 3);
  // A folder that was asked for is never replaced silently by another.
  const DataVariable wrong(folder / "nowhere");
  expect_io_error(folder / "nowhere/train-images-idx3-ubyte",
                  "is missing, and so is train-images-idx3-ubyte.gz; install the data with "
                  "apt-get install dataset-fashion-mnist",
                  [] { load_fashion_mnist(); });
}

TEST(FashionMnist, DamageIsNamedWithTheFileAndThePackage) {
  struct Case {
    const char* file;
    Tensor replacement;
    const char* words;
  };
  const Case cases[] = {
      {"train-images-idx3-ubyte", Tensor::zeros({3, 28, 27}, DType::kUint8),
       "holds u8[3,28,27] where pictures"},
      {"train-images-idx3-ubyte", Tensor::zeros({3, 784}, DType::kUint8), "holds u8[3,784]"},
      {"t10k-images-idx3-ubyte", Tensor::zeros({2, 28, 28}, DType::kFloat32), "holds f32[2,28,28]"},
      {"t10k-images-idx3-ubyte", pictures(0, 0), "holds u8[0,28,28]"},
      {"train-labels-idx1-ubyte", Tensor::zeros({3}, DType::kInt32), "holds i32[3] where labels"},
      {"train-labels-idx1-ubyte", Tensor::zeros({2}, DType::kUint8),
       "has 2 labels for 3 pictures in train-images-idx3-ubyte"},
      {"train-labels-idx1-ubyte", Tensor::zeros({4}, DType::kUint8),
       "has 4 labels for 3 pictures in train-images-idx3-ubyte"},
      {"t10k-labels-idx1-ubyte", Tensor::from<std::uint8_t>({9, 10}, {2}),
       "has the label 10 at position 1; classes are 0 to 9"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.words);
    TemporaryFolder folder;
    put_set(folder.path());
    write_idx(folder / c.file, c.replacement);
    expect_io_error(folder / c.file, c.words, [&] { load_fashion_mnist(folder.path()); });
    expect_io_error(folder / c.file, "apt-get install --reinstall dataset-fashion-mnist",
                    [&] { load_fashion_mnist(folder.path()); });
  }
  TemporaryFolder folder;
  put_set(folder.path());
  const std::string path = folder / "t10k-images-idx3-ubyte";
  put_bytes(path, get_bytes(path).substr(0, 1000));
  expect_io_error(path, "1568 bytes of data, but it has 984; replace it: apt-get install",
                  [&] { load_fashion_mnist(folder.path()); });
  std::filesystem::remove(path);
  expect_io_error(path, "is missing", [&] { load_fashion_mnist(folder.path()); });
}

TEST(FashionMnist, TheRealOne) {
  if (!std::filesystem::exists(kPackage)) {
    GTEST_SKIP() << "not installed: apt-get install dataset-fashion-mnist";
  }
  const ImageSet set = load_fashion_mnist(kPackage);
  EXPECT_EQ(set.train_images.shape(), Shape({60000, 28, 28}));
  EXPECT_EQ(set.train_labels.shape(), Shape({60000}));
  EXPECT_EQ(set.test_images.shape(), Shape({10000, 28, 28}));
  EXPECT_EQ(set.test_labels.shape(), Shape({10000}));
  // Every class has as many pictures as every other, and the first picture is an ankle boot.
  std::vector<int> train(10), test(10);
  for (std::uint8_t label : set.train_labels.span<std::uint8_t>()) ++train[label];
  for (std::uint8_t label : set.test_labels.span<std::uint8_t>()) ++test[label];
  EXPECT_EQ(train, std::vector<int>(10, 6000));
  EXPECT_EQ(test, std::vector<int>(10, 1000));
  EXPECT_EQ(set.train_labels.at(0), 9);
  const auto pixels = set.train_images.span<std::uint8_t>();
  const double sum = std::accumulate(pixels.begin(), pixels.end(), 0.0);
  EXPECT_NEAR(sum / static_cast<double>(pixels.size()) / 255, 0.2860, 5e-5);  // as published
}

}  // namespace
}  // namespace wengert::io
