#pragma once

// Private to the library.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wengert/graph/dtype.h"
#include "wengert/graph/shape.h"

namespace wengert::io::detail {

inline constexpr std::int64_t kMaxSafeTensorsHeader = 100'000'000;  // the format's own limit

/// A tensor as the header of a safetensors file describes it.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::int64_t begin = 0;  ///< of the data, from the end of the header, in bytes
  std::int64_t end = 0;
};

struct SafeTensorsHeader {
  std::vector<TensorEntry> entries;  ///< in the order of the text
  std::map<std::string, std::string> metadata;
};

/// Parses and checks the header's text; each entry's size equals shape × dtype afterwards, how
/// entries lie to each other is not checked. Throws IoError about `path`.
SafeTensorsHeader parse_safetensors_header(const std::string& path, const std::string& text);

/// The text for a header, without padding. Throws Error(kValue) on text that is not UTF-8.
std::string format_safetensors_header(const SafeTensorsHeader& header);

}  // namespace wengert::io::detail
