#include "wengert/optim/training/step.h"

#include <cmath>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/flush_subnormals.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/graph/thread_state.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes.h"

namespace wengert::optim {
namespace {

void check(const Outcome& outcome, std::source_location where) {
  if (!outcome.loss.has_value()) {
    throw Error(ErrorKind::kValue, "TrainingStep", "the model gave no loss", {}, where);
  }
  if (outcome.loss.value().element_count() != 1) {
    throw Error(ErrorKind::kShape, "TrainingStep",
                "the model's loss is " + to_string(outcome.loss.dtype(), outcome.loss.shape()),
                "give one number: the mean over the batch", where);
  }
  if (!is_floating(outcome.loss.dtype())) {
    throw Error(ErrorKind::kDType, "TrainingStep",
                "the model's loss is " + to_string(outcome.loss.dtype(), outcome.loss.shape()),
                "give a floating number", where);
  }
  if (!(outcome.denominator >= 0) || std::isinf(outcome.denominator)) {
    throw Error(ErrorKind::kValue, "TrainingStep",
                "the model's denominator is " + format_number(outcome.denominator),
                "give how much the loss is the mean over", where);
  }
  std::set<std::string_view> names = {"loss"};
  for (const Metric& metric : outcome.metrics) {
    const std::string& name = metric.name;
    if (!name.empty() && name.find('\n') == name.npos && names.insert(name).second) continue;
    throw Error(ErrorKind::kValue, "TrainingStep", "a metric is named '" + name + "'",
                "give each a name of its own, in one line, other than 'loss'", where);
  }
}

/// While it lives the thread computes for inference, whatever tape is live: nothing is recorded.
class ForInference {
 public:
  ForInference() : mode_(std::exchange(detail::t_state.mode, Mode::kInference)) {}
  ~ForInference() { detail::t_state.mode = mode_; }
  ForInference(const ForInference&) = delete;
  ForInference& operator=(const ForInference&) = delete;

