#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

// The source tree as text.
namespace wengert::house {

struct Source {
  std::string path;  ///< from the root: "graph/tape.h"
  std::string room;  ///< its first component
  std::string text;

  bool is_header() const { return path.ends_with(".h"); }
  /// What it includes, without quotes or brackets.
  std::vector<std::string> includes() const {
    std::vector<std::string> result;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t hash = line.find_first_not_of(" \t");
      if (hash == std::string::npos || line.compare(hash, 1, "#") != 0) continue;
      const std::size_t word = line.find("include");
      const std::size_t open = line.find_first_of("<\"");
      if (word == std::string::npos || open == std::string::npos || open < word) continue;
      const std::size_t close = line.find_first_of(">\"", open + 1);
      if (close != std::string::npos) result.push_back(line.substr(open + 1, close - open - 1));
    }
    return result;
  }
};

/// The C++ files of the rooms, in order of their paths.
inline std::vector<Source> sources(const std::vector<std::string>& rooms) {
  namespace fs = std::filesystem;
  const fs::path root = WENGERT_SOURCE_DIR;
  std::vector<Source> result;
  for (const std::string& room : rooms) {
    if (!fs::exists(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc" && extension != ".inc" && extension != ".def") {
        continue;
      }
      std::ifstream file(entry.path());
      std::ostringstream text;
      text << file.rdbuf();
      result.push_back({fs::relative(entry.path(), root).string(), room, text.str()});
    }
  }
  std::sort(result.begin(), result.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return result;
}

}  // namespace wengert::house
