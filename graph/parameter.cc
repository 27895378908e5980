#include "wengert/graph/parameter.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"

namespace wengert {

struct ParameterSet::Members {
  mutable std::mutex mutex;
  std::deque<Parameter> parameters;  // stable addresses
  absl::flat_hash_map<std::string, Parameter*> by_name;

  Parameter* find(std::string_view name) const {
    const auto it = by_name.find(absl::string_view(name.data(), name.size()));
    return it == by_name.end() ? nullptr : it->second;
  }
  Parameter& insert(std::string name, Tensor value, std::string initializer) {
    parameters.emplace_back(name, std::move(value), std::move(initializer));
    by_name.emplace(std::move(name), &parameters.back());
    return parameters.back();
  }
  [[noreturn]] void fail_unknown(std::string_view name) const {
    std::vector<std::string> names;
    for (const Parameter& parameter : parameters) names.push_back(parameter.name());
    const std::string close = closest(name, names);
    throw Error(ErrorKind::kParameter, "ParameterSet",
                "no parameter named '" + std::string(name) + "'",
                close.empty() ? "the set has " + std::to_string(names.size()) + " parameters"
                              : "did you mean '" + close + "'?");
  }
};

std::string Initializer::describe(const Fans& fans) const {
  char text[160];
  std::snprintf(text, sizeof text, "%.*s(%.9g, %.9g; fan_in=%lld, fan_out=%lld)",
                static_cast<int>(name.size()), name.data(), first, second,
                static_cast<long long>(fans.fan_in), static_cast<long long>(fans.fan_out));
  return text;
}

ParameterSet::ParameterSet(std::uint64_t seed)
    : seed_(seed), members_(std::make_unique<Members>()) {}
ParameterSet::~ParameterSet() = default;

Parameter& ParameterSet::declare(std::string_view name, DType dtype, const Shape& shape,
                                 const Initializer& initializer, const Fans& fans,
                                 std::source_location where) {
  const detail::CallSite site(where);
  std::string full = Scope::path();
  if (!full.empty()) full += "/";
  full += name;
  const std::string description = initializer.describe(fans);
  std::lock_guard lock(members_->mutex);
  if (Parameter* known = members_->find(full)) {
    const Tensor& value = known->value();
    if (value.dtype() != dtype || !(value.shape() == shape)) {
      throw Error(ErrorKind::kParameter, "ParameterSet",
                  "parameter '" + full + "' is " + to_string(value.dtype(), value.shape()) +
                      ", used here as " + to_string(dtype, shape),
                  "give it another name, or the same sizes to share it");
    }
    // Loaded values carry no initializer and fit any.
    if (!known->initializer().empty() && known->initializer() != description) {
      throw Error(ErrorKind::kParameter, "ParameterSet",
                  "parameter '" + full + "' was initialized by " + known->initializer() +
                      ", used here with " + description,
                  "share it under one initializer, or give it another name");
    }
    return *known;
  }
  Tensor value = Tensor::empty(dtype, shape);
  initializer.fill(initializer, seed_, full, fans, value);
  return members_->insert(std::move(full), std::move(value), description);
}

Parameter& ParameterSet::add(std::string name, Tensor value, std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  if (name.empty()) throw Error(ErrorKind::kParameter, "ParameterSet", "a parameter needs a name");
  if (members_->find(name) != nullptr) {
    throw Error(ErrorKind::kParameter, "ParameterSet", "parameter '" + name + "' exists already",
                "use at(name) to change its value");
  }
  // Optimizers write into it: it must be memory that nobody else sees.
  const detail::Storage* storage = value.storage();
  const bool own = storage != nullptr && !storage->adopted &&
                   storage->refs.load(std::memory_order_acquire) == 1 && value.is_dense();
  return members_->insert(std::move(name), own ? std::move(value) : value.clone(), {});
}

Parameter& ParameterSet::at(std::string_view name, std::source_location where) {
  const detail::CallSite site(where);
  std::lock_guard lock(members_->mutex);
  if (Parameter* known = members_->find(name)) return *known;
  members_->fail_unknown(name);
}

const Parameter& ParameterSet::at(std::string_view name, std::source_location where) const {
  return const_cast<ParameterSet*>(this)->at(name, where);
}

Parameter* ParameterSet::find(std::string_view name) {
  std::lock_guard lock(members_->mutex);
  return members_->find(name);
}

const Parameter* ParameterSet::find(std::string_view name) const {
  std::lock_guard lock(members_->mutex);
  return members_->find(name);
}

std::vector<Parameter*> ParameterSet::all() {
  std::lock_guard lock(members_->mutex);
  std::vector<Parameter*> result;
  for (Parameter& parameter : members_->parameters) result.push_back(&parameter);
  return result;
}

std::vector<const Parameter*> ParameterSet::all() const {
  std::lock_guard lock(members_->mutex);
  std::vector<const Parameter*> result;
  for (const Parameter& parameter : members_->parameters) result.push_back(&parameter);
  return result;
}

std::size_t ParameterSet::size() const {
  std::lock_guard lock(members_->mutex);
  return members_->parameters.size();
}

std::int64_t ParameterSet::element_count() const {
  std::int64_t total = 0;
  for (const Parameter* parameter : all()) total += parameter->value().element_count();
  return total;
}

Var use(Parameter& parameter, std::source_location where) {
  Tape* tape = detail::t_state.recording_off > 0 ? nullptr : Tape::current();
  return tape != nullptr ? tape->use(parameter, where) : Var(parameter.value());
}

}  // namespace wengert
