#include "wengert/graph/parameter.h"

#include <bit>
#include <cstdio>
#include <deque>
#include <mutex>

#include "absl/container/flat_hash_set.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/scope_table.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"

namespace wengert {

using detail::ScopedName;

namespace {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return absl::Hash<std::uint64_t>()(detail::hash_text(detail::kEmptyTextHash, name));
  }
  std::size_t operator()(const Parameter* parameter) const { return (*this)(parameter->name()); }
  std::size_t operator()(const ScopedName& name) const {
    return absl::Hash<std::uint64_t>()(name.hash());
  }
};

struct SameName {
  using is_transparent = void;
  bool operator()(const Parameter* a, const Parameter* b) const { return a->name() == b->name(); }
  bool operator()(const Parameter* a, std::string_view b) const { return a->name() == b; }
  bool operator()(const Parameter* a, const ScopedName& b) const { return b.is(a->name()); }
};

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace

struct ParameterSet::Members {
  mutable std::mutex mutex;
  std::deque<Parameter> parameters;  // stable addresses
  absl::flat_hash_set<Parameter*, NameHash, SameName> by_name;

  template <class Name>
  Parameter* find(const Name& name) const {
    const auto it = by_name.find(name);
    return it == by_name.end() ? nullptr : *it;
  }
  template <class... Rest>
  Parameter& insert(std::string name, Tensor value, const Rest&... rest) {
    by_name.reserve(parameters.size() + 1);
    Parameter& made = parameters.emplace_back(std::move(name), std::move(value), rest...);
    by_name.insert(&made);
    return made;
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

Parameter::Parameter(std::string name, Tensor value, const Initializer& initializer,
                     const Fans& fans)
    : name_(std::move(name)),
      value_(std::move(value)),
      initializer_name_(initializer.name),
      numbers_{initializer.first, initializer.second},
      fans_(fans),
      loaded_(false) {}

std::string Parameter::initializer() const {
  return loaded_ ? "" : Initializer{initializer_name_, numbers_[0], numbers_[1]}.describe(fans_);
}

bool Parameter::fits(const Initializer& initializer, const Fans& fans) const {
  return loaded_ ||
         (initializer_name_ == initializer.name && same_bits(numbers_[0], initializer.first) &&
          same_bits(numbers_[1], initializer.second) && fans_.fan_in == fans.fan_in &&
          fans_.fan_out == fans.fan_out);
}

namespace {

/// Says why a known parameter cannot be used like this, if so.
void check_use(const Parameter& known, DType dtype, const Shape& shape,
               const Initializer& initializer, const Fans& fans) {
  const Tensor& value = known.value();
  if (value.dtype() != dtype || !(value.shape() == shape)) [[unlikely]] {
    throw Error(ErrorKind::kParameter, "ParameterSet",
                "parameter '" + known.name() + "' is " + to_string(value.dtype(), value.shape()) +
                    ", used here as " + to_string(dtype, shape),
                "give it another name, or the same sizes to share it");
  }
  if (!known.fits(initializer, fans)) [[unlikely]] {
    throw Error(ErrorKind::kParameter, "ParameterSet",
                "parameter '" + known.name() + "' was initialized by " + known.initializer() +
                    ", used here with " + initializer.describe(fans),
                "share it under one initializer, or give it another name");
  }
}

}  // namespace

Parameter& ParameterSet::declare(std::string_view name, DType dtype, const Shape& shape,
                                 const Initializer& initializer, const Fans& fans,
                                 std::source_location where) {
  const detail::CallSite site(where);
  const ScopedName scoped(name);
  std::lock_guard lock(members_->mutex);
  if (Parameter* known = members_->find(scoped)) {
    check_use(*known, dtype, shape, initializer, fans);
    return *known;
  }
  std::string full = scoped.str();
  Tensor value = Tensor::empty(dtype, shape);
  initializer.fill(initializer, seed_, full, fans, value);
  return members_->insert(std::move(full), std::move(value), initializer, fans);
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
  return members_->insert(std::move(name), own ? std::move(value) : value.clone());
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
