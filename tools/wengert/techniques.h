#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wengert::tools {

/// The ops that stand for the techniques of a section of docs/techniques.tsv, each once, in its
/// order.
std::vector<std::string> ops_of_section(std::string_view section);

}  // namespace wengert::tools
