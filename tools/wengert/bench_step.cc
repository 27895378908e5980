#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_adam_floor.h"
#include "tools/wengert/bench_floor.h"
#include "tools/wengert/bench_full_floor.h"
#include "tools/wengert/bench_mlp.h"
#include "wengert/nn/dropout.h"
#include "wengert/nn/models.h"
#include "wengert/nn/norm.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/training/step.h"
#include "wengert/wengert.h"

// The training step of 784-300-100-10 (tanh, SGD) beside its floor, its peak memory, and a step
// whose gradients vanish beside the same with healthy ones.
namespace wengert::tools {
namespace {

std::vector<std::vector<float>> copies(const ParameterSet& parameters) {
  std::vector<std::vector<float>> result;
  for (const Parameter* parameter : parameters.all()) {
    result.push_back(parameter->value().to_vector<float>());
  }
  return result;
}

/// L2 and global clipping around the step. The limit lies below the norm of every step here, so
/// that all gradients are scaled.
struct PenalizedWork : MlpWork {
  static constexpr double kLambda = 1e-3, kLimit = 0.1;
  PassPipeline passes;

  explicit PenalizedWork(std::int64_t batch) : MlpWork(batch) {
    passes.add<optim::L2Penalty>({.lambda = kLambda}).add<optim::ClipGlobalNorm>({.limit = kLimit});
  }
  double step() {
    const Tape tape;
    Roots roots;
    PassContext context;
    roots.parameters = &parameters;
    roots.add("loss", softmax_cross_entropy(logits(), labels));
    passes.run(PassStage::kLoss, roots, context);
    const Var loss = roots.at("loss");
    Gradients gradients = backward(loss);
    optim::run_on_gradients(passes, gradients, context);
    sgd.step(parameters, gradients);
    return loss.scalar_value();
  }
};

/// The same net, by Adam.
struct AdamWork : MlpWork {
  static constexpr float kRate = 1e-3f;
  optim::Adam adam{{.rate = kRate}};

  using MlpWork::MlpWork;
  double step() {
    return step_on([this] { return logits(); });
  }
  template <class Logits>
  double step_on(const Logits& recorded) {
    const Tape tape;
    const Var loss = softmax_cross_entropy(recorded(), labels);
    adam.step(parameters, backward(loss));
    return loss.scalar_value();
  }
};

/// 784-300-100-10 with batch norm, ReLU and dropout, by Adam.
struct FullWork : AdamWork {
  static constexpr double kDropped = 0.2;

  using AdamWork::AdamWork;
  Var full_logits() {
    const LinearOptions bare{.bias = false};
    Var h = linear(parameters, "fc1", inputs, 300, bare);
    h = dropout(parameters, "drop1", relu(batch_norm(parameters, "norm1", h)), kDropped);
    h = linear(parameters, "fc2", h, 100, bare);
    h = dropout(parameters, "drop2", relu(batch_norm(parameters, "norm2", h)), kDropped);
    return linear(parameters, "out", h, 10);
  }
  double step() {
    return step_on([this] { return full_logits(); });
  }
  /// In the floor's order.
  std::vector<std::vector<float>> weights() {
    std::vector<std::vector<float>> result;
    for (const char* name : {"fc1/weight", "fc2/weight", "out/weight", "out/bias", "norm1/gain",
                             "norm1/bias", "norm2/gain", "norm2/bias"}) {
      result.push_back(parameters.at(name).value().to_vector<float>());
    }
    return result;
  }
  std::vector<FullFloor::Mask> masks() {
    std::vector<FullFloor::Mask> result;
    for (const char* name : {"drop1", "drop2"}) {
      const RandomStream& stream = parameters.stream(name);
      result.push_back({stream.key(), stream.counter()});
    }
    return result;
  }
};

/// A row for `step` beside `floor_step`, which must compute the same: the losses of ten steps from
/// the same weights agree.
template <class Step, class FloorStep>
void compare_steps(const std::string& name, std::vector<BenchRow>& rows, Step&& step,
                   FloorStep&& floor_step) {
  double worst = 0;
  for (int i = 0; i < 10; ++i) {
    const double bare = floor_step(), ours = step();
    worst = std::fmax(worst, std::fabs(ours - bare) / bare);
  }
  if (!(worst < 1e-4)) {
    throw Error(
        ErrorKind::kInternal, "bench",
        name + " and its floor compute different losses, relative " + std::to_string(worst));
  }
  rows.push_back(compare(name, "µs", 1000, 400, step, floor_step));
}

/// `Work` beside step(floor, inputs, labels).
template <class Work, class Step>
void compare_mlp(const std::string& name, Step&& step, std::vector<BenchRow>& rows) {
  Work work(64);
  {
    const Tape tape;
    (void)work.logits();  // creates the parameters
  }
  MlpFloor floor({784, 300, 100, 10}, 64, copies(work.parameters));
  const float* inputs = work.inputs.template span<float>().data();
  const std::int64_t* labels = work.labels.template span<std::int64_t>().data();
  compare_steps(
      name, rows, [&] { return work.step(); }, [&] { return step(floor, inputs, labels); });
}

void compare_full(const std::string& name, std::vector<BenchRow>& rows) {
  FullWork work(64);
  {
    const Tape tape;
    (void)work.full_logits();
  }
  FullFloor floor({784, 300, 100, 10}, 64, work.weights(), FullWork::kRate,
                  static_cast<float>(FullWork::kDropped));
  const float* inputs = work.inputs.span<float>().data();
  const std::int64_t* labels = work.labels.span<std::int64_t>().data();
  compare_steps(
      name, rows, [&] { return work.step(); },
      [&] { return floor.step(inputs, labels, work.masks()); });
}

/// Steps of a deep sigmoid net whose weights are multiplied by `scale`: small ones let gradients
/// sink below the normal range on their way to the first layer.
class SigmoidSteps {
 public:
  explicit SigmoidSteps(double scale)
      : step_(parameters_, optim::classifier(nn::find_model("sigmoid_mlp").logits)) {
    const MlpWork work(64);
    batch_ = {.inputs = work.inputs, .targets = work.labels};
    run();  // creates the parameters
    for (Parameter* parameter : parameters_.all()) {
      const WriteGuard writing(parameter->mutable_value(), "bench");
      for (float& weight : writing.span<float>()) weight *= static_cast<float>(scale);
    }
  }
  void run() { step_.run(sgd_, std::span(&batch_, 1), context_); }

