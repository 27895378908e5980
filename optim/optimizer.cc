#include "wengert/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"
#include "wengert/optim/optimizer_members.h"

namespace wengert::optim {

Optimizer::Optimizer(const MethodDef& method, OptionValues options, std::source_location where)
    : method_(method), rate_(0), members_(std::make_unique<Members>()) {
  const detail::CallSite site(where);
  check_options(method.options(), options, name());
  if (method.check != nullptr) method.check(options);
  const std::vector<OptionDef>& list = method.options();
  while (list[members_->rate_index].name != "rate") ++members_->rate_index;
  while (members_->decay_index < list.size() && list[members_->decay_index].name != "weight_decay")
    ++members_->decay_index;
  rate_ = options[members_->rate_index];
  members_->groups.push_back({is_any_parameter, std::move(options)});
}
Optimizer::~Optimizer() = default;

void Optimizer::set_rate(double rate, std::source_location where) {
  const detail::CallSite site(where);
  method_.options()[members_->rate_index].check(rate, name());
  rate_ = rate;
}

int Optimizer::add_group(ParameterFilter filter, OptionValues options, std::source_location where) {
  const detail::CallSite site(where);
  check_options(method_.options(), options, name());
  if (method_.check != nullptr) method_.check(options);
  members_->groups.push_back({std::move(filter), std::move(options)});
  return static_cast<int>(members_->groups.size()) - 1;
}

const OptionValues& Optimizer::option_values(int group) const {
  return members_->groups.at(static_cast<std::size_t>(group)).options;
}

// ---------------------------------------------------------------------------- one step

/// One step: checks everything, then updates. Nothing is written before all that can fail is done.
class Optimizer::Step {
 public:
  Step(Optimizer& optimizer, ParameterSet& parameters, std::source_location where)
      : optimizer_(optimizer), members_(*optimizer.members_), where_(where) {
    read_options();
    assign_groups(parameters);
  }

  /// A parameter that takes part. Throws where its gradient or its state does not fit.
  void add(const Gradients::Entry& entry, bool looked_ahead, double length) {
    const Gradient gradient = checked_gradient(entry);
    add(*entry.parameter, gradient.stored().value().contiguous(), looked_ahead);
    steps_.back().length = length;
    if (gradient.is_rows()) steps_.back().rows = gradient.indices();
  }
  void add(Parameter& parameter, Tensor gradient = Tensor(), bool looked_ahead = false) {
    (void)parameter.mutable_value();  // dense from here on, before anything is written
    const std::size_t group = group_of(parameter);
    check_state(parameter, group);
    steps_.push_back(
        {parameter, std::move(gradient), {}, 0, options_[group], looked_ahead, where_});
    groups_.push_back(group);
  }
  /// Makes what is kept of parameters that are new, now that nothing is wrong with any.
  void make_states() {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      ParameterState& state = state_of(steps_[i].parameter, groups_[i]);
      steps_[i].slots = state.slots;
      steps_[i].step = state.step + 1;
      states_.push_back(&state);
    }
  }
  std::vector<ParameterStep>& parameters() { return steps_; }

  void update() {
    const MethodDef& method = optimizer_.method_;
    if (method.update_all != nullptr) {
      method.update_all(steps_);
    } else {
      for (ParameterStep& step : steps_) method.update(step);
    }
    for (ParameterState* state : states_) ++state->step;
    ++optimizer_.steps_;
  }

 private:
  /// The options of each group at the present rate, which scales the groups' own rates alike.
  void read_options() {
    const std::size_t k = members_.rate_index;
    const double base = members_.groups[0].options[k];
    for (const Members::Group& group : members_.groups) {
      options_.push_back(group.options);
      if (base > 0) options_.back()[k] = group.options[k] * (optimizer_.rate_ / base);
    }
    options_[0][k] = optimizer_.rate_;
    for (const OptionValues& options : options_) {
      slots_.emplace_back();
      for (const SlotDef& slot : optimizer_.method_.slots) {
        if (slot.used == nullptr || slot.used(options)) slots_.back().push_back(&slot);
      }
    }
  }

