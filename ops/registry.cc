#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/hash_map.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/records.h"

namespace wengert {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const OpDef*> ops;
  detail::HashMap<std::string_view, const OpDef*> by_name;

  Registry() {
#define UNARY(name) insert(ops::name##_op);
#define BINARY(name) insert(ops::name##_op);
#define OP(name, result, parameters) insert(ops::name##_op);
#include "wengert/ops/ops.def"
#undef UNARY
#undef BINARY
#undef OP
  }
  void insert(const OpDef& op) {
    if (ops.size() == ops.capacity()) ops.reserve(2 * ops.size() + 256);
    by_name.emplace(op.name, &op);
    ops.push_back(&op);
  }
};

Registry& registry() {
  static auto* instance = new Registry;  // lives on: ops may be used until the very end
  return *instance;
}

[[noreturn]] void reject(const OpDef& op, const char* why) {
  throw Error(ErrorKind::kValue, "register_op", "op '" + std::string(op.name) + "' " + why);
}

}  // namespace

void register_op(const OpDef& op, std::source_location where) {
  const detail::CallSite site(where);
  if (op.name.empty()) reject(op, "has no name");
  if (op.infer == nullptr && op.expand == nullptr) reject(op, "has neither infer nor expand");
  if (op.evaluate == nullptr && op.elementwise != nullptr) reject(op, "has no evaluate function");
  if (op.differentiable != 0 && op.vjp == nullptr) reject(op, "is differentiable without a vjp");
  if (op.doc.summary.empty() || op.doc.formula.empty()) reject(op, "lacks summary or formula");
  Registry& table = registry();
  std::lock_guard lock(table.mutex);
  const auto it = table.by_name.find(op.name);
  if (it != table.by_name.end()) {
    if (it->second == &op) return;
    reject(op, "exists already: choose another name");
  }
  table.insert(op);
}

const OpDef* find_op(std::string_view name) {
  Registry& table = registry();
  std::lock_guard lock(table.mutex);
  const auto it = table.by_name.find(name);
  return it == table.by_name.end() ? nullptr : it->second;
}

std::vector<const OpDef*> registered_ops() {
  Registry& table = registry();
  std::lock_guard lock(table.mutex);
  return table.ops;
}

}  // namespace wengert
