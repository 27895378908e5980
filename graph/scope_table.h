#pragma once

#include <cstdint>
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

/// The scopes that a thread ever opened, each once: entry 0 is the top. Nodes keep an index.
struct ScopeTable {
  static constexpr std::uint32_t kNone = 0xffffffffu;
  struct Entry {
    std::uint32_t parent;
    std::uint32_t next_of_hash;  ///< another entry of the same hash, or kNone
    std::uint64_t hash;          ///< of "encoder/fc1/"
    std::string name;
  };
  std::vector<Entry> entries{{0, kNone, kEmptyTextHash, ""}};
  HashMap<std::uint64_t, std::uint32_t> by_hash;

  /// The entry, or kNone.
  std::uint32_t find(std::uint32_t parent, std::string_view name, std::uint64_t hash) const {
    const auto known = by_hash.find(hash);
    std::uint32_t id = known == by_hash.end() ? kNone : known->second;
    while (id != kNone && (entries[id].parent != parent || entries[id].name != name)) {
      id = entries[id].next_of_hash;
    }
    return id;
  }
};

/// `name` in the thread's present scope: what its full path would be, without making it.
class ScopedName {
 public:
  explicit ScopedName(std::string_view name) : name_(name) {
    hash_ =
        t_state.scope == 0 ? kEmptyTextHash : t_state.memory->scopes->entries[t_state.scope].hash;
    hash_ = hash_text(hash_, name);
  }
  /// That of the full path's text.
  std::uint64_t hash() const { return hash_; }
  bool is(std::string_view path) const {
    if (!path.ends_with(name_)) return false;
    path.remove_suffix(name_.size());
    for (std::uint32_t scope = t_state.scope; scope != 0;) {
      const ScopeTable::Entry& entry = t_state.memory->scopes->entries[scope];
      if (!path.ends_with('/')) return false;
      path.remove_suffix(1);
      if (!path.ends_with(entry.name)) return false;
      path.remove_suffix(entry.name.size());
      scope = entry.parent;
    }
    return path.empty();
  }
  /// "encoder/fc1/weight"
  std::string str() const {
    std::string path = scope_path();
    if (!path.empty()) path += '/';
    return path += name_;
  }

 private:
  static std::string scope_path();
  std::string_view name_;
  std::uint64_t hash_;
};

}  // namespace wengert::detail
