#pragma once

// Private to the library.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "wengert/optim/option_visitors.h"
#include "wengert/optim/schedule.h"

// What the file of a schedule includes: the records of the table, and the way to define one.
namespace wengert::optim {
#define SCHEDULE(name, Class, members) extern const ScheduleDef name##_schedule;
#include "wengert/optim/schedules.def"
#undef SCHEDULE

/// How much of `steps` lies behind, 0 to 1; of 0 steps: how much of all training, whose last step
/// has 1.
inline double share_of(const Progress& progress, double steps) {
  if (steps == 0) return progress.share();
  return std::min(1.0, static_cast<double>(progress.step) / steps);
}
/// From 1 at share 0 to 0 at share 1 on half a cosine.
inline double half_cosine(double share) { return (1 + std::cos(std::numbers::pi * share)) / 2; }

}  // namespace wengert::optim

/// Defines the members of a class of the table and opens its record.
#define WENGERT_SCHEDULE(schedule, Class)                                  \
  Class::Class(Options options, std::source_location where)                \
      : Schedule(schedule##_schedule, values_of<Class>(options), where) {} \
  constinit const ScheduleDef schedule##_schedule
