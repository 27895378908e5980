// Optimizers in a race on pictures.
//
// Shown: one net trained by eleven methods, each at the best of three rates: losses by epoch,
// accuracies over seeds. Source: the lecture notes' comparison; S. Ruder 2016, arXiv:1609.04747.
// Look at: how close the best of each come, and which method needs its rate to be right.
#include <wengert/nn/linear.h>
#include <wengert/optim/methods.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

Var logits(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", relu(linear(parameters, "hidden", x, 64)), 10);
}

struct Racer {
  const char* method;
  double rate;  ///< the middle of three
};
const Racer kRacers[] = {{"sgd", 0.1},      {"momentum", 0.03}, {"nesterov", 0.03},
                         {"adagrad", 0.03}, {"rmsprop", 1e-3},  {"adadelta", 1},
                         {"adam", 1e-3},    {"adamax", 2e-3},   {"nadam", 1e-3},
                         {"radam", 1e-3},   {"lion", 3e-4}};

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run);
  const int epochs = run.quick ? 3 : 10, seeds = run.quick ? 1 : 3;
  const optim::ArrayLoader test(data.test, {.batch_size = 500, .shuffle = false});
  plot::Panel losses{.title = "Training loss at each one's best rate",
                     .x = {"epoch"},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Panel ends{.title = "Test accuracy, lowest to highest seed", .y = {.label = "accuracy"}};
  plot::Panel rates{.title = "Training loss by rate",
                    .x = {"rate beside the middle one", plot::Scale::kLog},
                    .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Bars bars{"test"};
  double lowest = 1;
  const auto train = [&](const Racer& racer, double rate, std::uint64_t seed) {
    ParameterSet parameters(seed);
    const auto optimizer = optim::make_optimizer(racer.method);
    optimizer->set_rate(rate);
    const optim::ArrayLoader loader(data.train, {.batch_size = 50, .seed = seed});
    return optim::fit(parameters, *optimizer, loader, optim::classifier(logits),
                      {.epochs = epochs, .validation = &test});
  };
  for (const Racer& racer : kRacers) {
    plot::Curve by_rate{racer.method}, by_epoch{racer.method};
    double best_rate = racer.rate, best = 1e300;
    for (const double factor : {1.0 / 3, 1.0, 3.0}) {
      const auto result = train(racer, factor * racer.rate, 1);
      const double loss = result.epochs.back().train.loss();
      by_rate.x.push_back(factor);
      by_rate.y.push_back(loss);
      if (!(loss < best)) continue;
      best = loss;
      best_rate = factor * racer.rate;
      by_epoch.y.clear();
      for (const auto& epoch : result.epochs) by_epoch.y.push_back(epoch.train.loss());
    }
    by_epoch.x = shared::steps(by_epoch.y.size(), 1);
    double sum = 0, low = 1, high = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto result = train(racer, best_rate, static_cast<std::uint64_t>(seed));
      const double accuracy = result.epochs.back().validation->value("accuracy");
      sum += accuracy / seeds;
      low = std::min(low, accuracy);
      high = std::max(high, accuracy);
    }
    std::printf("%-9s rate %.2g: training loss %.4f, test accuracy %.3f (%.3f to %.3f)\n",
                racer.method, best_rate, best, sum, low, high);
    losses.curves.push_back(by_epoch);
    rates.curves.push_back(by_rate);
    ends.x.names.push_back(racer.method);
    bars.heights.push_back(sum);
    bars.low.push_back(low);
    bars.high.push_back(high);
    lowest = std::min(lowest, low);
  }
  ends.y.low = std::floor(lowest * 50) / 50 - 0.02;
  ends.bars = {bars};
  run.save("optimizer_race",
           {.title = "Optimizers in a race, on " + data.name,
            .panels = {losses, rates, ends},
            .caption = "Batches of 50. The axis of the accuracies does not begin at 0."});
}
