#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tools/wengert/bench.h"
#include "tools/wengert/bench_floor.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/optimizer.h"
#include "wengert/wengert.h"

// The training step of 784-300-100-10 (tanh, SGD) beside its floor, and its peak memory.
namespace wengert::tools {
namespace {

constexpr double kRate = 0.01;

struct StepWork {
  ParameterSet parameters{7};
  optim::Sgd sgd{{.rate = kRate}};
  Tensor inputs;
  Tensor labels;

  explicit StepWork(std::int64_t batch) {
    inputs = Tensor::empty(DType::kFloat32, {batch, 784});
    labels = Tensor::empty(DType::kInt64, {batch});
    const WriteGuard x(inputs, "bench"), y(labels, "bench");
    // Numbers like pixels, and labels that depend on them a little.
    std::uint32_t state = 1;
    for (float& value : x.span<float>()) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<float>(state >> 8) * (1.0f / 16777216.0f);
    }
    for (std::size_t i = 0; i < y.span<std::int64_t>().size(); ++i) {
      y.span<std::int64_t>()[i] = static_cast<std::int64_t>(x.span<float>()[i * 784] * 10);
    }
  }

  Var logits() {
    const LinearOptions layer{.weight = nn::xavier_uniform()};
    Var h = tanh(linear(parameters, "fc1", inputs, 300, layer));
    h = tanh(linear(parameters, "fc2", h, 100, layer));
    return linear(parameters, "out", h, 10, layer);
  }

  double step() {
    Tape tape;
    const Var loss = softmax_cross_entropy(logits(), labels);
    sgd.step(parameters, backward(loss));
    return loss.scalar_value();
  }
};

std::vector<std::vector<float>> copies(const ParameterSet& parameters) {
  std::vector<std::vector<float>> result;
  for (const Parameter* parameter : parameters.all()) {
    result.push_back(parameter->value().to_vector<float>());
  }
  return result;
}

}  // namespace

void bench_step(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants("step/mlp")) return;
  StepWork work(64);
  work.step();  // creates the parameters
  MlpFloor floor({784, 300, 100, 10}, 64, copies(work.parameters));
  const auto inputs = work.inputs.span<float>();
  const auto labels = work.labels.span<std::int64_t>();
  // Both must compute the same: the losses of ten steps from the same weights agree.
  double worst = 0;
  for (int i = 0; i < 10; ++i) {
    const double ours = work.step();
    const double bare = floor.step(inputs.data(), labels.data(), kRate);
    worst = std::fmax(worst, std::fabs(ours - bare) / bare);
  }
  if (!(worst < 1e-4)) {
    throw Error(ErrorKind::kInternal, "bench", "the step and its floor compute different losses");
  }
  rows.push_back(compare(
      "step/mlp", "µs", 1000, 400, [&] { work.step(); },
      [&] { floor.step(inputs.data(), labels.data(), kRate); }));
}

void run_memory_child() {
  StepWork work(8192);
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
  const double kilobytes = std::atof(text.c_str());
  if (failed != 0 || status != 0 || kilobytes <= 0) {
    throw Error(ErrorKind::kInternal, "bench", "the memory measurement's process failed");
  }
  BenchRow row = summarize("memory/mlp-8192", "MB", {kilobytes * 1024 / 1e6});
  row.note = "peak resident size of a fresh process, 5 steps";
  rows.push_back(std::move(row));
}

}  // namespace wengert::tools
