#pragma once

// Private to the library.

#include "wengert/optim/option_visitors.h"
#include "wengert/optim/schedule.h"

// What the file of a schedule includes: the records of the table, and the way to define one.
namespace wengert::optim {
#define SCHEDULE(name, Class, members) extern const ScheduleDef name##_schedule;
#include "wengert/optim/schedules.def"
#undef SCHEDULE
}  // namespace wengert::optim

/// Defines the members of a class of the table and opens its record.
#define WENGERT_SCHEDULE(schedule, Class)                                  \
  Class::Class(Options options, std::source_location where)                \
      : Schedule(schedule##_schedule, values_of<Class>(options), where) {} \
  constinit const ScheduleDef schedule##_schedule
