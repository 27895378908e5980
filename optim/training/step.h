#pragma once

#include <functional>
#include <source_location>
#include <span>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/pass.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/training/batch.h"
#include "wengert/optim/training/metrics.h"

namespace wengert::optim {

/// What a model makes of a batch.
struct Outcome {
  /// A floating scalar: the mean over `denominator`.
  Var loss;
  /// Over how much the loss is the mean: examples, targets that are not ignored, weights. Batches
  /// are weighed by it. At 0 the loss does not count, whatever it is.
  double denominator = 1;
  std::vector<Metric> metrics = {};

  /// Of a loss that is a sum: sum/denominator, or the sum itself where the denominator is 0.
  static WENGERT_API Outcome of_sum(const Var& sum, double denominator,
                                    std::vector<Metric> metrics = {});
};

/// Any task: computes the outcome of a batch, by the parameters of a set.
using Model = std::function<Outcome(ParameterSet& parameters, const Batch& batch)>;

/// The model of a classifier: softmax cross-entropy and accuracy of `logits` [B, classes] against
/// integer targets [B]. Where the batch has weights the loss is the weighted mean, over Σw.
WENGERT_API Model classifier(std::function<Var(ParameterSet& parameters, const Var& inputs)> logits,
                             std::source_location where = std::source_location::current());

/// One training step, whoever takes it: a training loop, a report, a picture. It works under a
/// FlushSubnormals.
///
///   parameters stage → model → loss stage → backward → gradients stage → update → after step
class WENGERT_API TrainingStep {
 public:
  /// What is given outlives the step. `passes` may be null.
  TrainingStep(ParameterSet& parameters, Model model, const PassPipeline* passes = nullptr,
               std::source_location where = std::source_location::current());

  /// Makes the parameters and buffers that the model makes when it first runs, and changes nothing
  /// else.
  void make_parameters(const Batch& batch);

  /// The forward half on the live tape: parameter passes, the model, loss passes; the outcome's
  /// loss has the penalties. Throws Error(kShape, kDType, kValue) on an outcome that is none.
  Outcome record(const Batch& batch, PassContext& context);

  /// Gradients, and what the batches came to.
  struct Evaluation {
    Gradients gradients;
    Totals totals;  ///< penalties included
  };
  /// The gradient of the mean over all batches together, gradient passes included: several are
  /// micro-batches, each on a tape of its own that goes on from the buffers of the one before.
  /// Changes nothing. Throws Error(kValue) when all denominators are 0 or there is no batch,
  /// Error(kGraph) under a tape for inference.
  Evaluation evaluate(std::span<const Batch> batches, PassContext& context);

  /// A step of the optimizer, which evaluates as often as its method asks, with the same random
  /// draws each time; buffers are updated once, by the evaluation that the step was made with. Then
  /// the passes after the step. Gives what the first evaluation came to; `so_far`, where it is not
  /// null, has that added. Throws Error(kNonFinite) when the first loss is not finite, naming the
  /// first op whose result was not and its line. Whatever it throws before the passes after the
  /// step, nothing is changed then.
  Totals run(Optimizer& optimizer, std::span<const Batch> batches, PassContext& context,
             Totals* so_far = nullptr);

  /// The outcome for inference, unrecorded, without loss passes: for validation and tests. Also
  /// while a tape is live.
  Totals measure(const Batch& batch);

  ParameterSet& parameters() const { return parameters_; }
  /// Which of the batches it was whose loss was not finite, after run has said so.
  std::size_t failed_batch() const { return failed_batch_; }

 private:
  Outcome outcome_of(const Batch& batch, PassContext& context);
  /// Where a finite loss is asked for, false as soon as one is not.
  bool evaluate(std::span<const Batch> batches, PassContext& context, bool finite,
                Evaluation& result);
  bool add(const Batch& batch, bool alone, PassContext& context, bool finite, Evaluation& result);
  [[noreturn]] void report_non_finite(std::span<const Batch> batches);

  ParameterSet& parameters_;
  Model model_;
  const PassPipeline* passes_;
  std::source_location where_;
  bool has_run_ = false;  ///< the model has made its parameters
  std::size_t failed_batch_ = 0;
};

}  // namespace wengert::optim
