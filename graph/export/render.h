#pragma once

#include <string>

#include "wengert/graph/api.h"

namespace wengert {

enum class ImageFormat { kSvg, kPng };

struct RenderOptions {
  ImageFormat format = ImageFormat::kSvg;
  double dots_per_inch = 96;  ///< of PNG
  int timeout_seconds = 60;
};

/// An image and what Graphviz remarked while making it.
struct Picture {
  std::string bytes;
  std::string warnings;
};

/// DOT text as an image, through Graphviz' program `dot`, found on PATH and run without a shell.
/// Throws Error(kFile) when it is not installed (Debian package graphviz), fails (with what it
/// said) or takes longer than the timeout; then it is stopped.
WENGERT_API Picture render(const std::string& dot, const RenderOptions& options = {});

}  // namespace wengert
