#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "tests/io/files.h"
#include "tests/optim/training_models.h"
#include "wengert/io/parameter_file.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/training/early_stop.h"
#include "wengert/optim/training/fit.h"

// A training that was saved goes on to the same bits, wherever it stopped.
namespace wengert::optim {
namespace {

Batch data() {
  std::vector<float> inputs;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 50; ++i) {
    inputs.push_back(std::sin(1.3f * static_cast<float>(i)));
    inputs.push_back(std::cos(0.7f * static_cast<float>(i)));
    labels.push_back(inputs[inputs.size() - 2] + inputs.back() > 0);
  }
  return {Tensor::from(inputs, {50, 2}), Tensor::from(labels, {50})};
}

Var logits(ParameterSet& parameters, const Var& x) {
  Var h = dropout(parameters, "drop", tanh(linear(parameters, "fc", x, 8)), 0.3);
  Buffer& mean = parameters.declare_buffer("mean", {}, DType::kFloat32);
  if (Tape::current() != nullptr) {
    update(mean, use(mean) * 0.9 + wengert::mean(h) * 0.1);
  }
  return linear(parameters, "out", h - use(mean), 2);
}

/// Everything that a training works with, and what ends it at a step.
struct Bench : TrainingHook {
  std::string_view name() const override { return "bench"; }
  explicit Bench(const char* method, std::int64_t stop_at = -1, double rate = 0.02)
      : optimizer(make_optimizer(method, rate)),
        loader(data(), {.batch_size = 8, .seed = 3}),
        held_out(data(), {.batch_size = 50, .shuffle = false}),
        early({.patience = 3}),
        stop_at_(stop_at),
        training(parameters, *optimizer, loader, classifier(logits),
                 {.epochs = 6,
                  .validation = &held_out,
                  .schedule = ReduceOnPlateau({.factor = 0.5, .patience = 0, .threshold = 0.05}),
                  .hooks = {this, &early},
                  .micro_batches = 2}) {}
  void after_step(Training& going, const StepRecord&) override {
    ++steps_;
    if (steps_ == stop_at_) going.save(path_);
  }
  bool wants_stop() const override { return steps_ == stop_at_; }
  void save_to(const std::string& path) { path_ = path; }
  /// What the end is told by: parameters, buffers, the optimizer's state, the history.
  std::string everything() {
    std::string bytes = bytes_of(parameters);
    for (const Buffer* buffer : parameters.buffers()) {
      bytes += buffer->name() + buffer->value().str() + ";";
    }
    for (const auto& entry : optimizer->state()) bytes += entry.name + entry.value.str() + ";";
    for (const EpochRecord& record : training.history()) {
      for (const double x : {record.rate, record.train.loss(), record.train.value("accuracy"),
                             record.validation->loss(), record.validation->value("accuracy")}) {
        bytes.append(reinterpret_cast<const char*>(&x), sizeof x);
      }
    }
    return bytes + std::to_string(early.best_epoch());
  }

