#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "wengert/graph/api.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/pass.h"
#include "wengert/optim/dataset.h"
#include "wengert/optim/optimizer.h"

namespace wengert::optim {

/// A classifier: from inputs [B, features] to logits [B, classes].
using Model = std::function<Var(ParameterSet& parameters, const Var& inputs)>;

/// What one epoch came to.
struct EpochRecord {
  std::int64_t epoch = 0;  ///< from 1
  double rate = 0;
  double train_loss = 0;  ///< mean over the epoch's examples, penalties included
  double train_accuracy = 0;
  double validation_loss = 0;  ///< NaN, like the accuracy, where nothing is held out
  double validation_accuracy = 0;
  double seconds = 0;  ///< of training, without evaluation
};

struct TrainOptions {
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  std::uint64_t seed = 1;
  /// The rate falls linearly to this share of itself in the last epoch; afterwards the optimizer
  /// has the rate that it came with.
  double final_rate_share = 1;
  const PassPipeline* passes = nullptr;  ///< over the loss, gradients and updated parameters
  /// Called a few times a second at most, with the share of the epoch done.
  std::function<void(std::int64_t epoch, double share, double loss)> progress = {};
  std::function<void(const EpochRecord&)> after_epoch = {};
  /// Asked between steps; true ends training after the current step.
  std::function<bool()> stop = {};
  /// Receives the batch whose loss was not finite, before train throws: to draw its step, say.
  std::function<void(const Batch&)> non_finite = {};
  /// Receives what passes did, of the first step of each epoch.
  std::function<void(const std::string&)> explain = {};
};

struct TrainResult {
  std::vector<EpochRecord> epochs;
  bool stopped = false;
  double seconds = 0;
};

/// Loss and accuracy over examples, in batches of at least 1, unrecorded.
struct Evaluation {
  double loss = 0;
  double accuracy = 0;
};
WENGERT_API Evaluation evaluate(const Model& model, ParameterSet& parameters,
                                const Examples& examples, const std::vector<std::int64_t>& indices,
                                std::int64_t batch_size = 1000,
                                std::source_location where = std::source_location::current());

/// Mini-batch training by softmax cross-entropy. Every bit of the result depends on the seed, the
/// data and the options alone. The mean over an unequal last batch is of its own examples.
/// Throws Error(kNonFinite) when a loss is not finite, naming the first op whose result was not
/// and its line; the parameters are those before that step.
WENGERT_API TrainResult train(const Model& model, ParameterSet& parameters, Optimizer& optimizer,
                              const Examples& examples, const Split& split,
                              const TrainOptions& options,
                              std::source_location where = std::source_location::current());

}  // namespace wengert::optim
