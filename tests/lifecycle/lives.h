#pragma once

#include <string>
#include <vector>

#include "wengert/tests/lifecycle/trials.h"

// How processes and threads may end, fork and be interrupted. Each life is a process of its own,
// which returns from `run` or ends in it, with status 0 and without a word if all was right.
namespace wengert::lifecycle {

/// After which a process that hangs ends itself.
inline constexpr unsigned kMostSeconds = 300;

struct Life {
  std::string name;
  void (*run)();
  /// What sanitizers do not take: forks while other threads allocate, since their own allocator is
  /// locked in the child, and cancelled threads whose stacks they still hold for poisoned.
  bool without_sanitizers = false;
};

std::vector<Life> lives_that_exit();
std::vector<Life> lives_that_fork();
std::vector<Life> lives_of_threads();
std::vector<Life> lives_among_signals();

/// All of them.
inline std::vector<Life> lives() {
  std::vector<Life> all;
  for (const auto& table :
       {lives_that_exit(), lives_that_fork(), lives_of_threads(), lives_among_signals()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace wengert::lifecycle
