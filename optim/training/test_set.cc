#include "wengert/optim/training/test_set.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/file.h"
#include "wengert/optim/training/fit.h"

namespace wengert::optim {
namespace {

constexpr std::int64_t kLargestLog = 1 << 20;

/// How a line of the log begins: "look 3: ".
std::string start_of(std::size_t number) { return "look " + std::to_string(number) + ": "; }

std::vector<std::string> read_looks(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) && !ignored) return {};
  std::vector<std::string> looks;
  for (const std::string& line : lines_of(io::read_file(path, kLargestLog))) {
    const std::string start = start_of(looks.size() + 1);
    if (!line.starts_with(start)) {
      throw IoError(path,
                    "is no log of looks at a test set: line " + std::to_string(looks.size() + 1) +
                        " does not begin with '" + start + "'",
                    "name the log of this test set, or a file that is not there yet");
    }
    looks.push_back(printable(line.substr(start.size())));
  }
  return looks;
}

}  // namespace

TestSet::TestSet(const Loader& loader, std::string log, std::source_location where)
    : loader_(loader), log_(std::move(log)) {
  const detail::CallSite site(where);
  if (!log_.empty()) looks_ = read_looks(log_);
}

Totals TestSet::measure(ParameterSet& parameters, const Model& model, const std::string& why,
                        std::source_location where) {
  const detail::CallSite site(where);
  if (!looks_.empty()) {
    throw Error(
        ErrorKind::kValue, "TestSet",
        "the test set was seen " +
            (looks_.size() == 1 ? std::string("once") : std::to_string(looks_.size()) + " times") +
            ", last for '" + looks_.back() + "'",
        "choose by a validation set; where a further look is meant, call measure_again");
  }
  return look(parameters, model, why, where);
}

Totals TestSet::measure_again(ParameterSet& parameters, const Model& model, const std::string& why,
                              std::source_location where) {
  const detail::CallSite site(where);
  if (why.empty()) {
    throw Error(ErrorKind::kValue, "TestSet", "a further look without a reason",
                "say what it is for");
  }
  return look(parameters, model, why, where);
}

Totals TestSet::look(ParameterSet& parameters, const Model& model, const std::string& why,
                     std::source_location where) {
  const Totals totals = optim::measure(parameters, loader_, model, nullptr, where);
  std::vector<std::string> looks = looks_;
  looks.push_back(printable(why));
  if (!log_.empty()) {
    std::string text;
    for (std::size_t i = 0; i < looks.size(); ++i) text += start_of(i + 1) + looks[i] + "\n";
    io::write_file_atomically(log_, text);
  }
  looks_ = std::move(looks);
  return totals;
}

}  // namespace wengert::optim
