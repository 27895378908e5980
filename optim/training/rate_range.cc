#include "wengert/optim/training/rate_range.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/optim/training/snapshot.h"
#include "wengert/plot/figure.h"

namespace wengert::optim {
namespace {

void check(const RateRangeOptions& o, std::source_location where) {
  const auto refuse = [where](const std::string& message, const char* fix) {
    throw Error(ErrorKind::kValue, "rate_range_test", message, fix, where);
  };
  if (!(o.low > 0) || !(o.high > o.low) || !std::isfinite(o.high)) {
    refuse("rates from " + format_number(o.low) + " to " + format_number(o.high),
           "give two positive ones, the lower one first");
  }
  if (o.steps < 2) refuse(std::to_string(o.steps) + " steps", "take at least 2");
  if (!(o.smoothing >= 0 && o.smoothing < 1)) {
    refuse("a smoothing of " + format_number(o.smoothing), "it is 0 or more, below 1");
  }
  if (!(o.limit > 1)) {
    refuse("a limit of " + format_number(o.limit), "it is how many times the best loss: above 1");
  }
}

/// Puts everything back.
class Restore {
 public:
  Restore(ParameterSet& parameters, Optimizer& optimizer)
      : parameters_(parameters),
        optimizer_(optimizer),
        values_(parameters),
        state_(optimizer.state()) {}
  ~Restore() {
    values_.restore(parameters_);
    optimizer_.restore(state_);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  ParameterSet& parameters_;
  Optimizer& optimizer_;
  Snapshot values_;
  std::vector<Optimizer::StateTensor> state_;
};

}  // namespace

RateRange rate_range_test(ParameterSet& parameters, Optimizer& optimizer, const Loader& loader,
                          Model model, RateRangeOptions options, std::source_location where) {
  const detail::CallSite site(where);
  check(options, where);
  TrainingStep step(parameters, std::move(model), options.passes, where);
  {  // What is put back must be there before: parameters, and buffers of the model and of passes.
    const Batch first = loader.batch(1, 0);
    step.make_parameters(first);
    PassContext context;
    (void)step.evaluate({&first, 1}, context);
  }
  const Restore restore(parameters, optimizer);
  RateRange range;
  double mean = 0, best = 0;
  const double growth = std::log(options.high) - std::log(options.low);
  for (std::int64_t t = 0; t < options.steps; ++t) {
    const double share = static_cast<double>(t) / static_cast<double>(options.steps - 1);
    const double rate = options.low * std::exp(growth * share);
    optimizer.set_rate(rate);
    const std::int64_t count = loader.batch_count();
    const Batch batch = loader.batch(1 + t / count, t % count);
    double loss = 0;
    try {
      PassContext context;
      loss = step.run(optimizer, {&batch, 1}, context).loss();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNonFinite) throw;
      range.left = true;
      break;
    }
    mean = options.smoothing * mean + (1 - options.smoothing) * loss;
    const double smoothed = mean / (1 - std::pow(options.smoothing, static_cast<double>(t + 1)));
    if (!std::isfinite(smoothed)) {
      range.left = true;
      break;
    }
    range.rates.push_back(rate);
    range.losses.push_back(loss);
    range.smoothed.push_back(smoothed);
    if (t == 0 || smoothed < best) best = smoothed;
    if (smoothed > best + (options.limit - 1) * std::fabs(best)) {
      range.left = t + 1 < options.steps;
      break;
    }
  }
  return range;
}

double RateRange::steepest() const {
  double rate = 0, fall = 0;
  for (std::size_t i = 1; i + 1 < rates.size(); ++i) {
    const double slope =
        (smoothed[i + 1] - smoothed[i - 1]) / (std::log(rates[i + 1]) - std::log(rates[i - 1]));
    if (slope < fall) fall = slope, rate = rates[i];
  }
  return rate;
}

std::string rate_range_curve(const std::string& title, const RateRange& range) {
  return plot::to_svg({.title = title,
                       .panels = {{.title = "rate-range test",
                                   .x = {.label = "rate", .scale = plot::Scale::kLog},
                                   .y = {"loss"},
                                   .curves = {{"loss", range.rates, range.losses},
                                              {"smoothed", range.rates, range.smoothed}}}}});
}

}  // namespace wengert::optim
