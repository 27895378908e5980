#include "wengert/optim/trainer.h"

#include <chrono>
#include <cmath>
#include <limits>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/passes.h"

namespace wengert::optim {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// How many rows of logits have their largest entry at the label; the first of ties counts.
std::int64_t correct_rows(const Tensor& logits, const Tensor& labels) {
  const std::int64_t classes = logits.size(-1);
  const auto scores = logits.span<float>();
  const auto truth = labels.span<std::int64_t>();
  std::int64_t correct = 0;
  for (std::size_t row = 0; row < truth.size(); ++row) {
    const float* x = scores.data() + static_cast<std::int64_t>(row) * classes;
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (x[c] > x[best]) best = c;
    }
    correct += best == truth[row];
  }
  return correct;
}

Var logits_of(const Model& model, ParameterSet& parameters, const Var& inputs) {
  const detail::UserCode users;
  return model(parameters, inputs);
}

/// Runs the step again with every output checked, and says where it first went wrong.
[[noreturn]] void report_non_finite(const Model& model, ParameterSet& parameters,
                                    const Batch& batch, const TrainOptions& options,
                                    std::int64_t epoch, std::source_location where) {
  Tape tape;
  tape.detect_non_finite(true);
  Roots roots;
  roots.parameters = &parameters;
  const Var logits = logits_of(model, parameters, batch.inputs);
  roots.add("loss", softmax_cross_entropy(logits, batch.labels, Reduction::kMean, where));
  PassContext context;
  if (options.passes != nullptr) options.passes->run(PassStage::kLoss, roots, context);
  const std::uint32_t node = tape.first_non_finite();
  const std::string what = node == detail::kNoNode ? "the op cannot be told" : tape.describe(node);
  throw Error(ErrorKind::kNonFinite, "train",
              "the loss of epoch " + std::to_string(epoch) +
                  " is not finite; first non-finite value: " + what,
              "lower the rate, clip gradients, or look at the inputs of that op");
}

class Session {
 public:
  Session(const Model& model, ParameterSet& parameters, Optimizer& optimizer,
          const Examples& examples, const TrainOptions& options, std::source_location where)
      : model_(model),
        parameters_(parameters),
        optimizer_(optimizer),
        examples_(examples),
        options_(options),
        where_(where) {}

  /// One pass over the shuffled training examples; false when asked to stop.
  bool run_epoch(std::int64_t epoch, const std::vector<std::int64_t>& order, EpochRecord& record) {
    const auto count = static_cast<std::int64_t>(order.size());
    auto last_shown = Clock::now();
    double loss_sum = 0;
    std::int64_t correct = 0, seen = 0;
    bool go_on = true;
    for (std::int64_t begin = 0; begin < count && go_on; begin += options_.batch_size) {
      const std::int64_t end = std::min(count, begin + options_.batch_size);
      const double loss =
          step(gather_batch(examples_, order, begin, end), epoch, begin == 0, correct);
      loss_sum += loss * static_cast<double>(end - begin);
      seen += end - begin;
      if (options_.progress && seconds_since(last_shown) > 0.1) {
        last_shown = Clock::now();
        const detail::UserCode users;
        options_.progress(epoch, static_cast<double>(end) / static_cast<double>(count),
                          loss_sum / static_cast<double>(seen));
      }
      const detail::UserCode users;
      go_on = !(options_.stop && options_.stop());
    }
    record.train_loss = loss_sum / static_cast<double>(seen);
    record.train_accuracy = static_cast<double>(correct) / static_cast<double>(seen);
    return go_on;
  }

