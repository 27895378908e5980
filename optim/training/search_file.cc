#include "wengert/optim/training/search_file.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <system_error>

#include "wengert/graph/error.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/text.h"
#include "wengert/io/safetensors.h"

namespace wengert::optim {
namespace {

constexpr const char* kSearch = "search";
constexpr const char* kError = "error ";  // and the trial's number

class Reader {
 public:
  Reader(const std::string& path, const SearchPlan& plan)
      : path_(path), plan_(plan), file_(io::read_safetensors(path)) {}

  std::vector<TrialRecord> run() const {
    check_search();
    const Tensor& losses = at("losses");
    if (losses.rank() != 1) refuse("its losses are no list");
    const std::int64_t count = losses.size(0);
    const auto axes = static_cast<std::int64_t>(plan_.axes->size());
    const Tensor &seconds = at("seconds"), &values = at("values");
    if (seconds.shape() != Shape{count} || values.shape() != Shape{count, axes}) {
      refuse("its trials are not all there");
    }
    if (count > plan_.count && !plan_.goes_on) {
      refuse("it has " + std::to_string(count) + " trials of " + std::to_string(plan_.count));
    }
    std::vector<TrialRecord> trials;
    for (std::int64_t number = 0; number < count; ++number) {
      TrialRecord record{plan_.trial(number)};
      record.loss = losses.at(number);
      record.seconds = seconds.at(number);
      const auto error = file_.metadata.find(kError + std::to_string(number));
      if (error != file_.metadata.end()) record.error = printable(error->second);
      if (!(record.seconds >= 0) || std::isinf(record.seconds)) {
        refuse("trial " + std::to_string(number) + " took no time that is one");
      }
      if (record.failed() == std::isfinite(record.loss)) {
        refuse("trial " + std::to_string(number) + " has a loss and an error, or neither");
      }
      check_values(record.trial, values);
      trials.push_back(std::move(record));
    }
    return trials;
  }

 private:
  void check_search() const {
    const auto told = file_.metadata.find(kSearch);
    if (told == file_.metadata.end()) refuse("it is of no search");
    const std::vector<std::string> there = lines_of(told->second),
                                   here = lines_of(plan_.description);
    for (std::size_t i = 0; i < std::max(there.size(), here.size()); ++i) {
      const std::string a = i < there.size() ? there[i] : "nothing more";
      const std::string b = i < here.size() ? here[i] : "nothing more";
      if (a != b) refuse("it is of another search: " + a + " there, here " + b);
    }
  }

  /// They follow from the search; another C library may give them another last bit.
  void check_values(const Trial& trial, const Tensor& values) const {
    const auto width = static_cast<std::int64_t>(trial.values().size());
    for (std::int64_t k = 0; k < width; ++k) {
      const double there = values.at(trial.number() * width + k);
      const double here = trial.values()[static_cast<std::size_t>(k)];
      if (std::fabs(there - here) <= 1e-12 * std::fabs(here)) continue;
      refuse("trial " + std::to_string(trial.number()) + " had other values");
    }
  }

  const Tensor& at(const char* name) const {
    for (const io::NamedTensor& entry : file_.tensors) {
      if (entry.name == name && entry.tensor.dtype() == DType::kFloat64) return entry.tensor;
    }
    refuse("it has no " + std::string(name));
  }
  [[noreturn]] void refuse(const std::string& problem) const {
    throw IoError(path_, problem, "give the file of this search, or a name that is free");
  }

  const std::string& path_;
  const SearchPlan& plan_;
  io::SafeTensors file_;
};

}  // namespace

std::vector<TrialRecord> read_trials(const std::string& path, const SearchPlan& plan) {
  // What is there and cannot be looked at is for the reader to tell.
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) && !ignored) return {};
  return Reader(path, plan).run();
}

void write_trials(const std::string& path, const SearchPlan& plan,
                  const std::vector<TrialRecord>& trials) {
  std::vector<double> losses, seconds, values;
  std::map<std::string, std::string> metadata = {{kSearch, plan.description}};
  for (const TrialRecord& record : trials) {
    losses.push_back(record.loss);
    seconds.push_back(record.seconds);
    values.insert(values.end(), record.trial.values().begin(), record.trial.values().end());
    if (record.failed()) metadata[kError + std::to_string(record.trial.number())] = record.error;
  }
  const auto count = static_cast<std::int64_t>(trials.size());
  const auto axes = static_cast<std::int64_t>(plan.axes->size());
  const std::vector<io::NamedTensor> tensors = {{"losses", Tensor::from(losses, {count})},
                                                {"seconds", Tensor::from(seconds, {count})},
                                                {"values", Tensor::from(values, {count, axes})}};
  io::write_safetensors(path, tensors, metadata);
}

}  // namespace wengert::optim
