#include "wengert/optim/training/cross_validation.h"

#include <cmath>
#include <cstddef>
#include <unordered_set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"

namespace wengert::optim {
namespace {

[[noreturn]] void refuse(const std::string& problem, const char* fix) {
  throw Error(ErrorKind::kValue, "cross_validate", problem, fix);
}

std::string fold_name(std::size_t index, std::size_t count) {
  return "fold " + std::to_string(index + 1) + " of " + std::to_string(count);
}

/// What is trained on and measured on in one fold tells nothing of other examples.
void check_folds(const std::vector<Split>& folds) {
  if (folds.size() < 2) {
    refuse(std::to_string(folds.size()) + " folds", "give two at least, of k_folds for instance");
  }
  std::unordered_set<std::int64_t> held_out;
  for (std::size_t i = 0; i < folds.size(); ++i) {
    const Split& fold = folds[i];
    const std::string name = fold_name(i, folds.size());
    if (fold.train.empty() || fold.validation.empty()) {
      refuse(name + " has no examples for " + (fold.train.empty() ? "training" : "validation"),
             "give each some");
    }
    const std::unordered_set<std::int64_t> here(fold.validation.begin(), fold.validation.end());
    for (const std::int64_t example : fold.train) {
      if (!here.contains(example)) continue;
      refuse(name + " has example " + std::to_string(example) + " for training and for validation",
             "hold it out of training");
    }
    for (const std::int64_t example : fold.validation) {
      if (held_out.insert(example).second) continue;
      refuse(name + " holds out example " + std::to_string(example) + " a second time",
             "hold each out once");
    }
  }
}

}  // namespace

CrossValidation cross_validate(
    const std::vector<Split>& folds,
    const std::function<double(const Split& fold, std::int64_t index)>& value,
    std::source_location where) {
  const detail::CallSite site(where);
  check_folds(folds);
  CrossValidation result;
  const auto count = static_cast<double>(folds.size());
  for (std::size_t i = 0; i < folds.size(); ++i) {
    result.values.push_back(value(folds[i], static_cast<std::int64_t>(i)));
    if (std::isfinite(result.values.back())) continue;
    throw Error(ErrorKind::kNonFinite, "cross_validate",
                fold_name(i, folds.size()) + " came to " + format_number(result.values.back()),
                "a mean over the other folds would hide it: lower the rate, say");
  }
  for (const double fold : result.values) result.mean += fold / count;
  double squares = 0;
  for (const double fold : result.values) squares += (fold - result.mean) * (fold - result.mean);
  result.spread = std::sqrt(squares / (count - 1));
  return result;
}

std::string CrossValidation::str() const {
  std::string text = format_number(mean) + " ± " + format_number(spread) + " (" +
                     std::to_string(values.size()) + " folds: ";
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += (i == 0 ? "" : ", ") + format_number(values[i]);
  }
  return text + ")";
}

}  // namespace wengert::optim