  void assign_groups(ParameterSet& parameters) {
    if (members_.groups.size() == 1) return;
    std::vector<bool> used(members_.groups.size());
    for (const Parameter* parameter : parameters.all()) {
      std::size_t found = 0;
      for (std::size_t g = 1; g < members_.groups.size(); ++g) {
        if (!accepts(g, *parameter)) continue;
        if (found != 0) {
          fail(ErrorKind::kParameter,
               "'" + parameter->name() + "' belongs to the groups " + std::to_string(found) +
                   " and " + std::to_string(g),
               "let their filters exclude each other");
        }
        found = g;
        used[g] = true;
      }
      group_.emplace(parameter, found);
    }
    for (std::size_t g = 1; g < used.size(); ++g) {
      if (used[g]) continue;
      fail(ErrorKind::kParameter,
           "no parameter belongs to group " + std::to_string(g) + " of " +
               std::to_string(used.size() - 1),
           "its filter accepts none of the set's " + std::to_string(parameters.size()));
    }
  }
  bool accepts(std::size_t group, const Parameter& parameter) const {
    const detail::UserCode users;
    return members_.groups[group].filter(parameter);
  }
  std::size_t group_of(const Parameter& parameter) const {
    return group_.empty() ? 0 : group_.at(&parameter);
  }

  Tensor first_of(const SlotDef& slot, const Parameter& parameter, std::size_t group) const {
    if (slot.first != nullptr) return slot.first(parameter, options_[group]);
    return Tensor::zeros(parameter.value().shape(), parameter.value().dtype());
  }

  /// The state of a parameter, made on first use.
  ParameterState& state_of(const Parameter& parameter, std::size_t group) {
    const auto known = members_.states.find(parameter.name());
    if (known != members_.states.end()) return *known->second;
    auto fresh = std::make_unique<ParameterState>();
    fresh->defs = slots_[group];
    for (const SlotDef* slot : fresh->defs) {
      fresh->slots.push_back(first_of(*slot, parameter, group));
    }
    members_.order.push_back(parameter.name());
    try {
      return *members_.states.emplace(parameter.name(), std::move(fresh)).first->second;
    } catch (...) {
      members_.order.pop_back();
      throw;
    }
  }

  static std::string names_of(const std::vector<const SlotDef*>& slots) {
    std::string names;
    for (const SlotDef* slot : slots)
      names += (names.empty() ? "" : ", ") + std::string(slot->name);
    return names.empty() ? "nothing" : names;
  }

  void check_state(const Parameter& parameter, std::size_t group) const {
    const auto known = members_.states.find(parameter.name());
    if (known == members_.states.end()) return;
    ParameterState& state = *known->second;
    if (state.defs != slots_[group]) {
      fail(ErrorKind::kParameter,
           "the state of '" + parameter.name() + "' has " + names_of(state.defs) +
               ", these options need " + names_of(slots_[group]),
           "restore the state that was saved with these options");
    }
    const Tensor& value = parameter.value();
    const std::pair<DType, Shape> kind(value.dtype(), value.shape());
    if (state.fits == kind) return;  // making what slots begin with takes memory and time
    for (std::size_t k = 0; k < state.slots.size(); ++k) {
      const Tensor& slot = state.slots[k];
      bool fits = slot.dtype() == value.dtype() && slot.shape() == value.shape();
      if (state.defs[k]->first != nullptr) {
        const Tensor first = first_of(*state.defs[k], parameter, group);
        fits = slot.dtype() == first.dtype() && slot.shape() == first.shape();
      }
      if (fits) continue;
      fail(ErrorKind::kParameter,
           "the state of '" + parameter.name() + "' is " + to_string(slot.dtype(), slot.shape()) +
               ", the parameter " + to_string(value.dtype(), value.shape()),
           "restore the state that was saved with these parameters");
    }
    state.fits = kind;
  }

  bool takes_rows(const Parameter& parameter) const {
    RowUpdates rows = optimizer_.method_.rows;
    const OptionValues& options = options_[group_of(parameter)];
    if (rows == RowUpdates::kExact && members_.decay_index < options.size() &&
        options[members_.decay_index] > 0.0) {
      rows = RowUpdates::kLazy;  // by the formula rows without a gradient would decay
    }
    return rows == RowUpdates::kExact || (rows == RowUpdates::kLazy && optimizer_.lazy_rows_);
  }

  Gradient checked_gradient(const Gradients::Entry& entry) const {
    const std::string& parameter = entry.parameter->name();
    const Tensor& value = entry.parameter->value();
    Gradient gradient = entry.gradient;
    if (gradient.dtype() != value.dtype() || !(gradient.shape() == value.shape())) {
      fail(ErrorKind::kShape, "the gradient of '" + parameter + "' is " + gradient.describe() +
                                  ", the parameter " + to_string(value.dtype(), value.shape()));
    }
    if (gradient.is_rows() && !takes_rows(*entry.parameter)) gradient = gradient.dense();
    const Tensor stored = gradient.stored().value().contiguous();
    if (!kernels::all_finite(stored.dtype(), stored.data(), stored.element_count())) {
      fail(ErrorKind::kNonFinite, "the gradient of '" + parameter + "' holds NaN or infinity",
           "lower the rate, clip gradients, or find the first bad op with "
           "Tape::detect_non_finite");
    }
    return gradient;
  }