 private:
  const NoGrad off_;
  Mode mode_;
};

}  // namespace

Outcome Outcome::of_sum(const Var& sum, double denominator, std::vector<Metric> metrics) {
  return {denominator == 0 ? sum : sum / denominator, denominator, std::move(metrics)};
}

namespace {

Outcome classify(const Var& scores, const Batch& batch, std::source_location where) {
  const Metric right = accuracy(scores, batch.targets, {}, "accuracy", where);
  if (!batch.weights) {
    return {softmax_cross_entropy(scores, batch.targets, Reduction::kMean, {}, where),
            static_cast<double>(batch.count()),
            {right}};
  }
  const Var weights = batch.weights->to(scores.dtype());
  const Var losses = softmax_cross_entropy(scores, batch.targets, Reduction::kNone, {}, where);
  return Outcome::of_sum(sum(losses * weights), sum(weights).scalar_value(), {right});
}

}  // namespace

Model classifier(std::function<Var(ParameterSet& parameters, const Var& inputs)> logits,
                 std::source_location where) {
  return [logits = std::move(logits), where](ParameterSet& parameters, const Batch& batch) {
    const detail::CallSite site(where);
    const Var scores = [&] {
      const detail::UserCode users;
      return logits(parameters, batch.inputs);
    }();
    return classify(scores, batch, where);
  };
}

TrainingStep::TrainingStep(ParameterSet& parameters, Model model, const PassPipeline* passes,
                           std::source_location where)
    : parameters_(parameters), model_(std::move(model)), passes_(passes), where_(where) {
  const detail::CallSite site(where);
  if (!model_) throw Error(ErrorKind::kValue, "TrainingStep", "there is no model");
}

/// Models make parameters when they first run: here on a tape of its own, with which updates of
/// buffers and draws go.
void TrainingStep::make_parameters(const Batch& batch) {
  if (has_run_) return;
  const Tape scratch;
  const NoGrad off;
  const detail::UserCode users;
  (void)model_(parameters_, batch);
  has_run_ = true;
}

Outcome TrainingStep::outcome_of(const Batch& batch, PassContext& context) {
  std::optional<ParameterOverride> replaced;
  if (passes_ != nullptr && passes_->has(PassStage::kParameters)) {
    make_parameters(batch);
    replaced.emplace(parameters_, run_on_parameters(*passes_, parameters_, context), where_);
  }
  const detail::UserCode users;
  return model_(parameters_, batch);
}

Outcome TrainingStep::record(const Batch& batch, PassContext& context) {
  const detail::CallSite site(where_);
  const FlushSubnormals flush;
  Outcome outcome = outcome_of(batch, context);
  check(outcome, where_);
  if (passes_ == nullptr || !passes_->has(PassStage::kLoss)) return outcome;
  Roots roots;
  roots.parameters = &parameters_;
  roots.add("loss", std::move(outcome.loss));
  passes_->run(PassStage::kLoss, roots, context);
  outcome.loss = roots.at("loss");
  return outcome;
}

/// Adds the gradient of one batch's numerator, or of its mean where it is alone, unless the mean is
/// not finite and `finite` is asked for.
bool TrainingStep::add(const Batch& batch, bool alone, PassContext& context, bool finite,
                       Evaluation& result) {
  Tape tape;
  tape.start_after(result.gradients.updates());
  const Outcome outcome = record(batch, context);
  const double loss = outcome.loss.scalar_value();
  if (finite && outcome.denominator > 0 && !std::isfinite(loss)) return false;
  result.totals += Totals(loss, outcome.denominator, outcome.metrics);
  if (alone) {
    if (outcome.denominator > 0) result.gradients = backward(outcome.loss, {}, where_);
  } else if (outcome.denominator > 0) {
    result.gradients += backward(outcome.loss * outcome.denominator, {}, where_);
  } else {
    result.gradients.append_updates(tape.updates());
  }
  return true;
}

bool TrainingStep::evaluate(std::span<const Batch> batches, PassContext& context, bool finite,
                            Evaluation& result) {
  const detail::CallSite site(where_);
  const FlushSubnormals flush;
  if (batches.empty()) throw Error(ErrorKind::kValue, "TrainingStep", "there is no batch");
  if (Tape::current() != nullptr && current_mode() == Mode::kInference) {
    throw Error(ErrorKind::kGraph, "TrainingStep", "a tape for inference is live",
                "end it before training");
  }
  for (const Batch& batch : batches) {
    if (!add(batch, batches.size() == 1, context, finite, result)) return false;
  }
  const double denominator = result.totals.denominator();
  if (denominator == 0) {
    throw Error(ErrorKind::kValue, "TrainingStep",
                "nothing in the batch counts: its denominator is 0",
                "leave out batches whose targets are all ignored");
  }
  if (batches.size() > 1) result.gradients *= 1 / denominator;
  if (passes_ != nullptr)
    run_on_gradients(*passes_, result.gradients, context, &parameters_, where_);
  return true;
}

TrainingStep::Evaluation TrainingStep::evaluate(std::span<const Batch> batches,
                                                PassContext& context) {
  Evaluation result;
  evaluate(batches, context, false, result);
  return result;
}

Totals TrainingStep::run(Optimizer& optimizer, std::span<const Batch> batches, PassContext& context,
                         Totals* so_far) {
  const detail::CallSite site(where_);
  const FlushSubnormals flush;
  std::optional<Totals> first;
  Totals sum;  // made before the update: after it nothing may fail
  const auto closure = [&] {
    PassContext later;  // what passes say of further evaluations is not of the step
    Evaluation evaluation;
    if (!evaluate(batches, first ? later : context, !first, evaluation)) {
      report_non_finite(batches);
    }
    if (!first) {
      if (so_far != nullptr) sum = *so_far;
      sum += evaluation.totals;
      first = std::move(evaluation.totals);
    }
    return std::move(evaluation.gradients);
  };
  optimizer.step(parameters_, closure, where_);
  if (so_far != nullptr) *so_far = std::move(sum);
  if (passes_ != nullptr) run_after_step(*passes_, parameters_, context, where_);
  return first ? std::move(*first) : Totals();
}

Totals TrainingStep::measure(const Batch& batch) {
  const detail::CallSite site(where_);
  const FlushSubnormals flush;
  const ForInference inference;
  PassContext context;
  const Outcome outcome = outcome_of(batch, context);
  check(outcome, where_);
  return {outcome.loss.scalar_value(), outcome.denominator, outcome.metrics};
}

void TrainingStep::report_non_finite(std::span<const Batch> batches) {
  std::string what = "the op cannot be told";
  BufferUpdates updates;  // the same draws as before
  for (failed_batch_ = 0; failed_batch_ < batches.size(); ++failed_batch_) {
    Tape tape;
    tape.start_after(updates);
    tape.detect_non_finite(true);
    PassContext context;
    const Outcome outcome = record(batches[failed_batch_], context);
    updates.append(tape.updates());
    if (outcome.denominator == 0 || std::isfinite(outcome.loss.scalar_value())) continue;
    const std::uint32_t node = tape.first_non_finite();
    if (node != Tape::kNoNode) what = tape.describe(node);
    break;
  }
  if (failed_batch_ == batches.size()) failed_batch_ = 0;
  throw Error(ErrorKind::kNonFinite, "TrainingStep",
              "the loss is not finite; first non-finite value: " + what,
              "lower the rate, clip gradients, or look at the inputs of that op");
}

}  // namespace wengert::optim
