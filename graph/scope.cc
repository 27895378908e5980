#include <cctype>
#include <string>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/thread_state.h"

namespace wengert {
namespace detail {

/// The scopes a thread ever opened, each once: entry 0 is the top. Nodes keep an index.
struct ScopeTable {
  struct Entry {
    std::uint32_t parent;
    std::string name;
    std::vector<std::uint32_t> children;
  };
  std::vector<Entry> entries{{0, "", {}}};

  std::uint32_t child(std::uint32_t parent, std::string_view name) {
    for (std::uint32_t id : entries[parent].children) {
      if (entries[id].name == name) return id;
    }
    const auto id = static_cast<std::uint32_t>(entries.size());
    if (id >= (1u << 24)) {
      throw Error(ErrorKind::kValue, "Scope", "more than 16 million different scope names",
                  "reuse names, do not number them by step");
    }
    entries.push_back({parent, std::string(name), {}});
    entries[parent].children.push_back(id);
    return id;
  }
};

void retire_scopes() noexcept {
  delete t_state.scopes;
  t_state.scopes = nullptr;
}

std::string scope_path(std::uint32_t scope) {
  if (scope == 0 || t_state.scopes == nullptr) return {};
  const auto& entry = t_state.scopes->entries[scope];
  std::string outer = scope_path(entry.parent);  // as deep as the user's nesting of scopes
  return outer.empty() ? entry.name : outer + "/" + entry.name;
}

}  // namespace detail

Scope::Scope(std::string_view name, std::source_location where) : outer_(detail::t_state.scope) {
  const detail::CallSite site(where);
  if (name.empty()) throw Error(ErrorKind::kValue, "Scope", "the name is empty");
  for (unsigned char c : name) {
    if (std::iscntrl(c)) {
      throw Error(ErrorKind::kValue, "Scope", "the name holds a control character");
    }
  }
  detail::ThreadState& state = detail::t_state;
  if (state.scopes == nullptr) {
    detail::register_thread();
    state.scopes = new detail::ScopeTable;
  }
  state.scope = state.scopes->child(state.scope, name);
}

Scope::~Scope() { detail::t_state.scope = outer_; }

std::string Scope::path() { return detail::scope_path(detail::t_state.scope); }

}  // namespace wengert
