#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/optim/options.h"

namespace wengert::optim {

/// Where training stands.
struct Progress {
  std::int64_t step = 0;                                         ///< steps done before this one
  std::int64_t steps_per_epoch = 1;                              ///< at least 1
  std::int64_t steps = 1;                                        ///< in all, at least 1
  std::int64_t epoch() const { return step / steps_per_epoch; }  ///< epochs done
  /// 0 at the first step, 1 at the last and beyond.
  double share() const {
    if (steps <= 1 || step >= steps) return step == 0 ? 0.0 : 1.0;
    return static_cast<double>(step) / static_cast<double>(steps - 1);
  }
};

/// The record of a schedule: what multiplies the rate at a step. docs/adding_a_schedule.md tells
/// how to write one.
struct ScheduleDef {
  std::string_view name;
  Documentation doc = {};
  const std::vector<OptionDef>& (*options)() = nullptr;
  /// ≥ 0 and finite. `state` are the numbers that `observe` keeps, all 0 at first.
  double (*factor)(const OptionValues& options, const Progress& progress,
                   std::span<const double> state) = nullptr;
  std::span<const std::string_view> state = {};  ///< their names
  /// Sees what is watched (a validation loss, smaller is better) after each epoch; null: nothing.
  void (*observe)(const OptionValues& options, double watched, std::span<double> state) = nullptr;
  /// Throws Error(kValue) on options that do not go together; null: all do.
  void (*check)(const OptionValues& options) = nullptr;
};

/// A schedule of the table with its options, and what it has seen; or a product of several.
class WENGERT_API Schedule {
 public:
  /// Throws Error(kValue) on options outside their ranges.
  Schedule(const ScheduleDef& def, OptionValues options,
           std::source_location where = std::source_location::current());
  /// Of a product the names, as "linear_warm_up*cosine".
  std::string_view name() const { return name_; }
  const ScheduleDef& def() const { return *def_; }
  const OptionValues& option_values() const { return options_; }
  /// What multiplies the optimizer's rate, and with it the rates of its groups.
  double factor(const Progress& progress) const;
  void observe(double watched);
  /// Goes on with this one's factor times that of `other`, for a warm-up before anything else. Both
  /// are asked at the same step.
  Schedule& operator*=(Schedule other);
  friend Schedule operator*(Schedule a, Schedule b) { return std::move(a *= std::move(b)); }
  /// What it has seen, to save and restore. Throws Error(kValue) on another count.
  std::vector<double> state() const;
  void restore(std::vector<double> state,
               std::source_location where = std::source_location::current());

 private:
  const ScheduleDef* def_;
  OptionValues options_;
  std::vector<double> state_;
  std::string name_;
  std::vector<Schedule> others_;  ///< the further factors of a product
};

// The schedules of the table: LinearDecay({.final_share = 0.02}). `wengert schedules NAME` prints
// what each does and what its options are.
#define WENGERT_SCHEDULE_MEMBERS(...) __VA_ARGS__
#define SCHEDULE(name, Class, members)                                                             \
  class WENGERT_API Class : public Schedule {                                                      \
   public:                                                                                         \
    struct Options {                                                                               \
      WENGERT_SCHEDULE_MEMBERS members                                                             \
    };                                                                                             \
    explicit Class(Options options, std::source_location where = std::source_location::current()); \
  };
#include "wengert/optim/schedules.def"
#undef SCHEDULE

/// All in the order of the table.
WENGERT_API std::vector<const ScheduleDef*> registered_schedules();
/// By name, with its default options but those set. Throws Error(kValue) on an unknown name or
/// option, and on values outside an option's range.
WENGERT_API Schedule make_schedule(std::string_view name,
                                   const std::vector<OptionSetting>& settings = {},
                                   std::source_location where = std::source_location::current());

}  // namespace wengert::optim
