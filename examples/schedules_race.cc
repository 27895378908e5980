// Schedules of the rate in a race.
//
// Shown: one net trained by every kind of schedule from the same rate: the rates, the losses and
// the accuracies in the end over several seeds. Source: the lecture notes' five schedules;
// L. Smith 2018, arXiv:1803.09820 (one cycle); I. Loshchilov and F. Hutter 2017, arXiv:1608.03983.
// Look at: losses that fall with their rate, and how little of that is left in the test accuracy.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

Var logits(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", relu(linear(parameters, "hidden", x, 64)), 10);
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run);
  const int epochs = run.quick ? 4 : 12, seeds = run.quick ? 1 : 3;
  const std::int64_t steps = epochs * ((data.train.count() + 49) / 50);
  const auto part = [&](double share) { return static_cast<double>(steps) * share; };
  const optim::ArrayLoader test(data.test, {.batch_size = 500});
  const std::vector<optim::Schedule> schedules = {
      optim::LinearDecay({.final_share = 1}),
      optim::PiecewiseConstant({.boundaries = {part(0.5), part(0.8)}, .shares = {0.1, 0.01}}),
      optim::ReduceOnPlateau({.factor = 0.3, .patience = 1}),
      optim::Exponential({.gamma = std::pow(0.01, 1 / part(1))}),
      optim::Power({.steps = part(0.1)}),
      optim::Cosine({}),
      optim::OneCycle({})};
  plot::Panel rates{.title = "Rate", .x = {"epoch"}, .y = {"rate"}};
  plot::Panel losses{.title = "Training loss",
                     .x = {"epoch"},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Bars ends{"test accuracy"};
  std::vector<std::string> names;
  double lowest = 1;
  for (const optim::Schedule& schedule : schedules) {
    const bool constant = schedule.name() == "linear_decay";
    const std::string name = constant ? "constant" : std::string(schedule.name());
    plot::Curve rate{name}, loss{name};
    double sum = 0, low = 1, high = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto number = static_cast<std::uint64_t>(seed);
      ParameterSet parameters(number);
      optim::Nesterov nesterov({.rate = 0.1});
      const optim::ArrayLoader train(data.train, {.batch_size = 50, .seed = number});
      const auto result = optim::fit(parameters, nesterov, train, optim::classifier(logits),
                                     {.epochs = epochs, .validation = &test, .schedule = schedule});
      const double accuracy = result.epochs.back().validation->value("accuracy");
      sum += accuracy;
      low = std::min(low, accuracy);
      high = std::max(high, accuracy);
      if (seed > 1) continue;
      for (const optim::EpochRecord& epoch : result.epochs) {
        for (auto* curve : {&rate, &loss}) curve->x.push_back(static_cast<double>(epoch.epoch));
        rate.y.push_back(epoch.rate);
        loss.y.push_back(epoch.train.loss());
      }
    }
    std::printf("%-20s training loss %.4f, test accuracy %.4f (%.4f to %.4f)\n", name.c_str(),
                loss.y.back(), sum / seeds, low, high);
    rates.curves.push_back(std::move(rate));
    losses.curves.push_back(std::move(loss));
    names.push_back(name);
    ends.heights.push_back(sum / seeds);
    ends.low.push_back(low);
    ends.high.push_back(high);
    lowest = std::min(lowest, low);
  }
  run.save(
      "schedules_race",
      {.title = "Schedules in a race, on " + data.name,
       .panels = {rates,
                  losses,
                  {.title = "In the end, lowest to highest of " + std::to_string(seeds) + " seeds",
                   .x = {.names = names},
                   .y = {.label = "test accuracy", .low = std::floor(lowest * 50) / 50 - 0.02},
                   .bars = {ends}}},
       .caption = "Nesterov's method from a rate of 0.1, batches of 50; rates are those of an "
                  "epoch's first step. The axis of the accuracies does not begin at 0."});
}
