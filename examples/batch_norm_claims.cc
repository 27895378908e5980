// What batch-norm is said to do: larger rates, less need of dropout and penalties, more time.
//
// Shown: a net of four sigmoid and one of four ReLU layers with and without batch-norm: training
// loss by rate, test accuracy with dropout and L2, time of an epoch. Source: S. Ioffe and C.
// Szegedy 2015, arXiv:1502.03167; the lecture notes. Look at: how far to the right each curve goes
// before it rises.
#include <wengert/nn/dropout.h>
#include <wengert/nn/linear.h>
#include <wengert/nn/norm.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/passes.h>
#include <wengert/optim/training/fit.h>

#include <chrono>

#include "shared.h"

using namespace wengert;

struct Net {
  bool rectifier, batch_norm;
  double drop = 0, lambda = 0;
  std::string name() const {
    return std::string(rectifier ? "ReLU" : "sigmoid") + (batch_norm ? ", batch-norm" : "");
  }
};

struct Ended {
  double loss, accuracy, seconds;  ///< seconds an epoch
};

Ended train(const shared::Data& data, const Net& net, double rate, int epochs, std::uint64_t seed) {
  ParameterSet parameters(seed);
  const optim::Model model = optim::classifier([&](ParameterSet& set, const Var& x) {
    Var h = x;
    for (const std::string layer : {"fc1", "fc2", "fc3", "fc4"}) {
      h = linear(set, layer, h, 64);
      if (net.batch_norm) h = batch_norm(set, layer + "_norm", h);
      h = net.rectifier ? relu(h) : sigmoid(h);
      if (net.drop > 0) h = dropout(set, layer + "_drop", h, net.drop);
    }
    return linear(set, "out", h, 10);
  });
  PassPipeline passes;
  if (net.lambda > 0) passes.add<optim::L2Penalty>({.lambda = net.lambda});
  optim::Sgd sgd({.rate = rate});
  const optim::ArrayLoader loader(data.train, {.batch_size = 50, .seed = seed});
  const optim::ArrayLoader test(data.test, {.batch_size = 500, .shuffle = false});
  const auto begun = std::chrono::steady_clock::now();
  try {
    const auto result =
        optim::fit(parameters, sgd, loader, model, {.epochs = epochs, .passes = &passes});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
    return {result.epochs.back().train.loss(),
            optim::measure(parameters, test, model).value("accuracy"), taken.count() / epochs};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNonFinite) throw;
    return {std::nan(""), 0.1, std::nan("")};  // it left
  }
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 3000, 2000);
  const int epochs = run.quick ? 2 : 8, seeds = run.quick ? 1 : 3;
  plot::Panel losses{.title = "Training loss by rate",
                     .x = {"rate", plot::Scale::kLog},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Panel ends{.title = "Test accuracy, ReLU, rate 0.1", .y = {"accuracy"}};
  ends.x.names = {"plain", "dropout .2", "L2 1e-3"};
  for (const bool rectifier : {false, true}) {
    for (const bool with : {false, true}) {
      const Net net{rectifier, with};
      plot::Curve curve{net.name()};
      double seconds = 1e300, largest = 0;
      for (const double rate : {0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0}) {
        const Ended ended = train(data, net, rate, epochs, 1);
        curve.x.push_back(rate);
        curve.y.push_back(ended.loss);
        if (ended.seconds < seconds) seconds = ended.seconds;
        if (ended.loss < 1) largest = rate;
      }
      std::printf("%-20s learns up to a rate of %g, %.3f s an epoch\n", curve.name.c_str(), largest,
                  seconds);
      losses.curves.push_back(curve);
    }
  }
  for (const bool with : {false, true}) {
    plot::Bars bars{with ? "batch-norm" : "none"};
    for (const auto& [drop, lambda] : {std::pair{0.0, 0.0}, {0.2, 0.0}, {0.0, 1e-3}}) {
      double sum = 0, low = 1, high = 0;
      for (int seed = 1; seed <= seeds; ++seed) {
        const double accuracy =
            train(data, {true, with, drop, lambda}, 0.1, epochs, static_cast<std::uint64_t>(seed))
                .accuracy;
        sum += accuracy / seeds;
        low = std::min(low, accuracy);
        high = std::max(high, accuracy);
      }
      std::printf("%-10s dropout %.1f, L2 %g: accuracy %.3f (%.3f to %.3f)\n", bars.name.c_str(),
                  drop, lambda, sum, low, high);
      bars.heights.push_back(sum);
      bars.low.push_back(low);
      bars.high.push_back(high);
    }
    ends.bars.push_back(bars);
  }
  run.save("batch_norm_claims",
           {.title = "With and without batch-norm, " + data.name, .panels = {losses, ends}});
}
