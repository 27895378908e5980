#pragma once

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "wengert/autodiff/checkpoint.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"
#include "wengert/wengert.h"

// One small training that may use everything a training can, for tests of what happens when it is
// interrupted, refused memory, or goes on for long.
namespace wengert {

enum class Feature {
  kBuffers,
  kRandomStreams,
  kParameterGroups,
  kRowGradients,
  kMicroBatches,
  kSchedule,  ///< one with state
  kHook,      ///< one with state
  kEarlyStop,
  kValidation,
  kPasses,  ///< of every stage
  kCheckpoints,
  kThreads,
};
using Features = std::set<Feature>;

inline Features all_features() {
  Features all;
  for (int i = 0; i <= static_cast<int>(Feature::kThreads); ++i) all.insert(Feature(i));
  return all;
}

inline std::string bytes_of(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {reinterpret_cast<const char*>(dense.data()),
          static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype())};
}

inline std::string bytes_of(const ParameterSet& parameters) {
  std::string bytes;
  for (const Parameter* parameter : parameters.all()) {
    bytes += parameter->name() + "=" + bytes_of(parameter->value()) + "\n";
  }
  return bytes;
}

inline std::string bytes_of(const optim::Optimizer& optimizer) {
  std::string bytes;
  for (const auto& [name, value] : optimizer.state()) bytes += name + "=" + bytes_of(value) + "\n";
  return bytes;
}

/// Ends a training at a step, and keeps a tensor in the place of something useful.
class StepHook : public optim::TrainingHook {
 public:
  StepHook(bool with_state, std::int64_t stop_at) : with_state_(with_state), stop_at_(stop_at) {}
  std::string_view name() const override { return "a_hook_that_no_short_string_holds"; }
  bool wants_stop() const override {
    return stop_at_ > 0 && training_->optimizer().steps() >= stop_at_;
  }
  void before_training(optim::Training&) override { kept_ = Tensor::full({3}, 1); }
  std::vector<io::NamedTensor> state() const override {
    if (!with_state_) return {};
    return {{"kept", kept_}};
  }
  void restore(const std::vector<io::NamedTensor>& state) override {
    if (with_state_) kept_ = state.at(0).tensor;
  }
  void look_at(const optim::Training& training) { training_ = &training; }
  const Tensor& kept() const { return kept_; }

 private:
  bool with_state_;
  std::int64_t stop_at_;
  const optim::Training* training_ = nullptr;
  Tensor kept_ = Tensor::zeros({3});
};

class Trainee {
 public:
  /// Stops after `stop_at` steps, if that is not 0.
  explicit Trainee(Features features, std::int64_t stop_at = 0, std::int64_t epochs = 2)
      : features_(std::move(features)),
        hook_(has(Feature::kHook), stop_at),
        loader_(data(), {.batch_size = rows() / 4, .seed = 3}),
        held_out_(data(), {.batch_size = rows(), .shuffle = false}) {
    if (has(Feature::kParameterGroups)) adam_.add_group(named("out/*"), {.rate = 0.05});
    if (has(Feature::kPasses)) {
      passes_.add<optim::L2Penalty>({.lambda = 1e-3});
      passes_.add<optim::ClipGlobalNorm>({.limit = 0.5});
      passes_.add<optim::WeightNoise>({.stddev = 0.01});
    }
    optim::FitOptions options;
    options.epochs = epochs;
    if (has(Feature::kValidation)) options.validation = &held_out_;
    if (has(Feature::kPasses)) options.passes = &passes_;
    if (has(Feature::kSchedule)) {
      options.schedule = optim::ReduceOnPlateau({.factor = 0.5, .patience = 0, .threshold = 0.05});
    }
    options.hooks = {&hook_};
    if (has(Feature::kEarlyStop)) options.hooks.push_back(&early_stop_);
    if (has(Feature::kMicroBatches)) options.micro_batches = 2;
    training_ = std::make_unique<optim::Training>(
        parameters_, adam_, loader_,
        optim::classifier([this](ParameterSet& set, const Var& x) { return logits(set, x); }),
        options);
    hook_.look_at(*training_);
  }

  bool has(Feature feature) const { return features_.contains(feature); }
  optim::Training& training() { return *training_; }
  ParameterSet& parameters() { return parameters_; }
  optim::Adam& optimizer() { return adam_; }

  /// All that it has come to.
  std::string bytes() const {
    std::string bytes = bytes_of(parameters_) + bytes_of(adam_);
    for (const Buffer* buffer : parameters_.buffers()) {
      bytes += buffer->name() + "=" + bytes_of(buffer->value()) + "\n";
    }
    for (const optim::EpochRecord& record : training_->history()) {
      std::vector<double> numbers = {record.rate, record.train.loss()};
      if (record.validation) numbers.push_back(record.validation->value("accuracy"));
      for (const double number : numbers) {
        bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
      }
    }
    for (const auto& [name, value] : early_stop_.state()) bytes += name + bytes_of(value);
    return bytes + bytes_of(hook_.kept()) + std::to_string(training_->epoch());
  }

 private:
  std::int64_t rows() const { return has(Feature::kThreads) ? 256 : 16; }
  std::int64_t width() const { return has(Feature::kThreads) ? 160 : 4; }

  optim::Batch data() const {
    std::vector<float> inputs;
    std::vector<std::int64_t> labels, words;
    for (std::int64_t i = 0; i < rows() * width(); ++i) {
      inputs.push_back(std::sin(1.3f * static_cast<float>(i)));
    }
    for (std::int64_t i = 0; i < rows() * 4; ++i) words.push_back(i * i % 11);
    for (std::int64_t i = 0; i < rows(); ++i) {
      labels.push_back(inputs[static_cast<std::size_t>(i * width())] > 0);
    }
    const Tensor targets = Tensor::from(labels, {rows()});
    if (has(Feature::kRowGradients)) return {Tensor::from(words, {rows(), 4}), targets};
    return {Tensor::from(inputs, {rows(), width()}), targets};
  }

  Var logits(ParameterSet& set, const Var& inputs) const {
    Var x = inputs;
    if (has(Feature::kRowGradients)) {
      Parameter& words = set.declare("words", {11, width()}, DType::kFloat32, nn::normal(0, 1), {});
      x = sum(embedding(words, inputs), {1});
    }
    Var h = tanh(linear(set, "first", x, width()));
    if (has(Feature::kRandomStreams)) h = dropout(set, "drop", h, 0.3);
    if (has(Feature::kCheckpoints)) {
      h = checkpoint([&](const Var& v) { return tanh(linear(set, "block", v, width())); }, h);
    }
    if (has(Feature::kBuffers)) {
      Buffer& mean = set.declare_buffer("mean", {width()}, DType::kFloat32);
      const Var before = use(mean);
      if (Tape::current() != nullptr && current_mode() == Mode::kTraining) {
        update(mean, before * 0.9 + wengert::mean(h, {0}) * 0.1);
      }
      h = h - before;
    }
    return linear(set, "out", h, 2);
  }

  Features features_;
  ParameterSet parameters_{7};
  optim::Adam adam_{{.rate = 0.02}};
  optim::EarlyStop early_stop_{{.patience = 5}};
  StepHook hook_;
  optim::ArrayLoader loader_, held_out_;
  PassPipeline passes_;
  std::unique_ptr<optim::Training> training_;
};

}  // namespace wengert
