#include "wengert/io/parameter_names.h"

#include "wengert/graph/text.h"

namespace wengert::io::detail {

std::set<std::string> named_by(const SafeTensors& file, const char* key) {
  const auto listed = file.metadata.find(key);
  if (listed == file.metadata.end()) return {};
  const std::vector<std::string> lines = lines_of(listed->second);
  return {lines.begin(), lines.end()};
}

std::optional<std::string> renamed_by(const std::pair<std::string, std::string>& rule,
                                      const std::string& name) {
  const auto& [from, to] = rule;
  const std::size_t star = from.find('*');
  if (star == std::string::npos) return name == from ? std::optional(to) : std::nullopt;
  const std::string before = from.substr(0, star), after = from.substr(star + 1);
  if (name.size() < before.size() + after.size() || !name.starts_with(before) ||
      !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string middle = name.substr(before.size(), name.size() - before.size() - after.size());
  std::string result = to;
  if (const std::size_t place = to.find('*'); place != std::string::npos) {
    result.replace(place, 1, middle);
  }
  return result;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i == 0 ? "'" : ", '") + printable(names[i]) + "'";
  }
  return names.size() > kShown ? text + ", …" : text;
}

}  // namespace wengert::io::detail
