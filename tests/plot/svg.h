#pragma once

#include <algorithm>
#include <string>
#include <vector>

// Looks into pictures as text.
namespace wengert::plot {

inline int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// About how many pixels each text of a picture takes, at 12 pixels a letter's height.
inline std::vector<double> text_widths(const std::string& svg) {
  std::vector<double> widths;
  for (auto at = svg.find("<text"); at != std::string::npos; at = svg.find("<text", at + 1)) {
    const auto begin = svg.find('>', at) + 1, end = svg.find("</text>", at);
    const std::string words = svg.substr(begin, end - begin);
    const auto letters =
        std::count_if(words.begin(), words.end(), [](char c) { return (c & 0xc0) != 0x80; });
    widths.push_back(6.8 * static_cast<double>(letters));
  }
  return widths;
}

}  // namespace wengert::plot
