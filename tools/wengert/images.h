#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wengert/optim/training/loader.h"

namespace wengert::tools {

/// Images [N, …] of bytes, scaled to [0, 1], or float32, as rows of pixels, with their labels [N].
/// Throws what ArrayLoader throws, and Error(kDType) on other images.
optim::ArrayLoader image_loader(const Tensor& images, const Tensor& labels,
                                optim::LoaderOptions options,
                                std::optional<std::vector<std::int64_t>> indices = {});

}  // namespace wengert::tools
