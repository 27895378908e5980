#pragma once

#include <regex>
#include <set>
#include <string>
#include <utility>

#include "tests/house/sources.h"

namespace wengert::house {

/// "Suite.Name" of every test in the tree, without instances and parameters.
inline std::set<std::string> known_tests() {
  std::set<std::string> names;
  const std::regex form("TEST(?:_P|_F)?\\(\\s*(\\w+),\\s*(\\w+)\\)");
  for (const Source& source : sources({"tests"})) {
    for (std::sregex_iterator at(source.text.begin(), source.text.end(), form), end; at != end;
         ++at) {
      names.insert(at->str(1) + "." + at->str(2));
    }
  }
  return names;
}

/// "All/Op.HoldsEveryProperty/relu" as it stands in a source, and its parameter.
inline std::pair<std::string, std::string> parts_of(const std::string& test) {
  const std::size_t dot = test.find('.'), begin = test.rfind('/', dot),
                    end = test.find('/', dot == std::string::npos ? 0 : dot);
  const std::size_t from = begin == std::string::npos ? 0 : begin + 1;
  return {test.substr(from, end == std::string::npos ? end : end - from),
          end == std::string::npos ? "" : test.substr(end + 1)};
}

}  // namespace wengert::house
