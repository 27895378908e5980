// Which activation learns best?
//
// Shown: one net with sigmoid, tanh, ReLU, leaky ReLU and ELU over several seeds: training loss by
// epoch, test accuracy in the end. Source: the lecture notes' order ELU > leaky > ReLU > tanh >
// sigmoid, "ELU slower"; D.-A. Clevert et al. 2015, arXiv:1511.07289.
// Look at: the spread of the seeds beside the distances of the means before believing an order.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

struct Activation {
  const char* name;
  Var (*call)(const Var& x);
  Initializer weight;  ///< that keeps its variance
};
const Activation kActivations[] = {
    {"sigmoid", [](const Var& x) { return sigmoid(x); }, nn::xavier_normal()},
    {"tanh", [](const Var& x) { return tanh(x); }, nn::xavier_normal()},
    {"ReLU", [](const Var& x) { return relu(x); }, nn::he_normal()},
    {"leaky ReLU", [](const Var& x) { return leaky_relu(x, 0.01); }, nn::he_normal()},
    {"ELU", [](const Var& x) { return elu(x); }, nn::he_normal()}};

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run);
  const int epochs = run.quick ? 3 : 10, seeds = run.quick ? 2 : 5;
  const optim::ArrayLoader test(data.test, {.batch_size = 500});
  plot::Panel losses{.title = "Training loss, lowest to highest seed",
                     .x = {"epoch"},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Bars ends{"test accuracy"};
  std::vector<std::string> names;
  double lowest = 1;
  for (const Activation& activation : kActivations) {
    const auto logits = [&](ParameterSet& parameters, const Var& x) {
      const LinearOptions options{.weight = activation.weight};
      Var h = x;
      for (const char* layer : {"fc1", "fc2", "fc3", "fc4"}) {
        h = activation.call(linear(parameters, layer, h, 64, options));
      }
      return linear(parameters, "out", h, 10, options);
    };
    plot::Curve mean{activation.name, shared::steps(static_cast<std::size_t>(epochs), 1)};
    plot::Band spread{"", mean.x};
    mean.y.resize(mean.x.size());
    spread.low.resize(mean.x.size(), 1e300);
    spread.high.resize(mean.x.size());
    double sum = 0, low = 1, high = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto number = static_cast<std::uint64_t>(seed);
      ParameterSet parameters(number);
      optim::Momentum momentum({.rate = 0.02});
      const optim::ArrayLoader train(data.train, {.batch_size = 50, .seed = number});
      const auto result = optim::fit(parameters, momentum, train, optim::classifier(logits),
                                     {.epochs = epochs, .validation = &test});
      for (std::size_t i = 0; i < result.epochs.size(); ++i) {
        const double loss = result.epochs[i].train.loss();
        mean.y[i] += loss / seeds;
        spread.low[i] = std::min(spread.low[i], loss);
        spread.high[i] = std::max(spread.high[i], loss);
      }
      const double accuracy = result.epochs.back().validation->value("accuracy");
      sum += accuracy;
      low = std::min(low, accuracy);
      high = std::max(high, accuracy);
    }
    std::printf("%-11s training loss %.4f, test accuracy %.4f (%.4f to %.4f)\n", activation.name,
                mean.y.back(), sum / seeds, low, high);
    losses.curves.push_back(std::move(mean));
    losses.bands.push_back(std::move(spread));
    names.emplace_back(activation.name);
    ends.heights.push_back(sum / seeds);
    ends.low.push_back(low);
    ends.high.push_back(high);
    lowest = std::min(lowest, low);
  }
  run.save(
      "activation_comparison",
      {.title = "Five activations in one net, on " + data.name,
       .panels = {losses,
                  {.title = "In the end, lowest to highest of " + std::to_string(seeds) + " seeds",
                   .x = {.names = names},
                   .y = {.label = "test accuracy", .low = std::floor(lowest * 50) / 50 - 0.02},
                   .bars = {ends}}},
       .caption = "Four hidden layers of 64, momentum, rate 0.02, batches of 50; Xavier's "
                  "weights for sigmoid and tanh, He's for the others. The axis of the "
                  "accuracies does not begin at 0."});
}
