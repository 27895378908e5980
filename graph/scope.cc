#include <cctype>
#include <string>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/scope_table.h"
#include "wengert/graph/tape.h"

namespace wengert {
namespace detail {
namespace {

/// A scope that this thread opens for the first time.
std::uint32_t add_scope(ScopeTable& table, std::uint32_t parent, std::string_view name,
                        std::uint64_t hash) {
  if (name.empty()) throw Error(ErrorKind::kValue, "Scope", "the name is empty");
  for (const char c : name) {
    if (std::iscntrl(static_cast<unsigned char>(c))) {
      throw Error(ErrorKind::kValue, "Scope", "the name holds a control character");
    }
  }
  const auto id = static_cast<std::uint32_t>(table.entries.size());
  if (id >= (1u << 24)) {
    throw Error(ErrorKind::kValue, "Scope", "more than 16 million different scope names",
                "reuse names, do not number them by step");
  }
  table.entries.push_back({parent, ScopeTable::kNone, hash, std::string(name)});
  try {
    const auto [known, fresh] = table.by_hash.try_emplace(hash, id);
    if (!fresh) {
      table.entries.back().next_of_hash = known->second;
      known->second = id;
    }
  } catch (...) {
    table.entries.pop_back();
    throw;
  }
  return id;
}

}  // namespace

void retire_scopes() noexcept {
  delete t_state.memory->scopes;
  t_state.memory->scopes = nullptr;
}

std::string scope_path(std::uint32_t scope) {
  const ScopeTable* scopes = t_state.memory->scopes;
  if (scope == 0 || scopes == nullptr || scope >= scopes->entries.size()) return {};
  const auto& entry = scopes->entries[scope];
  std::string outer = scope_path(entry.parent);  // as deep as the user's nesting of scopes
  return outer.empty() ? entry.name : outer + "/" + entry.name;
}

std::string ScopedName::scope_path() { return detail::scope_path(t_state.scope); }

}  // namespace detail

Scope::Scope(const ScopeName& scope_name, std::source_location where)
    : outer_(detail::t_state.scope), outer_sharing_(detail::t_state.sharing) {
  const detail::CallSite site(where);
  const std::string_view name = scope_name.text;
  detail::ThreadMemory& memory = detail::thread_memory();
  if (memory.scopes == nullptr) memory.scopes = new detail::ScopeTable;
  detail::ScopeTable& scopes = *memory.scopes;
  const std::uint64_t hash =
      detail::hash_text(detail::hash_text(scopes.entries[outer_].hash, name), "/");
  std::uint32_t id = scopes.find(outer_, name, hash);
  if (id == detail::ScopeTable::kNone) id = detail::add_scope(scopes, outer_, name, hash);
  detail::t_state.scope = id;
  detail::t_state.sharing |= scope_name.shared;
}

Scope::~Scope() {
  detail::t_state.scope = outer_;
  detail::t_state.sharing = outer_sharing_;
}

std::string Scope::path() { return detail::scope_path(detail::t_state.scope); }

}  // namespace wengert
