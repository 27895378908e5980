#pragma once

// Private to the library.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wengert/optim/training/search.h"

// The file of a search: its trials as tensors, what it searches over and what failed as metadata.
namespace wengert::optim {

/// A search as it is told apart from others: a line for its kind and seed, one for each axis.
struct SearchPlan {
  std::string description;
  std::shared_ptr<const std::vector<SearchAxis>> axes;
  std::int64_t count = 0;
  bool goes_on = false;  ///< a file may have more trials than these
  /// The trial of a number.
  std::function<Trial(std::int64_t number)> trial;
};

/// The trials in the file; none where there is no file. Throws IoError on a file of another search
/// or of none.
std::vector<TrialRecord> read_trials(const std::string& path, const SearchPlan& plan);

/// Puts them in the file's place. Throws IoError.
void write_trials(const std::string& path, const SearchPlan& plan,
                  const std::vector<TrialRecord>& trials);

}  // namespace wengert::optim
