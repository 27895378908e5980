#include "wengert/graph/parameter.h"

#include <bit>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"

// Single parameters, and what stands for them; the set is in parameter_set.cc.
namespace wengert {

using detail::t_state;

namespace {

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace

std::string Initializer::describe(const Fans& fans) const {
  return std::string(name) + "(" + format_number(first, 9) + ", " + format_number(second, 9) +
         "; fan_in=" + std::to_string(fans.fan_in) + ", fan_out=" + std::to_string(fans.fan_out) +
         ")";
}

Parameter::Parameter(std::string name, Tensor value, const Initializer& initializer,
                     const Fans& fans)
    : name_(std::move(name)),
      value_(std::move(value)),
      initializer_name_(initializer.name),
      numbers_{initializer.first, initializer.second},
      fans_(fans),
      loaded_(false) {}

Tensor& Parameter::mutable_value() {
  if (!value_.is_dense()) value_ = value_.contiguous();
  return value_;
}

std::string Parameter::initializer() const {
  return loaded_ ? "" : Initializer{initializer_name_, numbers_[0], numbers_[1]}.describe(fans_);
}

bool Parameter::fits(const Initializer& initializer, const Fans& fans) const {
  return loaded_ ||
         (initializer_name_ == initializer.name && same_bits(numbers_[0], initializer.first) &&
          same_bits(numbers_[1], initializer.second) && fans_.fan_in == fans.fan_in &&
          fans_.fan_out == fans.fan_out);
}

ParameterOverride::ParameterOverride(ParameterSet& parameters,
                                     std::vector<std::pair<std::string, Var>> values,
                                     std::source_location where)
    : outer_(t_state.overrides) {
  const detail::CallSite site(where);
  for (auto& [name, var] : values) {
    const Parameter& parameter = parameters.at(name);
    const Tensor& value = parameter.value();
    if (var.has_value() && var.get()->has(detail::Value::kWeak))
      var = detail::number_in(var, value.dtype());
    if (var.dtype() != value.dtype() || !(var.shape() == value.shape())) {
      throw Error(ErrorKind::kParameter, "ParameterOverride",
                  "parameter '" + name + "' is " + to_string(value.dtype(), value.shape()) +
                      ", what shall stand for it " + to_string(var.dtype(), var.shape()),
                  "give it the parameter's dtype and shape");
    }
    values_.emplace_back(&parameter, std::move(var));
  }
  t_state.overrides = this;
}

ParameterOverride::ParameterOverride(std::vector<std::pair<const Parameter*, Var>> values)
    : values_(std::move(values)), outer_(std::exchange(t_state.overrides, this)) {}

std::vector<std::pair<const Parameter*, Var>> ParameterOverride::in_effect() {
  std::vector<std::pair<const Parameter*, Var>> result;
  for (const auto* scope = t_state.overrides; scope != nullptr; scope = scope->outer_) {
    for (const auto& entry : scope->values_) {
      if (find(*entry.first) == &entry.second) result.push_back(entry);
    }
  }
  return result;
}

ParameterOverride::~ParameterOverride() {
  if (t_state.overrides == this) {
    t_state.overrides = outer_;
    return;
  }
  for (auto* inner = const_cast<ParameterOverride*>(t_state.overrides); inner != nullptr;
       inner = const_cast<ParameterOverride*>(inner->outer_)) {
    if (inner->outer_ == this) inner->outer_ = outer_;
  }
}

const Var* ParameterOverride::find(const Parameter& parameter) {
  for (const auto* scope = t_state.overrides; scope != nullptr; scope = scope->outer_) {
    for (const auto& [known, value] : scope->values_) {
      if (known == &parameter) return &value;
    }
  }
  return nullptr;
}

Var use(Parameter& parameter, std::source_location where) {
  if (t_state.overrides != nullptr) [[unlikely]] {
    if (const Var* value = ParameterOverride::find(parameter)) return *value;
  }
  Tape* tape = t_state.recording_off > 0 ? nullptr : t_state.tape;
  return tape != nullptr ? tape->use(parameter, where) : Var(parameter.value());
}

}  // namespace wengert
