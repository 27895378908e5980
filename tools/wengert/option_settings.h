#pragma once

#include <string>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/optim/options.h"

// Options of optimizers and schedules on the command line.
namespace wengert::tools {

/// "beta1=0.8" as a setting, of option `flag` of `command`.
inline std::vector<optim::OptionSetting> settings_of(const std::vector<std::string>& texts,
                                                     const char* command, const char* flag) {
  std::vector<optim::OptionSetting> result;
  for (const std::string& text : texts) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) {
      throw Error(ErrorKind::kValue, command, "'" + text + "' sets no option",
                  "write " + std::string(flag) + " NAME=VALUE, as in --option beta1=0.8");
    }
    result.push_back({text.substr(0, sign), text.substr(sign + 1)});
  }
  return result;
}

/// "sgd, adam": the names of a table's records.
template <class Def>
std::string names_of(const std::vector<const Def*>& all) {
  std::string names;
  for (const Def* def : all) names += (names.empty() ? "" : ", ") + std::string(def->name);
  return names;
}

}  // namespace wengert::tools
