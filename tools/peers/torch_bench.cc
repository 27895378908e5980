// Times libtorch, PyTorch's C++ library, at the work of `wengert bench`, under the same names.
//
//   torch_bench [--threads N] [--quick]   chains of 1000 recorded ops, and one MLP training step
//   torch_bench --memory [--threads N]    five steps at batch 8192; the caller reads the peak size
//
// Prints a JSON list of {name, unit, median, p25, p75}. Exits with 1 if a result is not finite.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using torch::Tensor;

constexpr int kChain = 1000;    // ops per chain
constexpr int kBatches = 16;    // batches that a training run cycles through
constexpr double kRate = 0.05;  // of SGD

struct Options {
  int threads = 1;
  bool quick = false;
  bool memory = false;
};

struct Result {
  std::string name, unit;
  std::vector<double> samples;
};

double now_ns() {
  const auto t = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
}

double quantile(std::vector<double> sorted, double q) {
  std::sort(sorted.begin(), sorted.end());
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

void print(const std::vector<Result>& results) {
  std::printf("[");
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    std::printf("%s\n  {\"name\": \"%s\", \"unit\": \"%s\", ", i ? "," : "", r.name.c_str(),
                r.unit.c_str());
    std::printf("\"median\": %.4f, \"p25\": %.4f, \"p75\": %.4f}", quantile(r.samples, .5),
                quantile(r.samples, .25), quantile(r.samples, .75));
  }
  std::printf("\n]\n");
}

void require_finite(const Tensor& t, const std::string& what) {
  if (torch::isfinite(t).all().item<bool>()) return;
  std::fprintf(stderr, "torch_bench: %s is not finite\n", what.c_str());
  std::exit(1);
}

// One chain: y starts as x, and op(y) is applied kChain times.
struct Chain {
  std::string name;
  Tensor x;
  std::function<Tensor(const Tensor&)> op;
};

std::vector<Chain> chains(bool one_element) {
  using Shape = std::vector<int64_t>;
  const std::string size = one_element ? "1" : "16x16";
  const Shape shape = one_element ? Shape{} : Shape{16, 16};
  const Shape square = one_element ? Shape{1, 1} : Shape{16, 16};
  auto leaf = [](Tensor t) { return t.detach().requires_grad_(); };
  const Tensor x = leaf(torch::randn(shape));
  const Tensor near_one = leaf(1 + 1e-3 * torch::randn(shape));  // 1000 factors stay in range
  const Tensor m = leaf(torch::randn(square));
  const Tensor w = std::get<0>(torch::linalg_qr(torch::randn(square)));  // keeps lengths
  return {
      {"add/" + size, x, [x](const Tensor& y) { return y + x; }},
      {"mul/" + size, near_one, [near_one](const Tensor& y) { return y * near_one; }},
      {"tanh/" + size, x, [](const Tensor& y) { return torch::tanh(y); }},
      {"matmul/" + size, m, [w](const Tensor& y) { return torch::matmul(y, w); }},
  };
}

// Recording and the gradient pass, apart. Freeing the graph counts for neither.
void time_chain(const Chain& chain, const Options& options, std::vector<Result>& out) {
  const int repeats = options.quick ? 9 : 31;
  const int warm_up = 3;
  const Tensor seed = torch::ones_like(chain.x);
  Result record{"record/" + chain.name, "ns", {}}, backward{"backward/" + chain.name, "ns", {}};
  for (int i = 0; i < warm_up + repeats; ++i) {
    const double start = now_ns();
    Tensor y = chain.x;
    for (int k = 0; k < kChain; ++k) y = chain.op(y);
    const double recorded = now_ns();
    const auto grads = torch::autograd::grad({y}, {chain.x}, {seed});
    const double done = now_ns();
    require_finite(y, chain.name);
    require_finite(grads[0], "the gradient of " + chain.name);
    if (i < warm_up) continue;
    record.samples.push_back((recorded - start) / kChain);
    backward.samples.push_back((done - recorded) / kChain);
  }
  out.push_back(record);
  out.push_back(backward);
}

// The 784-300-100-10 tanh MLP with its preloaded data.
struct Mlp {
  explicit Mlp(int64_t batch, int batches) {
    torch::manual_seed(7);
    net = torch::nn::Sequential(torch::nn::Linear(784, 300), torch::nn::Tanh(),
                                torch::nn::Linear(300, 100), torch::nn::Tanh(),
                                torch::nn::Linear(100, 10));
    sgd = std::make_unique<torch::optim::SGD>(net->parameters(), kRate);
    for (int i = 0; i < batches; ++i) {
      images.push_back(torch::rand({batch, 784}));
      labels.push_back(torch::randint(10, {batch}, torch::kLong));
    }
  }

  Tensor step(size_t i) {
    sgd->zero_grad();
    Tensor loss = torch::nn::functional::cross_entropy(net->forward(images[i % images.size()]),
                                                       labels[i % labels.size()]);
    loss.backward();
    sgd->step();
    return loss;
  }

  torch::nn::Sequential net{nullptr};
  std::unique_ptr<torch::optim::SGD> sgd;
  std::vector<Tensor> images, labels;
};

Result time_mlp(const Options& options) {
  const int steps = options.quick ? 100 : 400;
  const int warm_up = 30;
  Mlp mlp(64, kBatches);
  Result result{"step/mlp", "us", {}};
  Tensor loss;
  for (int i = 0; i < warm_up + steps; ++i) {
    const double start = now_ns();
    loss = mlp.step(static_cast<size_t>(i));
    const double done = now_ns();
    if (i >= warm_up) result.samples.push_back((done - start) / 1e3);
  }
  require_finite(loss, "the loss");
  return result;
}

double resident_mb() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096 / 1e6;
}

void run_memory() {
  const double before = resident_mb();
  Mlp mlp(8192, 1);
  Tensor loss;
  for (int i = 0; i < 5; ++i) loss = mlp.step(0);
  require_finite(loss, "the loss");
  print({{"memory/baseline", "MB", {before}}});
}

void run_timings(const Options& options) {
  torch::manual_seed(1);
  std::vector<Result> results;
  for (const bool one_element : {true, false})
    for (const Chain& chain : chains(one_element)) time_chain(chain, options, results);
  results.push_back(time_mlp(options));
  print(results);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") options.quick = true;
    if (word == "--memory") options.memory = true;
    if (word == "--threads" && i + 1 < argc) options.threads = std::atoi(argv[++i]);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  torch::set_num_threads(options.threads);
  if (options.memory)
    run_memory();
  else
    run_timings(options);
}
