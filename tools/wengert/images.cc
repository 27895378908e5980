#include "tools/wengert/images.h"

#include "wengert/graph/error.h"

namespace wengert::tools {

optim::ArrayLoader image_loader(const Tensor& images, const Tensor& labels,
                                optim::LoaderOptions options,
                                std::optional<std::vector<std::int64_t>> indices) {
  if (images.dtype() != DType::kUint8 && images.dtype() != DType::kFloat32) {
    throw Error(ErrorKind::kDType, "images",
                "the images are " + to_string(images.dtype(), images.shape()),
                "give bytes, or float32 in [0, 1]");
  }
  if (images.dtype() == DType::kUint8) options.scale = 1.0 / 255;
  const std::int64_t count = images.rank() == 0 ? 0 : images.size(0);
  const std::int64_t pixels = count == 0 ? 0 : images.element_count() / count;
  return {
      {images.reshaped({count, pixels}), labels.to(DType::kInt64)}, options, std::move(indices)};
}

}  // namespace wengert::tools
