#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/hash_map.h"
#include "wengert/graph/thread_state.h"

// The scopes of a thread, and names inside them that are compared without being put together.
// Private to the library.
namespace wengert::detail {

inline constexpr std::uint64_t kEmptyTextHash = 0xcbf29ce484222325u;

/// FNV-1a goes on over `text`: the hash of a whole is that of its parts, one after the other.
inline std::uint64_t hash_text(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// The scopes and regions that a thread ever opened, each once: entry 0 is the top. Nodes keep an
/// index.
struct ScopeTable {
  static constexpr std::uint32_t kNone = 0xffffffffu;
  struct Entry {
    std::uint32_t parent = 0;
    std::uint32_t next_of_hash = kNone;          ///< another entry of the same path_hash, or kNone
    std::uint64_t path_hash = kEmptyTextHash;    ///< of all names on the way here
    std::uint64_t naming_hash = kEmptyTextHash;  ///< of "encoder/fc1/", which regions are not in
    std::string name = {};
    bool is_region = false;
    std::source_location where = {};  ///< that opened it first
  };
  std::vector<Entry> entries{Entry{}};
  HashMap<std::uint64_t, std::uint32_t> by_hash;

  static std::uint64_t hash_below(const Entry& parent, std::string_view name, bool is_region) {
    return hash_text(hash_text(parent.path_hash, name), is_region ? "|" : "/");
  }
  /// The entry, or kNone.
  std::uint32_t find(std::uint32_t parent, std::string_view name, bool is_region,
                     std::uint64_t path_hash) const {
    const auto known = by_hash.find(path_hash);
    std::uint32_t id = known == by_hash.end() ? kNone : known->second;
    while (id != kNone && (entries[id].parent != parent || entries[id].name != name ||
                           entries[id].is_region != is_region)) {
      id = entries[id].next_of_hash;
    }
    return id;
  }
};

/// `name` in the thread's present scope: what its full path would be, without making it.
class ScopedName {
 public:
  explicit ScopedName(std::string_view name) : name_(name) {
    hash_ = t_state.scope == 0 ? kEmptyTextHash : entry(t_state.scope).naming_hash;
    hash_ = hash_text(hash_, name);
  }
  /// That of the full path's text.
  std::uint64_t hash() const { return hash_; }
  bool is(std::string_view path) const {
    if (!path.ends_with(name_)) return false;
    path.remove_suffix(name_.size());
    for (std::uint32_t scope = t_state.scope; scope != 0;) {
      const ScopeTable::Entry& at = entry(scope);
      scope = at.parent;
      if (at.is_region) continue;
      if (!path.ends_with('/')) return false;
      path.remove_suffix(1);
      if (!path.ends_with(at.name)) return false;
      path.remove_suffix(at.name.size());
    }
    return path.empty();
  }
  /// "encoder/fc1/weight"
  std::string str() const;
  /// Throws Error(kParameter) where one line of the program opened a scope inside itself: each
  /// depth of a recursion would make things of its own.
  void refuse_recursion() const;

 private:
  static const ScopeTable::Entry& entry(std::uint32_t scope) {
    return t_state.memory->scopes->entries[scope];
  }
  std::string_view name_;
  std::uint64_t hash_;
};

}  // namespace wengert::detail
