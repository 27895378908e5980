#include "wengert/optim/training/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/random_stream.h"
#include "wengert/graph/tensor.h"
#include "wengert/graph/text.h"
#include "wengert/ops/random_stream.h"
#include "wengert/optim/training/search_file.h"

namespace wengert::optim {
namespace {

constexpr std::int64_t kMostTrials = 1'000'000'000;

void check_axes(const char* search, const std::vector<SearchAxis>& axes) {
  if (axes.empty()) {
    throw Error(ErrorKind::kValue, search, "nothing is searched over", "give an axis at least");
  }
  std::set<std::string> names;
  for (const SearchAxis& axis : axes) {
    axis.check(search);
    if (names.insert(axis.name()).second) continue;
    throw Error(ErrorKind::kValue, search, "two axes are called '" + axis.name() + "'",
                "give each a name of its own");
  }
}

std::string describe(const char* kind, std::uint64_t seed, const std::vector<SearchAxis>& axes) {
  std::string text = std::string(kind) + ", seed " + std::to_string(seed);
  for (const SearchAxis& axis : axes) text += "\n" + axis.describe();
  return text;
}

std::uint64_t seed_of(std::uint64_t seed, std::int64_t number) {
  return RandomStream(seed, "search/trial " + std::to_string(number)).key();
}

/// A number of [0, 1) of the search's seed, an axis and a trial.
double share_of(std::uint64_t seed, const SearchAxis& axis, std::int64_t number) {
  Tensor drawn = Tensor::empty({1}, DType::kFloat64);
  fill_uniform(drawn, seed, "search/" + axis.name(), static_cast<std::uint64_t>(number), 0, 1);
  return drawn.at(0);
}

/// Calls the objective; what it throws, or a loss that is no number, is a failure.
void evaluate(const Objective& objective, TrialRecord& record) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    record.loss = objective(record.trial);
    if (!std::isfinite(record.loss)) record.error = "the loss is " + format_number(record.loss);
  } catch (const std::exception& error) {
    record.error = printable(error.what());
    if (record.error.empty()) record.error = "an exception without words";
  }
  if (record.failed()) record.loss = std::nan("");
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

SearchResult run(const char* search, const SearchPlan& plan, const Objective& objective,
                 const SearchOptions& options) {
  if (!objective) throw Error(ErrorKind::kValue, search, "there is nothing to call");
  const bool kept = !options.file.empty();
  SearchResult result;
  if (kept) {
    result.trials = read_trials(options.file, plan);
    // What cannot be written is told before hours of work, not after them.
    write_trials(options.file, plan, result.trials);
  }
  const auto known = static_cast<std::int64_t>(result.trials.size());
  result.wanted = std::max(plan.count, known);
  result.resumed = known;
  const auto stop = [&] { return options.wants_stop && options.wants_stop(); };
  for (std::int64_t number = 0; number < result.wanted; ++number) {
    const auto place = static_cast<std::size_t>(number);
    const bool again = number < known && options.retry_failed && result.trials[place].failed();
    if (number < known && !again) continue;
    result.stopped = stop();
    if (result.stopped) break;
    TrialRecord record{plan.trial(number)};
    evaluate(objective, record);
    result.stopped |= stop();
    if (result.stopped) break;
    if (again) {
      result.trials[place] = std::move(record);
    } else {
      result.trials.push_back(std::move(record));
    }
    if (kept) write_trials(options.file, plan, result.trials);
    if (options.after_trial) options.after_trial(result.trials[place], result);
  }
  return result;
}

}  // namespace

