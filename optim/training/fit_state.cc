#include <cmath>
#include <optional>
#include <set>
#include <type_traits>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/parameter_file.h"
#include "wengert/optim/training/fit.h"

// Saving a training and going on. An entry's first word says whose it is: "optimizer/…",
// "training/…", "hooks/NAME/…".
namespace wengert::optim {
namespace {

constexpr std::string_view kOptimizer = "optimizer/", kTraining = "training/", kHooks = "hooks/";
constexpr const char* kOptimizerKey = "training.optimizer";
constexpr const char* kScheduleKey = "training.schedule";
constexpr const char* kMetricsKey = "training.metrics";

std::string name_of(const std::optional<Schedule>& schedule) {
  return schedule ? std::string(schedule->name()) : "none";
}

/// The metrics that occur, in order of their first occurrence.
std::vector<std::string> metric_names(const Totals& so_far,
                                      const std::vector<EpochRecord>& history) {
  std::vector<std::string> names;
  std::set<std::string> known;
  const auto add = [&](const Totals& totals) {
    for (const Metric& metric : totals.metrics()) {
      if (known.insert(metric.name).second) names.push_back(metric.name);
    }
  };
  add(so_far);
  for (const EpochRecord& record : history) {
    add(record.train);
    if (record.validation) add(*record.validation);
  }
  return names;
}

/// Numerator and denominator of loss and metrics, as a row of numbers.
void append(std::vector<double>& row, const Totals& totals, const std::vector<std::string>& names) {
  row.push_back(totals.loss_sum());
  row.push_back(totals.denominator());
  for (const std::string& name : names) {
    Metric found;
    for (const Metric& metric : totals.metrics()) {
      if (metric.name == name) found = metric;
    }
    row.push_back(found.sum);
    row.push_back(found.weight);
  }
}

Totals totals_at(const double* row, const std::vector<std::string>& names) {
  std::vector<Metric> metrics;
  for (std::size_t m = 0; m < names.size(); ++m) {
    metrics.push_back({names[m], row[2 + 2 * m], row[3 + 2 * m]});
  }
  return Totals::of_sums(row[0], row[1], std::move(metrics));
}

Tensor vector_of(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

std::vector<io::NamedTensor> Training::state() const {
  std::vector<io::NamedTensor> entries;
  for (const Optimizer::StateTensor& entry : optimizer_.state()) {
    entries.push_back({std::string(kOptimizer) + entry.name, entry.value});
  }
  const auto add = [&](const char* name, Tensor value) {
    entries.push_back({std::string(kTraining) + name, std::move(value)});
  };
  const std::int64_t place[] = {epoch_, done_, begun_ ? 1 : 0};
  add("place", Tensor::from(std::span<const std::int64_t>(place), {3}));
  const std::int64_t data[] = {loader_.example_count(), loader_.batch_count(),
                               options_.micro_batches};
  add("data", Tensor::from(std::span<const std::int64_t>(data), {3}));
  add("rates", vector_of({base_rate_, epoch_rate_}));
  add("schedule",
      vector_of(options_.schedule ? options_.schedule->state() : std::vector<double>()));
  const std::vector<std::string> names = metric_names(so_far_, history_);
  std::vector<double> row;
  append(row, so_far_, names);
  add("so_far", vector_of(row));
  std::vector<double> rows;
  for (const EpochRecord& record : history_) {
    rows.insert(rows.end(), {record.rate, record.validation ? 1.0 : 0.0});
    append(rows, record.train, names);
    append(rows, record.validation.value_or(Totals()), names);
  }
  const auto epochs = static_cast<std::int64_t>(history_.size());
  add("history", Tensor::from(rows, {epochs, 2 + 2 * static_cast<std::int64_t>(row.size())}));
  for (const TrainingHook* hook : options_.hooks) {
    const detail::UserCode users;
    for (io::NamedTensor& entry : hook->state()) {
      entry.name = std::string(kHooks) + std::string(hook->name()) + "/" + entry.name;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

void Training::check_whole() const {
  if (!torn_) return;
  throw Error(ErrorKind::kMemory, "Training",
              "a state could neither be loaded nor what was there be put back",
              "make it anew and load again");
}

void Training::save(const std::string& path, std::map<std::string, std::string> metadata,
                    std::source_location where) const {
  const detail::CallSite site(where);
  check_whole();
  std::string names;
  for (const std::string& name : metric_names(so_far_, history_)) {
    names += (names.empty() ? "" : "\n") + name;
  }
  for (const char* key : {kOptimizerKey, kScheduleKey, kMetricsKey}) {
    if (!metadata.contains(key)) continue;
    throw Error(ErrorKind::kValue, "save", "the metadata key '" + std::string(key) + "' is taken",
                "choose another key");
  }
  metadata[kOptimizerKey] = optimizer_.name();
  metadata[kScheduleKey] = name_of(options_.schedule);
  metadata[kMetricsKey] = names;
  const io::SafeTensors file = io::to_file(parameters(), std::move(metadata), state(), where);
  io::write_safetensors(path, file.tensors, file.metadata, where);
}

/// A saved state, looked at before anything is changed.
class Training::StateReader {
 public:
  StateReader(const std::string& path, const io::SafeTensors& file, const Training& training)
      : path_(path), file_(file) {
    for (io::NamedTensor& entry : io::state_of(file)) {
      const auto under = [&entry](std::string_view start) {
        if (!entry.name.starts_with(start)) return false;
        entry.name.erase(0, start.size());
        return true;
      };
      if (under(kOptimizer)) {
        optimizer.push_back({entry.name, entry.tensor});
      } else if (under(kTraining)) {
        own_.emplace(entry.name, entry.tensor);
      } else if (under(kHooks)) {
        const std::size_t slash = entry.name.find('/');
        if (slash == std::string::npos) refuse("'hooks/" + entry.name + "' names no hook's entry");
        hooks[entry.name.substr(0, slash)].push_back({entry.name.substr(slash + 1), entry.tensor});
      } else {
        refuse("'" + entry.name + "' belongs to no part of a training");
      }
    }
    if (own_.empty()) refuse("it holds no state of a training", "save one with Training::save");
    compare(kOptimizerKey, "optimizer", std::string(training.optimizer_.name()));
    compare(kScheduleKey, "schedule", name_of(training.options_.schedule));
    read_numbers(training);
    check_hooks(training);
  }

  std::vector<Optimizer::StateTensor> optimizer;
  std::map<std::string, std::vector<io::NamedTensor>> hooks;
  std::int64_t epoch = 1, done = 0;
  bool begun = false;
  double base_rate = 0, epoch_rate = 0;
  std::vector<double> schedule;
  Totals so_far;
  std::vector<EpochRecord> history;

 private:
  void compare(const char* key, const char* what, const std::string& here) {
    const auto there = file_.metadata.find(key);
    const std::string name = there == file_.metadata.end() ? "unknown" : there->second;
    if (name == here) return;
    refuse("its " + std::string(what) + " is " + name + ", here it is " + here);
  }

  template <class T>
  std::vector<T> numbers(const char* name, DType dtype, std::int64_t count) {
    const auto found = own_.find(name);
    if (found == own_.end()) refuse("'training/" + std::string(name) + "' is missing");
    const Tensor& tensor = found->second;
    if (tensor.dtype() != dtype || (count >= 0 && tensor.element_count() != count)) {
      refuse("'training/" + std::string(name) + "' is " +
             to_string(tensor.dtype(), tensor.shape()));
    }
    return tensor.to_vector<T>();
  }

  void read_numbers(const Training& training) {
    const auto place = numbers<std::int64_t>("place", DType::kInt64, 3);
    epoch = place[0], done = place[1], begun = place[2] != 0;
    const auto data = numbers<std::int64_t>("data", DType::kInt64, 3);
    const Loader& loader = training.loader_;
    if (data != std::vector<std::int64_t>{loader.example_count(), loader.batch_count(),
                                          training.options_.micro_batches}) {
      refuse("it was trained on " + std::to_string(data[0]) + " examples in " +
                 std::to_string(data[1]) + " batches, " + std::to_string(data[2]) +
                 " a step; here there are " + std::to_string(loader.example_count()) + " in " +
                 std::to_string(loader.batch_count()) + ", " +
                 std::to_string(training.options_.micro_batches) + " a step",
             "go on with the same data and batch size");
    }
    if (epoch < 1 || done < 0 || done > training.steps_per_epoch()) refuse("it stands nowhere");
    const auto rates = numbers<double>("rates", DType::kFloat64, 2);
    base_rate = rates[0], epoch_rate = rates[1];
    if (!std::isfinite(base_rate) || base_rate < 0 || !std::isfinite(epoch_rate)) {
      refuse("its rates are no numbers");
    }
    schedule =
        numbers<double>("schedule", DType::kFloat64,
                        training.options_.schedule
                            ? static_cast<std::int64_t>(training.options_.schedule->state().size())
                            : 0);
    read_totals();
  }

  void read_totals() {
    const auto listed = file_.metadata.find(kMetricsKey);
    const std::vector<std::string> names =
        listed == file_.metadata.end() ? std::vector<std::string>() : lines_of(listed->second);
    const std::size_t width = 2 + 2 * names.size();
    so_far = totals_at(
        numbers<double>("so_far", DType::kFloat64, static_cast<std::int64_t>(width)).data(), names);
    const std::vector<double> rows = numbers<double>("history", DType::kFloat64, -1);
    const std::size_t row = 2 + 2 * width;
    if (rows.size() != row * static_cast<std::size_t>(epoch - 1)) {
      refuse("its history is not that of " + std::to_string(epoch - 1) + " epochs");
    }
    for (std::int64_t e = 1; e < epoch; ++e) {
      const double* at = rows.data() + static_cast<std::size_t>(e - 1) * row;
      EpochRecord record{e, at[0], totals_at(at + 2, names)};
      if (at[1] != 0) record.validation = totals_at(at + 2 + width, names);
      history.push_back(std::move(record));
    }
  }

  void check_hooks(const Training& training) {
    std::set<std::string> here;
    for (const TrainingHook* hook : training.options_.hooks) here.emplace(hook->name());
    for (const auto& [name, entries] : hooks) {
      if (!here.contains(name))
        refuse("it has the state of a hook '" + name + "', here there is none");
    }
  }

  [[noreturn]] void refuse(const std::string& problem,
                           const std::string& fix = "go on with what it was saved by") const {
    throw IoError(path_, problem, fix);
  }

  const std::string& path_;
  const io::SafeTensors& file_;
  std::map<std::string, Tensor> own_;
};

std::map<std::string, std::string> Training::load(const std::string& path,
                                                  std::source_location where) {
  const detail::CallSite site(where);
  const io::SafeTensors file = io::read_safetensors(path);
  StateReader saved(path, file, *this);
  // Each part either takes its state or throws and is as before: those before it go back then.
  const std::vector<Optimizer::StateTensor> optimizer_before = optimizer_.state();
  std::vector<std::vector<io::NamedTensor>> hooks_before;
  for (const TrainingHook* hook : options_.hooks) hooks_before.push_back(hook->state());
  const std::string own_keys[] = {kOptimizerKey, kScheduleKey, kMetricsKey};
  std::optional<Schedule> schedule = options_.schedule;
  if (schedule) schedule->restore(std::move(saved.schedule), where);
  static_assert(std::is_nothrow_move_assignable_v<Schedule>);
  std::size_t restored = 0;
  io::LoadReport report;  // after it is there nothing may fail
  try {
    for (; restored < options_.hooks.size(); ++restored) {
      TrainingHook& hook = *options_.hooks[restored];
      hook.restore(saved.hooks[std::string(hook.name())]);
    }
    optimizer_.restore(saved.optimizer, where);
    ParameterSet theirs;
    (void)io::load(theirs, file, path, {}, where);
    optimizer_.check_state(theirs, where);
    report = io::load(parameters(), file, path, {}, where);
  } catch (...) {
    torn_ = true;  // unless all of them go back
    optimizer_.restore(optimizer_before, where);
    while (restored-- > 0) options_.hooks[restored]->restore(hooks_before[restored]);
    torn_ = false;
    try {
      throw;
    } catch (const IoError&) {
      throw;
    } catch (const Error& error) {
      throw IoError(path, error.message(), "go on with what it was saved by");
    }
  }
  if (schedule) *options_.schedule = std::move(*schedule);
  torn_ = false;
  untold_ = 0;
  epoch_ = saved.epoch, done_ = saved.done, begun_ = saved.begun;
  base_rate_ = saved.base_rate, epoch_rate_ = saved.epoch_rate;
  epoch_seconds_ = 0;
  so_far_ = std::move(saved.so_far);
  history_ = std::move(saved.history);
  if (options_.schedule) optimizer_.set_rate(base_rate_, where);
  for (const std::string& key : own_keys) report.metadata.erase(key);
  return std::move(report.metadata);
}

}  // namespace wengert::optim