  ParameterSet parameters{7};
  std::unique_ptr<Optimizer> optimizer;
  ArrayLoader loader, held_out;
  EarlyStop early;
  std::int64_t steps_ = 0, stop_at_;
  std::string path_;
  Training training;
};

class Resumed : public ::testing::TestWithParam<const char*> {};

TEST_P(Resumed, GoesOnToTheSameBitsFromAnyStep) {
  const TemporaryFolder folder;
  Bench straight(GetParam());
  straight.training.run();
  const std::string expected = straight.everything();
  // 7 batches, 4 steps an epoch: in the middle of an epoch, at its end, at the last step.
  for (const std::int64_t stop_at : {1, 2, 4, 7, 12, 23}) {
    Bench first(GetParam(), stop_at);
    first.save_to(folder / "state");
    first.training.run();
    Bench second(GetParam(), -1, 0.5);  // the rate is the saved one
    (void)second.training.load(folder / "state");
    second.training.run();
    EXPECT_TRUE(second.everything() == expected) << "stopped at step " << stop_at;
  }
}

INSTANTIATE_TEST_SUITE_P(, Resumed,
                         ::testing::Values("sgd", "nesterov", "adamw", "nadam", "lamb", "lbfgs"),
                         [](const auto& info) { return std::string(info.param); });

TEST(TrainingFile, IsAModelFileToo) {
  const TemporaryFolder folder;
  Bench bench("adam");
  bench.training.run();
  bench.training.save(folder / "state", {{"model", "test"}});
  ParameterSet loaded;
  const io::LoadReport report = io::load(loaded, folder / "state");
  EXPECT_EQ(report.metadata.at("model"), "test");
  EXPECT_EQ(bytes_of(loaded), bytes_of(bench.parameters));
  EXPECT_EQ(loaded.buffers().size(), bench.parameters.buffers().size());
  EXPECT_EQ(loaded.find("optimizer/rate"), nullptr);
}

TEST(TrainingFile, OfAnotherTrainingIsRefusedAndChangesNothing) {
  const TemporaryFolder folder;
  Bench bench("adam");
  bench.training.run();
  bench.training.save(folder / "adam");
  io::save(bench.parameters, folder / "model");
  Bench other("sgd"), same("adam");
  (void)logits(other.parameters, Tensor::zeros({1, 2}));
  (void)logits(same.parameters, Tensor::zeros({1, 2}));
  const auto refused = [](Bench& into, const std::string& path, const char* part) {
    const std::string before = into.everything();
    try {
      (void)into.training.load(path);
      ADD_FAILURE() << "was accepted: " << part;
    } catch (const IoError& error) {
      EXPECT_TRUE(holds(error.what(), part)) << error.what();
    }
    EXPECT_TRUE(into.everything() == before) << part;
  };
  refused(other, folder / "adam", "its optimizer is adam, here it is sgd");
  refused(same, folder / "model", "it holds no state of a training");
  refused(same, folder / "nothing", "nothing");
  // Any entry gone, or of another type.
  const io::SafeTensors file = io::read_safetensors(folder / "adam");
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    const std::string& name = file.tensors[i].name;
    // The set makes buffers when it trains, and weights of the best epoch are whatever was best.
    if (file.metadata.at("buffers").find(name) != std::string::npos) continue;
    if (name.starts_with("hooks/early_stop/weights")) continue;
    if (name.starts_with("optimizer/options")) continue;  // those it does not name stay
    std::vector<io::NamedTensor> damaged = file.tensors;
    damaged.erase(damaged.begin() + static_cast<std::ptrdiff_t>(i));
    io::write_safetensors(folder / "damaged", damaged, file.metadata);
    SCOPED_TRACE(name);
    refused(same, folder / "damaged", "");
    damaged = file.tensors;
    damaged[i].tensor = Tensor::zeros({3, 2}, DType::kInt32);
    io::write_safetensors(folder / "damaged", damaged, file.metadata);
    refused(same, folder / "damaged", "");
  }
  (void)same.training.load(folder / "adam");
}

/// Saves in after_epoch, and sets the rate itself.
struct Saver : TrainingHook {
  std::string_view name() const override { return "saver"; }
  explicit Saver(std::string path) : path(std::move(path)) {}
  void before_training(Training& training) override { training.save(path + "0"); }
  void after_epoch(Training& training, const EpochRecord&) override {
    training.optimizer().set_rate(training.optimizer().rate() * 0.5);
    training.save(path);
  }
  std::string path;
};

