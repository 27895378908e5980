#pragma once

// Private to the library.

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "wengert/io/safetensors.h"

// Names in files of parameters.
namespace wengert::io::detail {

inline constexpr const char* kBuffers = "buffers";
inline constexpr const char* kState = "state";

/// What an entry of the metadata names, a line each.
std::set<std::string> named_by(const SafeTensors& file, const char* key);

/// The name with a rule (from, to) applied, if it fits; a `*` on both sides stands for the same
/// characters.
std::optional<std::string> renamed_by(const std::pair<std::string, std::string>& rule,
                                      const std::string& name);

/// "'a', 'b', …": five at most, printable.
std::string some_of(const std::vector<std::string>& names);

}  // namespace wengert::io::detail
