#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/api.h"

// Search for hyper-parameters: of a grid of values, or of random draws (Bergstra and Bengio 2012).
namespace wengert::optim {

/// One thing that is searched over, by name.
class WENGERT_API SearchAxis {
 public:
  /// These numbers. A random search draws one of them.
  static SearchAxis values(std::string name, std::vector<double> values);
  /// These words, of methods or activations for instance.
  static SearchAxis words(std::string name, std::vector<std::string> words);
  /// Whole numbers of [low, high], each as likely; a grid has all of them.
  static SearchAxis whole(std::string name, std::int64_t low, std::int64_t high);
  /// Any number of [low, high), each as likely.
  static SearchAxis uniform(std::string name, double low, double high);
  /// Any number of [low, high), each power of ten as likely: for rates and penalties.
  static SearchAxis log_uniform(std::string name, double low, double high);

  const std::string& name() const { return name_; }
  bool is_words() const { return kind_ == Kind::kWords; }
  bool is_log() const { return kind_ == Kind::kLogUniform; }
  const std::vector<std::string>& all_words() const { return words_; }
  /// `rate: log_uniform 0.0001 0.1`; two axes are alike if these are.
  std::string describe() const;

  /// For the library: how many values a grid has of it; −1 where there is no end of them.
  std::int64_t grid_size() const;
  /// For the library: one of these, or what a number of [0, 1) stands for; of words the place.
  double grid_value(std::int64_t index) const;
  double value_at(double share) const;
  /// For the library: a value of it as people and options read it, exactly.
  std::string text(double value) const;
  /// For the library. Throws Error(kValue) on an axis without a name or values, values twice or not
  /// finite, low not below high, a log_uniform that begins at 0 or below.
  void check(const char* search) const;

 private:
  enum class Kind { kValues, kWords, kWhole, kUniform, kLogUniform };
  SearchAxis(Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}
  Kind kind_;
  std::string name_;
  double low_ = 0, high_ = 0;
  std::vector<double> values_;
  std::vector<std::string> words_;
};

/// What is tried once: a value of each axis.
class WENGERT_API Trial {
 public:
  std::int64_t number() const { return number_; }  ///< from 0
  /// For the trial's own draws: it follows from the search's seed and the number.
  std::uint64_t seed() const { return seed_; }
  /// Of an axis. Throws Error(kValue) on a name that is none, naming the closest, and on words.
  double value(std::string_view axis,
               std::source_location where = std::source_location::current()) const;
  /// The same as a whole number. Throws Error(kValue) where it is none.
  std::int64_t whole(std::string_view axis,
                     std::source_location where = std::source_location::current()) const;
  /// The word, or the number to its last bit, as make_optimizer and its like take it. Throws
  /// Error(kValue) on a name that is none.
  std::string text(std::string_view axis,
                   std::source_location where = std::source_location::current()) const;
  /// "rate=0.01, method=adam"
  std::string str() const;

  /// For the library.
  Trial(std::shared_ptr<const std::vector<SearchAxis>> axes, std::vector<double> values,
        std::int64_t number, std::uint64_t seed);
  const std::vector<SearchAxis>& axes() const { return *axes_; }
  const std::vector<double>& values() const { return values_; }

 private:
  std::size_t place_of(std::string_view axis, std::source_location where) const;
  std::shared_ptr<const std::vector<SearchAxis>> axes_;
  std::vector<double> values_;
  std::int64_t number_;
  std::uint64_t seed_;
};

/// What a trial came to.
struct TrialRecord {
  Trial trial;
  double loss = 0;  ///< finite, unless it failed
  double seconds = 0;
  std::string error = {};  ///< what it threw, or that its loss was NaN or infinite; else empty
  bool failed() const { return !error.empty(); }
};

/// What a search came to.
struct SearchResult {
  std::vector<TrialRecord> trials;  ///< in the order of their numbers
  std::int64_t wanted = 0;          ///< how many there are in all
  std::int64_t resumed = 0;         ///< how many were in the file already
  bool stopped = false;             ///< it was asked to stop and goes on another time

  /// The least loss, the first of equal ones; null where every trial failed.
  WENGERT_API const TrialRecord* best() const;
  /// "trial 4 of 20: rate=0.01, units=32: loss 0.345 (best 0.321, trial 2)"
  WENGERT_API std::string line(const TrialRecord& record) const;
  /// A table, the best first, those that failed last and why.
  WENGERT_API std::string str() const;
  /// {"wanted":…,"best":…,"trials":[{"trial":0,"values":{…},"loss":…,"seconds":…,"error":null},…]}
  WENGERT_API std::string json() const;
  /// An SVG picture: the least loss so far by trial, and the losses along each axis.
  WENGERT_API std::string picture(const std::string& title) const;
};

struct SearchOptions {
  /// Where the search is kept after each trial: called again with the same file it goes on where it
  /// was, whatever ended it. Empty: nowhere. One search at a time has a file.
  std::string file = {};
  std::uint64_t seed = 1;
  /// Trials of the file that failed are tried again.
  bool retry_failed = false;
  /// Told after each trial, with all up to it: for progress.
  std::function<void(const TrialRecord& record, const SearchResult& so_far)> after_trial = {};
  /// Asked before and after each trial. Once it is true the search ends; what a trial came to that
  /// was under way then does not count, since it may have been ended early, and is tried again.
  std::function<bool()> wants_stop = {};
};

/// What is made as small as can be, of a validation: never of the test set. May throw: the trial
/// has failed then, and the search goes on.
using Objective = std::function<double(const Trial& trial)>;

/// Tries every combination, the last axis fastest.
///
/// Throws Error(kValue) without axes, on what SearchAxis::check refuses, two axes of one name, an
/// axis without end, more than 10⁹ trials; IoError on a file of another search and what
/// read_safetensors and AtomicFile throw. What a trial throws that is no std::exception passes.
WENGERT_API SearchResult grid_search(std::vector<SearchAxis> axes, const Objective& objective,
                                     const SearchOptions& options = {},
                                     std::source_location where = std::source_location::current());

/// Tries `trials` random draws. A value depends on seed, name of the axis and number of the trial
/// alone, so that a search goes on with more trials, and another axis changes none. A file may have
/// more trials than are asked for: they count. Throws as grid_search does, where axes may be
/// without end, and Error(kValue) on a count below 1.
WENGERT_API SearchResult
random_search(std::vector<SearchAxis> axes, std::int64_t trials, const Objective& objective,
              const SearchOptions& options = {},
              std::source_location where = std::source_location::current());

}  // namespace wengert::optim