TEST(TrainingFile, OfAnEndedTrainingGoesOnNoFurtherAndKeepsTheRateThatAHookSet) {
  const TemporaryFolder folder;
  const ArrayLoader loader(data(), {.batch_size = 50});
  const auto train = [&](ParameterSet& parameters, Sgd& sgd, const std::string& from) {
    EarlyStop early({.patience = 2, .least_change = 1e9});  // nothing is ever better
    Saver saver(folder / "state");
    Training training(parameters, sgd, loader, classifier(logits),
                      {.epochs = 9, .hooks = {&early, &saver}});
    if (!from.empty()) (void)training.load(from);
    return training.run().epochs.size();
  };
  ParameterSet first(7), second(7), third(7);
  Sgd sgd({.rate = 0.1}), again({.rate = 0.1}), anew({.rate = 0.1});
  EXPECT_EQ(train(first, sgd, ""), 3u);
  EXPECT_EQ(sgd.rate(), 0.1 / 8);
  EXPECT_EQ(train(second, again, folder / "state"), 3u) << "it had ended";
  EXPECT_EQ(again.steps(), 3);
  EXPECT_EQ(again.rate(), 0.1 / 8);
  // Saved before the first step the file has no parameters: a set filled from it is not complete.
  EXPECT_EQ(train(third, anew, folder / "state0"), 3u);
  EXPECT_EQ(bytes_of(third), bytes_of(first));
}

TEST(Training, APassAfterTheStepThatFailsDoesNotTrainABatchTwice) {
  struct Fails : Pass {
    std::string_view name() const override { return "fails"; }
    PassStage stage() const override { return PassStage::kAfterStep; }
    bool rewrite(Roots&, PassContext&) override {
      if (++runs == 2) throw Error(ErrorKind::kValue, "fails", "once");
      return false;
    }
    int runs = 0;
  };
  const ArrayLoader loader(data(), {.batch_size = 10});
  PassPipeline passes;
  passes.add(std::make_unique<Fails>());
  ParameterSet failing(7), calm(7);
  Sgd sgd({.rate = 0.1}), other({.rate = 0.1});
  Training training(failing, sgd, loader, classifier(logits), {.epochs = 2, .passes = &passes});
  EXPECT_THROW(training.run(), Error);
  training.run();
  fit(calm, other, loader, classifier(logits), {.epochs = 2});
  EXPECT_EQ(sgd.steps(), 10);
  EXPECT_EQ(bytes_of(failing), bytes_of(calm));
  EXPECT_EQ(training.history()[0].train.denominator(), 50);
}

