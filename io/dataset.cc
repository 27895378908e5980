#include "wengert/io/dataset.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/io/idx.h"
#include "wengert/io/system_calls.h"

namespace wengert::io {
namespace {

constexpr char kPackagedFolder[] = "/usr/share/datasets/fashion-mnist";
constexpr char kInstallFix[] =
    "install the data with apt-get install dataset-fashion-mnist, or name their folder in the "
    "environment variable WENGERT_DATA";
constexpr char kDamagedFix[] =
    "replace it: apt-get install --reinstall dataset-fashion-mnist brings a whole copy to "
    "/usr/share/datasets/fashion-mnist";
constexpr std::int64_t kSide = 28;
constexpr int kClasses = 10;

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The file of this name in the folder, gzipped or not; empty when there is neither.
std::string find_file(const std::string& folder, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    const std::string path = folder + "/" + name + ending;
    if (exists(path)) return path;
  }
  return {};
}

std::string choose_folder(const std::string& given) {
  if (!given.empty()) return given;
  const char* variable = std::getenv("WENGERT_DATA");
  if (variable == nullptr || *variable == '\0') return kPackagedFolder;
  const std::string below = std::string(variable) + "/fashion-mnist";
  return exists(below) ? below : variable;
}

Tensor load(const std::string& folder, const std::string& name) {
  const std::string path = find_file(folder, name);
  if (path.empty()) {
    throw IoError(folder + "/" + name, "is missing, and so is " + name + ".gz", kInstallFix);
  }
  try {
    return read_idx(path);
  } catch (const IoError& cause) {
    throw IoError(path, detail::reason_of(cause), kDamagedFix);
  }
}

void load_pair(const std::string& folder, const std::string& prefix, Tensor& images,
               Tensor& labels) {
  const std::string image_name = prefix + "-images-idx3-ubyte";
  const std::string label_name = prefix + "-labels-idx1-ubyte";
  images = load(folder, image_name);
  if (images.dtype() != DType::kUint8 || images.rank() != 3 || images.size(0) == 0 ||
      images.size(1) != kSide || images.size(2) != kSide) {
    throw IoError(find_file(folder, image_name),
                  "holds " + to_string(images.dtype(), images.shape()) +
                      " where pictures u8[n,28,28] with n > 0 belong",
                  kDamagedFix);
  }
  labels = load(folder, label_name);
  const std::string label_path = find_file(folder, label_name);
  if (labels.dtype() != DType::kUint8 || labels.rank() != 1) {
    throw IoError(
        label_path,
        "holds " + to_string(labels.dtype(), labels.shape()) + " where labels u8[n] belong",
        kDamagedFix);
  }
  if (labels.size(0) != images.size(0)) {
    throw IoError(label_path,
                  "has " + std::to_string(labels.size(0)) + " labels for " +
                      std::to_string(images.size(0)) + " pictures in " + image_name,
                  kDamagedFix);
  }
  const auto values = labels.span<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < kClasses) continue;
    throw IoError(label_path,
                  "has the label " + std::to_string(values[i]) + " at position " +
                      std::to_string(i) + "; classes are 0 to 9",
                  kDamagedFix);
  }
}

}  // namespace

ImageSet load_fashion_mnist(const std::string& folder, std::source_location where) {
  const wengert::detail::CallSite site(where);
  const std::string chosen = choose_folder(folder);
  ImageSet set;
  load_pair(chosen, "train", set.train_images, set.train_labels);
  load_pair(chosen, "t10k", set.test_images, set.test_labels);
  return set;
}

}  // namespace wengert::io