 private:
  ParameterSet parameters_;
  optim::Batch batch_;
  optim::TrainingStep step_;
  optim::Sgd sgd_{{.rate = 1e-9}};
  PassContext context_;
};

}  // namespace

void bench_step(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (selection.wants("step/mlp")) {
    compare_mlp<MlpWork>(
        "step/mlp",
        [](MlpFloor& floor, const float* inputs, const std::int64_t* labels) {
          return floor.step(inputs, labels, MlpWork::kRate);
        },
        rows);
  }
  if (selection.wants("step/mlp-l2-clip")) {
    using Work = PenalizedWork;
    compare_mlp<Work>(
        "step/mlp-l2-clip",
        [](MlpFloor& floor, const float* inputs, const std::int64_t* labels) {
          return floor.step_l2_clip(inputs, labels, Work::kRate, Work::kLambda, Work::kLimit);
        },
        rows);
  }
  if (selection.wants("step/mlp-adam")) {
    std::optional<AdamFloor> adam;
    compare_mlp<AdamWork>(
        "step/mlp-adam",
        [&](MlpFloor& floor, const float* inputs, const std::int64_t* labels) {
          if (!adam) adam.emplace(floor.weights(), AdamWork::kRate);
          return floor.step_adam(inputs, labels, *adam);
        },
        rows);
  }
  if (selection.wants("step/mlp-full")) compare_full("step/mlp-full", rows);
  if (selection.wants("step/mlp-vanishing")) {
    SigmoidSteps vanishing(3e-5), healthy(1);  // gradients of fc1 sink below 1.2e-38
    rows.push_back(compare(
        "step/mlp-vanishing", "µs", 400, 200, [&] { vanishing.run(); }, [&] { healthy.run(); }));
  }
}

void run_memory_child() {
  MlpWork work(8192);
  double loss = 0;
  for (int i = 0; i < 5; ++i) loss = work.step();
  if (!std::isfinite(loss)) throw Error(ErrorKind::kNonFinite, "bench", "the loss is not finite");
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmHWM:", 0) == 0) std::printf("%s\n", line.c_str() + 6);
  }
}

void bench_memory(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants("memory/mlp-8192")) return;
  int ends[2];
  if (pipe(ends) != 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  char program[] = "/proc/self/exe", bench[] = "bench", child[] = "--memory-child";
  char* arguments[] = {program, bench, child, nullptr};
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, program, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char buffer[256];
  ssize_t got;
  while ((got = read(ends[0], buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 1;
  if (failed == 0) waitpid(pid, &status, 0);
  double kilobytes = 0;
  const std::size_t digits = std::min(text.find_first_of("0123456789"), text.size());
  (void)std::from_chars(text.data() + digits, text.data() + text.size(), kilobytes);
  if (failed != 0 || status != 0 || kilobytes <= 0) {
    throw Error(ErrorKind::kInternal, "bench", "the memory measurement's process failed");
  }
  BenchRow row = summarize("memory/mlp-8192", "MB", {kilobytes * 1024 / 1e6});
  row.note = "peak resident size of a fresh process, 5 steps";
  rows.push_back(std::move(row));
}

}  // namespace wengert::tools
