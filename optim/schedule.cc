#include "wengert/optim/schedule.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

Schedule::Schedule(const ScheduleDef& def, OptionValues options, std::source_location where)
    : def_(&def), options_(std::move(options)), state_(def.state.size()), name_(def.name) {
  const detail::CallSite site(where);
  check_options(def.options(), options_, name());
  if (def.check != nullptr) def.check(options_);
}

double Schedule::factor(const Progress& progress) const {
  double product = def_->factor(options_, progress, state_);
  for (const Schedule& other : others_) product *= other.factor(progress);
  return product;
}

void Schedule::observe(double watched) {
  if (def_->observe != nullptr) def_->observe(options_, watched, state_);
  for (Schedule& other : others_) other.observe(watched);
}

Schedule& Schedule::operator*=(Schedule other) {
  name_ += "*" + other.name_;
  others_.push_back(std::move(other));
  return *this;
}

std::vector<double> Schedule::state() const {
  std::vector<double> all = state_;
  for (const Schedule& other : others_) {
    const std::vector<double> more = other.state();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

void Schedule::restore(std::vector<double> state, std::source_location where) {
  const std::size_t kept = this->state().size();
  if (state.size() != kept) {
    throw Error(
        ErrorKind::kValue, std::string(name()),
        "a state of " + std::to_string(state.size()) + " numbers, it keeps " + std::to_string(kept),
        "restore the state of this schedule", where);
  }
  auto next = state.begin();
  const auto take = [&next](std::size_t count) {
    next += static_cast<std::ptrdiff_t>(count);
    return std::vector<double>(next - static_cast<std::ptrdiff_t>(count), next);
  };
  std::vector<double> own = take(state_.size());
  std::vector<Schedule> others = others_;
  for (Schedule& other : others) other.restore(take(other.state().size()), where);
  state_ = std::move(own);
  others_ = std::move(others);
}

std::vector<const ScheduleDef*> registered_schedules() {
  return {
#define SCHEDULE(name, Class, members) &name##_schedule,
#include "wengert/optim/schedules.def"
#undef SCHEDULE
  };
}

Schedule make_schedule(std::string_view name, const std::vector<OptionSetting>& settings,
                       std::source_location where) {
  const detail::CallSite site(where);
  std::vector<std::string> names;
  for (const ScheduleDef* def : registered_schedules()) {
    if (def->name == name) {
      return {*def, optim::option_values(def->options(), settings, name), where};
    }
    names.emplace_back(def->name);
  }
  throw Error(ErrorKind::kValue, "schedule", "no schedule named '" + std::string(name) + "'",
              advice_on_name(name, names));
}

}  // namespace wengert::optim
