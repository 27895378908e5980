#include "wengert/optim/training/fit.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"

namespace wengert::optim {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Over a loader's first epoch.
Totals measure_all(TrainingStep& step, const Loader& loader) {
  Totals totals;
  for (std::int64_t i = 0; i < loader.batch_count(); ++i) {
    totals += step.measure(loader.batch(1, i));
  }
  return totals;
}

}  // namespace

Training::Training(ParameterSet& parameters, Optimizer& optimizer, const Loader& loader,
                   Model model, FitOptions options, std::source_location where)
    : optimizer_(optimizer),
      loader_(loader),
      options_(std::move(options)),
      step_(parameters, std::move(model), options_.passes, where),
      where_(where),
      base_rate_(optimizer.rate()) {
  const detail::CallSite site(where);
  if (options_.epochs < 1 || options_.micro_batches < 1) {
    throw Error(ErrorKind::kValue, "fit",
                std::to_string(options_.epochs) + " epochs of steps of " +
                    std::to_string(options_.micro_batches) + " batches",
                "both are at least 1");
  }
  std::set<std::string_view> names;
  for (const TrainingHook* hook : options_.hooks) {
    const std::string name(hook->name());
    if (!names.insert(hook->name()).second) {
      throw Error(ErrorKind::kValue, "fit", "two hooks are called '" + name + "'",
                  "their states could not be told apart");
    }
    if (!name.empty() && name.find_first_of("/\n") == name.npos) continue;
    throw Error(ErrorKind::kValue, "fit", "a hook is called '" + name + "'",
                "its state is filed under its name: a word without '/'");
  }
}

Training::~Training() = default;

std::int64_t Training::steps_per_epoch() const {
  return (loader_.batch_count() - 1) / options_.micro_batches + 1;
}

template <class Tell>
void Training::tell(Tell&& tell) {
  for (TrainingHook* hook : options_.hooks) {
    const detail::UserCode users;
    tell(*hook);
  }
}

bool Training::stop_wanted() const {
  const detail::UserCode users;
  return std::any_of(options_.hooks.begin(), options_.hooks.end(),
                     [](const TrainingHook* hook) { return hook->wants_stop(); });
}

/// One step of the optimizer, at the schedule's rate.
StepRecord Training::take_step(PassContext& context) {
  const std::int64_t per_epoch = steps_per_epoch();
  if (options_.schedule) {
    const Progress progress{(epoch_ - 1) * per_epoch + done_, per_epoch,
                            options_.epochs * per_epoch};
    optimizer_.set_rate(base_rate_ * options_.schedule->factor(progress));
  }
  if (done_ == 0) epoch_rate_ = optimizer_.rate();
  std::vector<Batch> batches;
  const std::int64_t count = loader_.batch_count();
  const std::int64_t micro_batches = std::min(count, options_.micro_batches);
  const std::int64_t first = done_ * micro_batches;
  const std::int64_t end = std::min(count, first + micro_batches);
  {
    const detail::UserCode users;
    for (std::int64_t i = first; i < end; ++i) batches.push_back(loader_.batch(epoch_, i));
  }
  StepRecord record{epoch_, done_, per_epoch, optimizer_.rate(), {}, {}, context};
  struct CountStep {  // as soon as the optimizer has made it, whatever happens afterwards
    Training& training;
    std::int64_t before;
    ~CountStep() { training.done_ += training.optimizer_.steps() != before ? 1 : 0; }
  };
  try {
    const CountStep count_step{*this, optimizer_.steps()};
    record.totals = step_.run(optimizer_, batches, context, &so_far_);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNonFinite) throw;
    tell([&](TrainingHook& hook) { hook.non_finite(*this, batches[step_.failed_batch()]); });
    throw Error(ErrorKind::kNonFinite, "fit",
                "epoch " + std::to_string(epoch_) + ", step " + std::to_string(record.step + 1) +
                    ": " + error.message(),
                error.fix());
  }
  record.so_far = so_far_;
  return record;
}

/// The rest of the epoch; false when a hook stopped it.
bool Training::run_epoch() {
  while (done_ < steps_per_epoch()) {
    const auto start = Clock::now();
    PassContext context;
    const StepRecord record = take_step(context);
    epoch_seconds_ += seconds_since(start);
    tell([&](TrainingHook& hook) { hook.after_step(*this, record); });
    if (stop_wanted()) return false;
  }
  return true;
}

void Training::check_finite() const {
  for (const Parameter* parameter : parameters().all()) {
    const Tensor value = parameter->value().contiguous();
    if (!is_floating(value.dtype()) ||
        kernels::all_finite(value.dtype(), value.data(), value.element_count())) {
      continue;
    }
    throw Error(ErrorKind::kNonFinite, "fit",
                "after epoch " + std::to_string(epoch_) + " the parameter '" + parameter->name() +
                    "' holds NaN or infinity",
                "lower the rate, or clip gradients");
  }
}

void Training::finish_epoch() {
  check_finite();
  EpochRecord record{epoch_, epoch_rate_, so_far_, {}, epoch_seconds_};
  if (options_.validation != nullptr) {
    record.validation = measure_all(step_, *options_.validation);
  }
  const double watched = record.watched("loss");
  history_.push_back(record);  // the last that can fail
  if (options_.schedule) options_.schedule->observe(watched);
  ++epoch_;
  done_ = 0;
  so_far_ = {};
  epoch_seconds_ = 0;
  untold_ = options_.hooks.size();
  tell_of_epoch();
}

void Training::tell_of_epoch() {
  for (; untold_ > 0; --untold_) {
    const detail::UserCode users;
    options_.hooks[options_.hooks.size() - untold_]->after_epoch(*this, history_.back());
  }
}

FitResult Training::run() {
  const detail::CallSite site(where_);
  check_whole();
  struct RestoreRate {
    Training& training;
    ~RestoreRate() {
      if (training.options_.schedule) training.optimizer_.set_rate(training.base_rate_);
    }
  } restore{*this};
  if (!begun_) tell([&](TrainingHook& hook) { hook.before_training(*this); });
  begun_ = true;
  tell_of_epoch();
  FitResult result;
  result.stopped = epoch_ > 1 && epoch_ <= options_.epochs && done_ == 0 && stop_wanted();
  while (epoch_ <= options_.epochs && !result.stopped) {
    result.stopped = !run_epoch();
    if (result.stopped && done_ < steps_per_epoch()) break;
    finish_epoch();
    result.stopped |= epoch_ <= options_.epochs && stop_wanted();
  }
  tell([&](TrainingHook& hook) { hook.after_training(*this); });
  result.epochs = history_;
  for (const EpochRecord& record : history_) result.seconds += record.seconds;
  return result;
}

FitResult fit(ParameterSet& parameters, Optimizer& optimizer, const Loader& loader, Model model,
              FitOptions options, std::source_location where) {
  return Training(parameters, optimizer, loader, std::move(model), std::move(options), where).run();
}

Totals measure(ParameterSet& parameters, const Loader& loader, const Model& model,
               const PassPipeline* passes, std::source_location where) {
  const detail::CallSite site(where);
  TrainingStep step(parameters, model, passes, where);
  return measure_all(step, loader);
}

}  // namespace wengert::optim
