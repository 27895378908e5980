#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Which scopes of a large graph become one box each. Private to the library.
namespace wengert::detail {

/// The scopes of a graph as a tree; entry 0 is the top, parents come before their children.
struct ScopeTree {
  struct Entry {
    std::string path;
    int parent = -1;
    int depth = 0;           ///< levels above it: 0 for the top, 1 for "encoder"
    std::int64_t nodes = 0;  ///< directly inside
  };
  std::vector<Entry> entries{Entry{}};
};

struct CollapsePlan {
  std::vector<int> box;      ///< by scope: the outermost collapsed scope around it, or −1
  std::int64_t visible = 0;  ///< single nodes and boxes left
};

/// Collapses scopes deeper than `depth` levels.
CollapsePlan collapse_to_depth(const ScopeTree& tree, int depth,
                               const std::vector<std::string>& always);
/// Collapses until at most `limit` are visible, or until nothing is left to collapse: deepest
/// scopes first, of these the largest, scopes of one size together so that repeated layers look
/// alike.
CollapsePlan collapse_to_fit(const ScopeTree& tree, std::int64_t limit,
                             const std::vector<std::string>& always);

}  // namespace wengert::detail
