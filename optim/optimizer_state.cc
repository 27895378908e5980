#include <algorithm>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/optim/count.h"
#include "wengert/optim/optimizer_members.h"

// Saving and restoring. An entry's first word says what it is, so that no parameter's name is
// mistaken for something else.
namespace wengert::optim {
namespace {

constexpr std::string_view kOptions = "options/", kSteps = "steps/", kSlots = "slots/";

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

/// "fc1/weight" and "momentum" of "fc1/weight/momentum".
std::pair<std::string, std::string> split_last(const std::string& name) {
  const auto slash = name.rfind('/');
  if (slash == std::string::npos) return {name, ""};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

/// What a saved state holds, before it is believed.
class StateReader {
 public:
  StateReader(const MethodDef& method, std::vector<OptionValues> options)
      : method_(method), options_(std::move(options)) {}

  struct Entry {
    std::vector<Tensor> slots;  ///< by the record's slots
    std::vector<bool> filled;
    std::int64_t step = -1;
  };

  void read(const Optimizer::StateTensor& entry) {
    const std::string& name = entry.name;
    if (!seen_.emplace(name, true).second) refuse("the state entry '" + name + "' is there twice");
    if (name == "steps") {
      steps_ = number<std::int64_t>(entry);
    } else if (name == "rate") {
      rate_ = number<double>(entry);
      has_rate_ = true;
    } else if (starts_with(name, kOptions)) {
      read_option(entry);
    } else if (starts_with(name, kSteps)) {
      of(name.substr(kSteps.size())).step = number<std::int64_t>(entry);
    } else if (starts_with(name, kSlots)) {
      const auto [parameter, slot] = split_last(name.substr(kSlots.size()));
      const auto k = static_cast<std::size_t>(
          std::find_if(method_.slots.begin(), method_.slots.end(),
                       [&slot = slot](const SlotDef& def) { return def.name == slot; }) -
          method_.slots.begin());
      if (k == method_.slots.size()) refuse_foreign(name);
      Entry& known = of(parameter);
      known.slots[k] = entry.value.clone();
      known.filled[k] = true;
    } else {
      refuse_foreign(name);
    }
  }

  void finish() const {
    if (!is_count(steps_)) refuse("the state has no step count");
    if (!has_rate_) refuse("the state has no rate");
    for (const std::string& parameter : order_) {
      const Entry& entry = entries_.at(parameter);
      if (!is_count(entry.step)) refuse("the state has no step count of '" + parameter + "'");
      for (std::size_t k = 0; k < method_.slots.size(); ++k) {
        if (entry.filled[k] || method_.slots[k].used != nullptr) continue;
        refuse("the state has no '" + parameter + "/" + std::string(method_.slots[k].name) + "'");
      }
    }
  }

  std::int64_t steps() const { return steps_; }
  double rate() const { return rate_; }
  const std::vector<OptionValues>& options() const { return options_; }
  const std::vector<std::string>& order() const { return order_; }
  ParameterState state(const std::string& parameter) const {
    const Entry& entry = entries_.at(parameter);
    ParameterState state;
    state.step = entry.step;
    for (std::size_t k = 0; k < entry.slots.size(); ++k) {
      if (!entry.filled[k]) continue;
      state.defs.push_back(&method_.slots[k]);
      state.slots.push_back(entry.slots[k]);
    }
    return state;
  }

 private:
  void read_option(const Optimizer::StateTensor& entry) {
    const auto [group, option] = split_last(entry.name.substr(kOptions.size()));
    const std::vector<OptionDef>& list = method_.options();
    for (std::size_t g = 0; g < options_.size(); ++g) {
      if (std::to_string(g) != group) continue;
      for (std::size_t k = 0; k < list.size(); ++k) {
        if (list[k].name != option) continue;
        options_[g][k] = number<double>(entry);
        list[k].check(options_[g][k], method_.name);
        return;
      }
    }
    refuse_foreign(entry.name);
  }

  Entry& of(const std::string& parameter) {
    const auto [it, fresh] = entries_.try_emplace(parameter);
    if (fresh) {
      order_.push_back(parameter);
      it->second.slots.resize(method_.slots.size());
      it->second.filled.resize(method_.slots.size());
    }
    return it->second;
  }

  template <class T>
  T number(const Optimizer::StateTensor& entry) const {
    if (entry.value.rank() != 0 || entry.value.dtype() != dtype_of<T>) {
      refuse("the state entry '" + entry.name + "' is " +
             to_string(entry.value.dtype(), entry.value.shape()));
    }
    return entry.value.item<T>();
  }
  [[noreturn]] void refuse_foreign(const std::string& name) const {
    refuse("the state entry '" + name + "' belongs to another optimizer");
  }
  [[noreturn]] void refuse(const std::string& message) const {
    throw Error(ErrorKind::kParameter, std::string(method_.name), message,
                "restore what state() of the same kind of optimizer, with as many groups, gave");
  }

  const MethodDef& method_;
  std::vector<OptionValues> options_;
  std::int64_t steps_ = -1;
  double rate_ = 0;
  bool has_rate_ = false;
  detail::TextMap<bool> seen_;
  detail::TextMap<Entry> entries_;
  std::vector<std::string> order_;
};

}  // namespace

std::vector<Optimizer::StateTensor> Optimizer::state() const {
  std::vector<StateTensor> result{{"steps", Tensor::scalar(steps_)},
                                  {"rate", Tensor::scalar(rate_)}};
  const std::vector<OptionDef>& options = method_.options();
  for (std::size_t g = 0; g < members_->groups.size(); ++g) {
    for (std::size_t k = 0; k < options.size(); ++k) {
      result.push_back(
          {std::string(kOptions) + std::to_string(g) + "/" + std::string(options[k].name),
           Tensor::scalar(static_cast<double>(members_->groups[g].options[k]))});
    }
  }
  for (const std::string& parameter : members_->order) {
    const ParameterState& state = *members_->states.at(parameter);
    result.push_back({std::string(kSteps) + parameter, Tensor::scalar(state.step)});
    for (std::size_t k = 0; k < state.slots.size(); ++k) {
      result.push_back({std::string(kSlots) + parameter + "/" + std::string(state.defs[k]->name),
                        state.slots[k].clone()});
    }
  }
  return result;
}

void Optimizer::restore(const std::vector<StateTensor>& state, std::source_location where) {
  const detail::CallSite site(where);
  std::vector<OptionValues> options;
  for (const Members::Group& group : members_->groups) options.push_back(group.options);
  StateReader reader(method_, std::move(options));
  for (const StateTensor& entry : state) reader.read(entry);
  reader.finish();
  method_.options()[members_->rate_index].check(reader.rate(), name());
  if (method_.check != nullptr) {
    for (const OptionValues& group : reader.options()) method_.check(group);
  }
  decltype(members_->states) states;
  for (const std::string& parameter : reader.order()) {
    states.emplace(parameter, std::make_unique<ParameterState>(reader.state(parameter)));
  }
  members_->states = std::move(states);
  members_->order = reader.order();
  for (std::size_t g = 0; g < members_->groups.size(); ++g) {
    members_->groups[g].options = reader.options()[g];
  }
  rate_ = reader.rate();
  steps_ = reader.steps();
}

}  // namespace wengert::optim