 private:
  double step(const Batch& batch, std::int64_t epoch, bool explain, std::int64_t& correct) {
    double value;
    {
      Tape tape;
      Roots roots;
      roots.parameters = &parameters_;
      PassContext context;
      const Var logits = logits_of(model_, parameters_, batch.inputs);
      roots.add("loss", softmax_cross_entropy(logits, batch.labels, Reduction::kMean, where_));
      const PassPipeline* passes = options_.passes;
      if (passes != nullptr) passes->run(PassStage::kLoss, roots, context);
      const Var loss = roots.at("loss");
      value = loss.scalar_value();
      if (std::isfinite(value)) {
        correct += correct_rows(logits.value(), batch.labels);
        Gradients gradients = backward(loss);
        if (passes != nullptr) run_on_gradients(*passes, gradients, context);
        optimizer_.step(parameters_, gradients, where_);
        if (passes != nullptr) run_after_step(*passes, parameters_, context);
        if (explain && options_.explain) {
          const std::string words = context.str();
          const detail::UserCode users;
          if (!words.empty()) options_.explain(words);
        }
        return value;
      }
    }
    if (options_.non_finite) {
      const detail::UserCode users;
      options_.non_finite(batch);
    }
    report_non_finite(model_, parameters_, batch, options_, epoch, where_);
  }

  const Model& model_;
  ParameterSet& parameters_;
  Optimizer& optimizer_;
  const Examples& examples_;
  const TrainOptions& options_;
  std::source_location where_;
};

void check(const TrainOptions& options, const Split& split) {
  if (options.epochs < 1 || options.batch_size < 1) {
    throw Error(ErrorKind::kValue, "train",
                std::to_string(options.epochs) + " epochs of batches of " +
                    std::to_string(options.batch_size),
                "both are at least 1");
  }
  if (split.train.empty()) throw Error(ErrorKind::kValue, "train", "no training examples");
}

}  // namespace

Evaluation evaluate(const Model& model, ParameterSet& parameters, const Examples& examples,
                    const std::vector<std::int64_t>& indices, std::int64_t batch_size,
                    std::source_location where) {
  const detail::CallSite site(where);
  if (batch_size < 1) {
    throw Error(ErrorKind::kValue, "evaluate", "batches of " + std::to_string(batch_size),
                "a batch has at least 1 example");
  }
  const NoGrad off;
  Evaluation result;
  std::int64_t correct = 0;
  const auto count = static_cast<std::int64_t>(indices.size());
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    const std::int64_t end = std::min(count, begin + batch_size);
    const Batch batch = gather_batch(examples, indices, begin, end);
    const Var logits = logits_of(model, parameters, batch.inputs);
    result.loss +=
        softmax_cross_entropy(logits, batch.labels, Reduction::kMean, where).scalar_value() *
        static_cast<double>(end - begin);
    correct += correct_rows(logits.value(), batch.labels);
  }
  if (count > 0) {
    result.loss /= static_cast<double>(count);
    result.accuracy = static_cast<double>(correct) / static_cast<double>(count);
  }
  return result;
}

TrainResult train(const Model& model, ParameterSet& parameters, Optimizer& optimizer,
                  const Examples& examples, const Split& split, const TrainOptions& options,
                  std::source_location where) {
  const detail::CallSite site(where);
  check(options, split);
  Session session(model, parameters, optimizer, examples, options, where);
  TrainResult result;
  const double first_rate = optimizer.rate();
  struct Restore {
    Optimizer& optimizer;
    double rate;
    ~Restore() { optimizer.set_rate(rate); }
  } restore{optimizer, first_rate};
  for (std::int64_t epoch = 1; epoch <= options.epochs && !result.stopped; ++epoch) {
    EpochRecord record;
    record.epoch = epoch;
    const double done = options.epochs == 1 ? 0
                                            : static_cast<double>(epoch - 1) /
                                                  static_cast<double>(options.epochs - 1);
    optimizer.set_rate(first_rate * (1 - done * (1 - options.final_rate_share)));
    record.rate = optimizer.rate();
    const auto start = Clock::now();
    result.stopped = !session.run_epoch(epoch, shuffled(split.train, options.seed, epoch), record);
    record.seconds = seconds_since(start);
    result.seconds += record.seconds;
    if (split.validation.empty()) {
      record.validation_loss = record.validation_accuracy =
          std::numeric_limits<double>::quiet_NaN();
    } else {
      const Evaluation validation = evaluate(model, parameters, examples, split.validation);
      record.validation_loss = validation.loss;
      record.validation_accuracy = validation.accuracy;
    }
    result.epochs.push_back(record);
    const detail::UserCode users;
    if (options.after_epoch) options.after_epoch(record);
  }
  return result;
}

}  // namespace wengert::optim
