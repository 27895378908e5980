#pragma once

#include <source_location>
#include <string>

#include "wengert/graph/api.h"

namespace wengert {

enum class ImageFormat { kSvg, kPng };

struct RenderOptions {
  double dots_per_inch = 96;  ///< of PNG
  int timeout_seconds = 60;
  std::string* warnings = nullptr;  ///< takes what Graphviz remarked on a picture that it made
};

/// DOT text as the bytes of an image, through Graphviz' program `dot`, found on PATH and run
/// without a shell. Throws Error(kFile) when it is not installed (Debian package graphviz), fails
/// (with what it said) or takes longer than the timeout; then it is stopped.
WENGERT_API std::string render(const std::string& dot, ImageFormat format = ImageFormat::kSvg,
                               const RenderOptions& options = {},
                               std::source_location where = std::source_location::current());

}  // namespace wengert
