#include "wengert/optim/schedule.h"

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/optim/schedules/record.h"

namespace wengert::optim {

Schedule::Schedule(const ScheduleDef& def, OptionValues options, std::source_location where)
    : def_(&def), options_(std::move(options)), state_(def.state.size()) {
  const detail::CallSite site(where);
  check_options(def.options(), options_, name());
}

double Schedule::factor(const Progress& progress) const {
  return def_->factor(options_, progress, state_);
}

void Schedule::observe(double watched) {
  if (def_->observe != nullptr) def_->observe(options_, watched, state_);
}

void Schedule::restore(std::vector<double> state, std::source_location where) {
  if (state.size() != state_.size()) {
    throw Error(ErrorKind::kValue, std::string(name()),
                "a state of " + std::to_string(state.size()) + " numbers, it keeps " +
                    std::to_string(state_.size()),
                "restore the state of this schedule", where);
  }
  state_ = std::move(state);
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