  [[noreturn]] void fail(ErrorKind kind, std::string message, std::string fix = {}) const {
    throw Error(kind, std::string(optimizer_.name()), std::move(message), std::move(fix), where_);
  }

  Optimizer& optimizer_;
  Members& members_;
  std::source_location where_;
  std::vector<OptionValues> options_;               ///< by group
  std::vector<std::vector<const SlotDef*>> slots_;  ///< by group
  detail::HashMap<const Parameter*, std::size_t> group_;
  std::vector<ParameterStep> steps_;
  std::vector<std::size_t> groups_;      ///< of the steps
  std::vector<ParameterState*> states_;  ///< of the steps
};

void Optimizer::check_state(ParameterSet& parameters, std::source_location where) {
  const detail::CallSite site(where);
  Step step(*this, parameters, where);
  for (Parameter* parameter : parameters.all()) step.add(*parameter);
}

void Optimizer::step(ParameterSet& parameters, const Gradients& gradients,
                     std::source_location where) {
  step_checked(parameters, gradients, false, 1, where);
}

void Optimizer::step_checked(ParameterSet& parameters, const Gradients& gradients,
                             bool looked_ahead, double length, std::source_location where) {
  const detail::CallSite site(where);
  Step step(*this, parameters, where);
  bool own = false;
  std::size_t others = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    if (entry.parameter == nullptr) continue;
    if (parameters.find(entry.parameter->name()) != entry.parameter) {
      ++others;
      continue;
    }
    own = true;
    if (entry.parameter->trainable()) step.add(entry, looked_ahead, length);
  }
  if (!own && others > 0) {
    throw Error(
        ErrorKind::kParameter, std::string(name()),
        "none of the " + std::to_string(others) + " gradients is of a parameter of this set",
        "give the set that the loss was computed with", where);
  }
  step.make_states();
  step.update();
  gradients.updates().commit();  // the step has succeeded
}

// ---------------------------------------------------------------------------- with a closure

class Optimizer::Closure : public ClosureStep {
 public:
  Closure(Optimizer& optimizer, ParameterSet& parameters, Gradients (*closure)(void*),
          void* context, std::source_location where)
      : optimizer_(optimizer),
        set_(parameters),
        closure_(closure),
        context_(context),
        where_(where) {}

  std::vector<ParameterStep> parameters() override {
    if (set_.size() == 0) return {};  // the model makes them when it first runs
    if (!step_) {
      step_.emplace(optimizer_, set_, where_);
      for (Parameter* parameter : trained()) step_->add(*parameter);
      step_->make_states();
    }
    return step_->parameters();
  }
  Gradients evaluate() override {
    const detail::UserCode users;
    return closure_(context_);
  }
  Gradients evaluate_at(std::span<const Tensor> points) override {
    const std::vector<Parameter*> moved = trained();
    std::vector<Tensor> origin;
    for (const Parameter* parameter : moved) origin.push_back(parameter->value());
    const auto put = [&moved](std::span<const Tensor> values) {
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i]->mutable_value() = values[i];
    };
    try {
      put(points);
      Gradients gradients = evaluate();
      put(origin);
      return gradients;
    } catch (...) {
      put(origin);
      throw;
    }
  }
  void update(const Gradients& gradients, bool looked_ahead, double length) override {
    optimizer_.step_checked(set_, gradients, looked_ahead, length, where_);
  }

 private:
  std::vector<Parameter*> trained() {
    std::vector<Parameter*> result;
    for (Parameter* parameter : set_.all()) {
      if (parameter->trainable() && is_floating(parameter->value().dtype())) {
        result.push_back(parameter);
      }
    }
    return result;
  }

  Optimizer& optimizer_;
  ParameterSet& set_;
  Gradients (*closure_)(void*);
  void* context_;
  std::source_location where_;
  std::optional<Step> step_;
};

void Optimizer::step_with(ParameterSet& parameters, Gradients (*closure)(void*), void* context,
                          std::source_location where) {
  if (method_.with_closure == nullptr) return step(parameters, closure(context), where);
  const detail::CallSite site(where);
  Closure step(*this, parameters, closure, context, where);
  method_.with_closure(step);
}

}  // namespace wengert::optim
