#include "wengert/graph/export/collapse.h"

#include <algorithm>
#include <map>

namespace wengert::detail {
namespace {

using Marks = std::vector<char>;

Marks marked(const ScopeTree& tree, const std::vector<std::string>& always) {
  Marks marks(tree.entries.size(), 0);
  for (std::size_t s = 1; s < marks.size(); ++s) {
    marks[s] = std::find(always.begin(), always.end(), tree.entries[s].path) != always.end();
  }
  return marks;
}

/// Visible nodes and boxes in each scope with all below it.
std::vector<std::int64_t> visible_within(const ScopeTree& tree, const Marks& collapsed) {
  std::vector<std::int64_t> sizes(tree.entries.size(), 0);
  for (std::size_t s = sizes.size(); s-- > 0;) {
    sizes[s] += tree.entries[s].nodes;
    if (collapsed[s] && sizes[s] > 0) sizes[s] = 1;
    if (s > 0) sizes[static_cast<std::size_t>(tree.entries[s].parent)] += sizes[s];
  }
  return sizes;
}

CollapsePlan plan(const ScopeTree& tree, const Marks& collapsed) {
  CollapsePlan result;
  result.visible = visible_within(tree, collapsed)[0];
  result.box.assign(tree.entries.size(), -1);
  for (std::size_t s = 1; s < collapsed.size(); ++s) {
    const int outer = result.box[static_cast<std::size_t>(tree.entries[s].parent)];
    result.box[s] = outer >= 0 ? outer : collapsed[s] ? static_cast<int>(s) : -1;
  }
  return result;
}

}  // namespace

CollapsePlan collapse_to_depth(const ScopeTree& tree, int depth,
                               const std::vector<std::string>& always) {
  Marks collapsed = marked(tree, always);
  for (std::size_t s = 1; s < collapsed.size(); ++s) {
    if (tree.entries[s].depth > depth) collapsed[s] = 1;
  }
  return plan(tree, collapsed);
}

CollapsePlan collapse_to_fit(const ScopeTree& tree, std::int64_t limit,
                             const std::vector<std::string>& always) {
  Marks collapsed = marked(tree, always);
  int deepest = 0;
  for (const auto& entry : tree.entries) deepest = std::max(deepest, entry.depth);
  for (int depth = deepest; depth > 0; --depth) {
    const std::vector<std::int64_t> sizes = visible_within(tree, collapsed);
    std::int64_t visible = sizes[0];
    if (visible <= limit) break;
    std::map<std::int64_t, std::vector<std::size_t>> by_size;
    for (std::size_t s = 1; s < collapsed.size(); ++s) {
      if (tree.entries[s].depth == depth && sizes[s] > 1) by_size[sizes[s]].push_back(s);
    }
    for (auto group = by_size.rbegin(); group != by_size.rend() && visible > limit; ++group) {
      for (std::size_t s : group->second) {
        collapsed[s] = 1;
        visible -= group->first - 1;
      }
    }
  }
  return plan(tree, collapsed);
}

}  // namespace wengert::detail
