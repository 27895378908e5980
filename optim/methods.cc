#include "wengert/optim/methods.h"

#include <algorithm>
#include <mutex>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/optim/optimizer.h"

namespace wengert::optim {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const MethodDef*> methods = {
#define OPTIMIZER(name, Class, members) &name##_method,
#include "wengert/optim/optimizers.def"
#undef OPTIMIZER
  };
};

Registry& registry() {
  static auto* instance = new Registry;  // lives on: methods may be used until the very end
  return *instance;
}

[[noreturn]] void reject(const MethodDef& method, const char* why) {
  throw Error(ErrorKind::kValue, "register_method",
              "method '" + std::string(method.name) + "' " + why);
}

}  // namespace

std::string_view name_of(RowUpdates rows) {
  switch (rows) {
    case RowUpdates::kDense:
      return "dense";
    case RowUpdates::kLazy:
      return "lazy";
    case RowUpdates::kExact:
      return "exact";
  }
  return "unknown";
}

void register_method(const MethodDef& method, std::source_location where) {
  const detail::CallSite site(where);
  if (method.name.empty()) reject(method, "has no name");
  if (method.options == nullptr) reject(method, "has no options");
  const std::vector<OptionDef>& options = method.options();
  if (std::none_of(options.begin(), options.end(),
                   [](const OptionDef& option) { return option.name == "rate"; })) {
    reject(method, "has no option `rate`");
  }
  if (method.update == nullptr && method.update_all == nullptr) reject(method, "has no update");
  if (method.doc.summary.empty() || method.doc.formula.empty()) {
    reject(method, "lacks summary or formula");
  }
  Registry& table = registry();
  std::lock_guard lock(table.mutex);
  for (const MethodDef* known : table.methods) {
    if (known == &method) return;
    if (known->name == method.name) reject(method, "exists already: choose another name");
  }
  table.methods.push_back(&method);
}

const MethodDef& find_method(std::string_view name, std::source_location where) {
  const detail::CallSite site(where);
  std::vector<std::string> names;
  for (const MethodDef* method : registered_methods()) {
    if (method->name == name) return *method;
    names.emplace_back(method->name);
  }
  throw Error(ErrorKind::kValue, "optimizer", "no optimizer named '" + std::string(name) + "'",
              advice_on_name(name, names));
}

std::vector<const MethodDef*> registered_methods() {
  Registry& table = registry();
  std::lock_guard lock(table.mutex);
  return table.methods;
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view name,
                                          const std::vector<OptionSetting>& settings,
                                          std::source_location where) {
  const detail::CallSite site(where);
  const MethodDef& method = find_method(name);
  return std::make_unique<Optimizer>(method, option_values(method.options(), settings, name));
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view name, double rate,
                                          std::source_location where) {
  const detail::CallSite site(where);
  const MethodDef& method = find_method(name);
  OptionValues values = option_values(method.options(), {}, name);
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (rate != 0 && method.options()[k].name == "rate") values[k] = rate;
  }
  return std::make_unique<Optimizer>(method, std::move(values));
}

}  // namespace wengert::optim
