#pragma once

#include <fstream>
#include <set>
#include <string>

namespace wengert::testing {

/// The rules of docs/conventions.md under a heading, "## Training" for instance.
inline std::set<std::string> conventions_under(const std::string& heading) {
  std::set<std::string> rules;
  std::ifstream page(WENGERT_SOURCE_DIR "/docs/conventions.md");
  bool here = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) here = line == heading;
    if (!here || !line.starts_with("| ") || line.starts_with("| rule ")) continue;
    rules.insert(line.substr(2, line.find(" |", 2) - 2));
  }
  return rules;
}

}  // namespace wengert::testing