SearchResult grid_search(std::vector<SearchAxis> axes, const Objective& objective,
                         const SearchOptions& options, std::source_location where) {
  const detail::CallSite site(where);
  check_axes("grid_search", axes);
  std::int64_t count = 1;
  for (const SearchAxis& axis : axes) {
    if (axis.grid_size() < 0) {
      throw Error(ErrorKind::kValue, "grid_search",
                  "axis '" + axis.name() + "' has no end of values",
                  "give the ones to try, or take random_search");
    }
    if (__builtin_mul_overflow(count, axis.grid_size(), &count) || count > kMostTrials) {
      throw Error(ErrorKind::kValue, "grid_search", "the grid has more than 1,000,000,000 trials",
                  "take fewer values, or random_search");
    }
  }
  const auto shared = std::make_shared<const std::vector<SearchAxis>>(std::move(axes));
  const auto trial = [shared, seed = options.seed](std::int64_t number) {
    std::vector<double> values(shared->size());
    std::int64_t left = number;
    for (std::size_t k = values.size(); k-- > 0;) {
      const SearchAxis& axis = (*shared)[k];
      values[k] = axis.grid_value(left % axis.grid_size());
      left /= axis.grid_size();
    }
    return Trial(shared, std::move(values), number, seed_of(seed, number));
  };
  return run("grid_search",
             {describe("grid search", options.seed, *shared), shared, count, false, trial},
             objective, options);
}

SearchResult random_search(std::vector<SearchAxis> axes, std::int64_t trials,
                           const Objective& objective, const SearchOptions& options,
                           std::source_location where) {
  const detail::CallSite site(where);
  check_axes("random_search", axes);
  if (trials < 1 || trials > kMostTrials) {
    throw Error(ErrorKind::kValue, "random_search", std::to_string(trials) + " trials",
                "try one at least and 1,000,000,000 at most");
  }
  const auto shared = std::make_shared<const std::vector<SearchAxis>>(std::move(axes));
  const auto trial = [shared, seed = options.seed](std::int64_t number) {
    std::vector<double> values;
    for (const SearchAxis& axis : *shared) {
      values.push_back(axis.value_at(share_of(seed, axis, number)));
    }
    return Trial(shared, std::move(values), number, seed_of(seed, number));
  };
  return run("random_search",
             {describe("random search", options.seed, *shared), shared, trials, true, trial},
             objective, options);
}

Trial::Trial(std::shared_ptr<const std::vector<SearchAxis>> axes, std::vector<double> values,
             std::int64_t number, std::uint64_t seed)
    : axes_(std::move(axes)), values_(std::move(values)), number_(number), seed_(seed) {}

std::size_t Trial::place_of(std::string_view axis, std::source_location where) const {
  std::vector<std::string> names;
  for (std::size_t k = 0; k < axes_->size(); ++k) {
    if ((*axes_)[k].name() == axis) return k;
    names.push_back((*axes_)[k].name());
  }
  const std::string close = closest(axis, names);
  throw Error(ErrorKind::kValue, "Trial", "no axis '" + std::string(axis) + "'",
              close.empty() ? "" : "did you mean '" + close + "'?", where);
}

double Trial::value(std::string_view axis, std::source_location where) const {
  const std::size_t place = place_of(axis, where);
  if (!(*axes_)[place].is_words()) return values_[place];
  throw Error(ErrorKind::kValue, "Trial", "axis '" + std::string(axis) + "' has words, no numbers",
              "ask for its text", where);
}

std::int64_t Trial::whole(std::string_view axis, std::source_location where) const {
  const double number = value(axis, where);
  if (std::trunc(number) == number && std::fabs(number) <= 0x1p53) {
    return static_cast<std::int64_t>(number);
  }
  throw Error(ErrorKind::kValue, "Trial",
              "axis '" + std::string(axis) + "' is " + format_number(number) + ", no whole number",
              "make it by SearchAxis::whole", where);
}

std::string Trial::text(std::string_view axis, std::source_location where) const {
  const std::size_t place = place_of(axis, where);
  return (*axes_)[place].text(values_[place]);
}

std::string Trial::str() const {
  std::string text;
  for (std::size_t k = 0; k < axes_->size(); ++k) {
    const SearchAxis& axis = (*axes_)[k];
    text += (k == 0 ? "" : ", ") + axis.name() + "=" +
            (axis.is_words() ? axis.text(values_[k]) : format_number(values_[k]));
  }
  return text;
}

}  // namespace wengert::optim
