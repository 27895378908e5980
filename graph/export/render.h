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
  /// Asked ten times a second while Graphviz works: true stops it. Null: nobody is asked.
  bool (*cancelled)() = nullptr;
};

/// DOT text as the bytes of an image, through Graphviz' program `dot`, found on PATH and run
/// without a shell. Throws Error(kFile) when it is not installed (Debian package graphviz), fails
/// (with what it said), takes longer than the timeout or is cancelled; then it is stopped. Its
/// status must be there to be seen: with SIGCHLD ignored the picture counts as failed.
WENGERT_API std::string render(const std::string& dot, ImageFormat format = ImageFormat::kSvg,
                               const RenderOptions& options = {},
                               std::source_location where = std::source_location::current());

}  // namespace wengert
