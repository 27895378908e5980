#include "wengert/graph/parameter_filter.h"

#include <cstddef>

namespace wengert {
namespace {

std::vector<std::string> set_trainable(ParameterSet& parameters, const ParameterFilter& filter,
                                       bool on) {
  std::vector<Parameter*> chosen;  // a filter may look at others, and may throw
  for (Parameter* parameter : parameters.all()) {
    if (parameter->trainable() == on || !filter(*parameter)) continue;
    chosen.push_back(parameter);
  }
  std::vector<std::string> names;
  for (const Parameter* parameter : chosen) names.push_back(parameter->name());
  for (Parameter* parameter : chosen) parameter->set_trainable(on);
  return names;
}

}  // namespace

bool name_fits(std::string_view name, std::string_view pattern) {
  // Where the last star stands and how much of the name it has taken: on a mismatch it takes one
  // more. Earlier stars need no second try.
  std::size_t t = 0, p = 0, star = std::string_view::npos, taken = 0;
  while (t < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == name[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_weight(const Parameter& parameter) { return parameter.value().rank() >= 2; }
bool is_any_parameter(const Parameter&) { return true; }

ParameterFilter named(std::string pattern) {
  return [pattern = std::move(pattern)](const Parameter& parameter) {
    return name_fits(parameter.name(), pattern);
  };
}

std::vector<std::string> freeze(ParameterSet& parameters, const ParameterFilter& filter) {
  return set_trainable(parameters, filter, false);
}
std::vector<std::string> thaw(ParameterSet& parameters, const ParameterFilter& filter) {
  return set_trainable(parameters, filter, true);
}

}  // namespace wengert
