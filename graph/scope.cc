#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/scope_table.h"
#include "wengert/graph/tape.h"

namespace wengert {
namespace detail {
namespace {

/// A scope that this thread opens for the first time.
std::uint32_t add_scope(ScopeTable& table, std::uint32_t parent, std::string_view name,
                        bool is_region, std::uint64_t path_hash, std::source_location where) {
  const char* const kind = is_region ? "Region" : "Scope";
  if (name.empty()) throw Error(ErrorKind::kValue, kind, "the name is empty");
  for (const char c : name) {
    if (std::iscntrl(static_cast<unsigned char>(c))) {
      throw Error(ErrorKind::kValue, kind, "the name holds a control character");
    }
  }
  const auto id = static_cast<std::uint32_t>(table.entries.size());
  if (id >= (1u << 24)) {
    throw Error(ErrorKind::kValue, kind, "more than 16 million different scope names",
                "reuse names, do not number them by step");
  }
  const std::uint64_t above = table.entries[parent].naming_hash;
  table.entries.push_back(
      {.parent = parent,
       .path_hash = path_hash,
       .naming_hash = is_region ? above : hash_text(hash_text(above, name), "/"),
       .name = std::string(name),
       .is_region = is_region,
       .where = where});
  try {
    const auto [known, fresh] = table.by_hash.try_emplace(path_hash, id);
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

/// Enters a scope below the thread's present one.
void enter(std::string_view name, bool is_region, std::source_location where) {
  ThreadMemory& memory = thread_memory();
  if (memory.scopes == nullptr) memory.scopes = new ScopeTable;
  ScopeTable& scopes = *memory.scopes;
  const std::uint32_t parent = t_state.scope;
  const std::uint64_t hash = ScopeTable::hash_below(scopes.entries[parent], name, is_region);
  std::uint32_t id = scopes.find(parent, name, is_region, hash);
  if (id == ScopeTable::kNone) id = add_scope(scopes, parent, name, is_region, hash, where);
  t_state.scope = id;
}

bool is_one_line(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && std::string_view(a.file_name()) == b.file_name();
}

}  // namespace

void retire_scopes() noexcept {
  delete t_state.memory->scopes;
  t_state.memory->scopes = nullptr;
}

namespace {

/// The names from the outermost scope to `scope`, each with a slash behind it.
std::string joined(const ScopeTable& scopes, std::uint32_t scope, bool with_regions) {
  std::vector<std::uint32_t> chain;  // nesting may be deeper than a stack
  for (; scope != 0; scope = scopes.entries[scope].parent) {
    if (with_regions || !scopes.entries[scope].is_region) chain.push_back(scope);
  }
  std::string path;
  while (!chain.empty()) {
    path += scopes.entries[chain.back()].name + "/";
    chain.pop_back();
  }
  return path;
}

}  // namespace

std::string scope_path(std::uint32_t scope) {
  const ScopeTable* scopes = t_state.memory->scopes;
  if (scope == 0 || scopes == nullptr || scope >= scopes->entries.size()) return {};
  std::string path = joined(*scopes, scope, true);
  path.pop_back();
  return path;
}

std::string ScopedName::str() const {
  if (t_state.scope == 0) return std::string(name_);
  return joined(*t_state.memory->scopes, t_state.scope, false) += name_;
}

void ScopedName::refuse_recursion() const {
  std::vector<const ScopeTable::Entry*> chain;
  for (std::uint32_t scope = t_state.scope; scope != 0; scope = entry(scope).parent) {
    if (!entry(scope).is_region) chain.push_back(&entry(scope));
  }
  std::sort(chain.begin(), chain.end(), [](const auto* a, const auto* b) {
    const auto key = [](const auto* e) {
      return std::tuple(std::string_view(e->name), e->where.line(),
                        std::string_view(e->where.file_name()));
    };
    return key(a) < key(b);
  });
  const auto again =
      std::adjacent_find(chain.begin(), chain.end(), [](const auto* a, const auto* b) {
        return a->name == b->name && is_one_line(a->where, b->where);
      });
  if (again == chain.end()) return;
  const ScopeTable::Entry& open = **again;
  throw Error(ErrorKind::kParameter, "ParameterSet",
              "'" + str() + "' would be new: " + std::string(base_name(open.where.file_name())) +
                  ":" + std::to_string(open.where.line()) + " opens the scope '" + open.name +
                  "' inside itself",
              "depths that share parameters: open Region(\"" + open.name +
                  "\", depth) there; depths of their own: number the scope");
}

}  // namespace detail

Scope::Scope(const ScopeName& name, std::source_location where)
    : outer_(detail::t_state.scope), outer_sharing_(detail::t_state.sharing) {
  const detail::CallSite site(where);
  detail::enter(name.text, false, where);
  detail::t_state.sharing |= name.shared;
}

Scope::~Scope() {
  detail::t_state.scope = outer_;
  detail::t_state.sharing = outer_sharing_;
}

Region::Region(std::string_view name, std::source_location where) : outer_(detail::t_state.scope) {
  const detail::CallSite site(where);
  detail::enter(name, true, where);
}

Region::Region(std::string_view name, std::int64_t number, std::source_location where)
    : outer_(detail::t_state.scope) {
  const detail::CallSite site(where);
  // An empty name is refused, whatever the number.
  detail::enter(name.empty() ? std::string() : std::string(name) + "=" + std::to_string(number),
                true, where);
}

Region::~Region() { detail::t_state.scope = outer_; }

std::string Scope::path() { return detail::scope_path(detail::t_state.scope); }

}  // namespace wengert