TEST(Training, TakesAllBatchesInOneStepAndGroupsOfParametersThatAreYetToBeMade) {
  const ArrayLoader loader(data(), {.batch_size = 20});
  ParameterSet parameters(7);
  Nesterov nesterov({.rate = 0.1});
  nesterov.add_group(named("out/*"), {.rate = 0.01});
  const FitResult result =
      fit(parameters, nesterov, loader, classifier(logits),
          {.epochs = 2, .micro_batches = std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(nesterov.steps(), 2);
  EXPECT_EQ(result.epochs[1].train.denominator(), 50);
  struct Named : TrainingHook {
    std::string_view name() const override { return "ema/0.999"; }
  } hook;
  EXPECT_EQ(error_of([&] {
              fit(parameters, nesterov, loader, classifier(logits), {.hooks = {&hook}});
            }).kind(),
            ErrorKind::kValue);
}

// ------------------------------------------------------------ early stop, snapshots

/// The only weight counts the steps; the loss for inference is looked up by it.
TEST(EarlyStop, PutsTheBestEpochBackToTheBit) {
  const ArrayLoader loader({Tensor::zeros({4, 1}), Tensor::zeros({4, 1})}, {.batch_size = 4});
  ParameterSet parameters;
  parameters.add("w", Tensor::scalar(0.0));
  const std::vector<double> losses = {5, 3, 4, 3, 2.5, 2.6, std::nan(""), 2.7, 1};
  const Model model = [&](ParameterSet& set, const Batch&) -> Outcome {
    const Var w = use(set.at("w"));
    if (Tape::current() == nullptr) {
      return {Var(losses[static_cast<std::size_t>(w.value().scalar_value()) - 1])};
    }
    return {w * -1.0};
  };
  Sgd sgd({.rate = 1});
  EarlyStop early({.patience = 3});
  const FitResult result =
      fit(parameters, sgd, loader, model, {.epochs = 9, .validation = &loader, .hooks = {&early}});
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.epochs.size(), 8u) << "2.6, NaN and 2.7 are no better than 2.5";
  EXPECT_EQ(early.best_epoch(), 5);
  EXPECT_EQ(early.best(), 2.5);
  EXPECT_EQ(parameters.at("w").value().scalar_value(), 5);

  parameters.at("w").mutable_value() = Tensor::scalar(0.0);
  const std::vector<double> later = {std::nan(""), std::nan(""), 7, 8};
  const Model begins_badly = [&](ParameterSet& set, const Batch&) -> Outcome {
    const Var w = use(set.at("w"));
    if (Tape::current() != nullptr) return {w * -1.0};
    return {Var(later[static_cast<std::size_t>(w.value().scalar_value()) - 1])};
  };
  EarlyStop unknown({.patience = 4});
  fit(parameters, sgd, loader, begins_badly,
      {.epochs = 4, .validation = &loader, .hooks = {&unknown}});
  EXPECT_EQ(unknown.best_epoch(), 3) << "NaN is nobody's best";

  parameters.at("w").mutable_value() = Tensor::scalar(0.0);
  EarlyStop largest({.larger_is_better = true, .least_change = 0.5});
  fit(parameters, sgd, loader, model, {.epochs = 6, .validation = &loader, .hooks = {&largest}});
  EXPECT_EQ(largest.best_epoch(), 1);
  EXPECT_EQ(parameters.at("w").value().scalar_value(), 1) << "kept without patience too";
}

TEST(EarlyStop, LeavesTheWeightsWhereAnotherHookStoppedTraining) {
  struct Stops : TrainingHook {
    std::string_view name() const override { return "stops"; }
    void after_step(Training&, const StepRecord&) override { ++steps; }
    bool wants_stop() const override { return steps == 7; }
    int steps = 0;
  } stops;
  const ArrayLoader loader(data(), {.batch_size = 10});
  ParameterSet straight(7), stopped(7);
  Sgd sgd({.rate = 0.1}), other({.rate = 0.1});
  EarlyStop early({.patience = 50}), alike({.patience = 50});
  fit(straight, sgd, loader, classifier(logits), {.epochs = 4, .hooks = {&early}});
  Training training(stopped, other, loader, classifier(logits),
                    {.epochs = 4, .hooks = {&alike, &stops}});
  EXPECT_TRUE(training.run().stopped);
  EXPECT_FALSE(training.run().stopped);
  EXPECT_EQ(bytes_of(stopped), bytes_of(straight));
}

TEST(Snapshot, TakesRestoresAndAveragesParametersAndBuffers) {
  ParameterSet set;
  set.add("w", Tensor::from({1.0f, 2.0f}, {2}));
  set.declare_buffer("mean", {}, DType::kFloat64, 4);
  set.declare_buffer("count", {}, DType::kInt64, 10);
  Snapshot copy(set), running(set);
  const std::byte* memory = set.at("w").value().data();
  {
    const WriteGuard guard(set.at("w").mutable_value(), "test");
    guard.span<float>()[0] = 5;
  }
  set.find_buffer("mean")->set(Tensor::scalar(8.0));
  set.find_buffer("count")->set(Tensor::scalar(std::int64_t{20}));
  running.average(set, 0.75);
  copy.restore(set);
  EXPECT_EQ(set.at("w").value().to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(set.at("w").value().data(), memory) << "in its own memory";
  EXPECT_EQ(set.find_buffer("mean")->value().scalar_value(), 4);
  running.restore(set);
  EXPECT_EQ(set.at("w").value().to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(set.find_buffer("mean")->value().scalar_value(), 5);
  EXPECT_EQ(set.find_buffer("count")->value().item<std::int64_t>(), 20) << "a count is no mean";
  ParameterSet other;
  other.add("w", Tensor::scalar(1.0f));
  EXPECT_EQ(error_of([&] { copy.restore(other); }).kind(), ErrorKind::kParameter);
  for (const double bad : {-0.1, 1.1, std::nan("")}) {
    EXPECT_EQ(error_of([&] { copy.average(set, bad); }).kind(), ErrorKind::kValue);
  }
}

}  // namespace
}  // namespace wengert::optim
