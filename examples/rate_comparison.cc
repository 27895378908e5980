// What the rate does: too low, right, too high, and one that falls.
//
// Shown: the loss of one net by plain gradient descent at rates a factor of ten or so apart, and at
// a rate that falls from a high one. Source: the lecture notes' sketch of learning curves by rate;
// L. Bottou 2012, Stochastic Gradient Descent Tricks.
// Look at: the highest rate, which never comes down or leaves; the high one, which falls fast and
// then stays up; the low one, which is still on its way; the falling one, which ends lowest.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

Var logits(ParameterSet& parameters, const Var& x) {
  return linear(parameters, "out", relu(linear(parameters, "hidden", x, 64)), 10);
}

/// Losses are looked at while it trains; NaN ends the curve.
struct Watch : optim::TrainingHook {
  plot::Curve curve;
  double sum = 0;
  int every, count = 0;
  explicit Watch(int steps) : every(steps) {}
  std::string_view name() const override { return "watch"; }
  void after_step(optim::Training& training, const optim::StepRecord& record) override {
    (void)training;
    sum += record.totals.loss();
    if (++count % every != 0) return;
    curve.x.push_back(count);
    curve.y.push_back(sum / every);
    sum = 0;
  }
};

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run);
  const int epochs = run.quick ? 4 : 12;
  const optim::ArrayLoader train(data.train, {.batch_size = 50}),
      test(data.test, {.batch_size = 500});
  plot::Panel losses{.title = "Training loss",
                     .x = {"step"},
                     .y = {.label = "loss, mean of some steps (nats)", .scale = plot::Scale::kLog}};
  plot::Bars accuracies{"test accuracy"};
  std::vector<std::string> names;
  const auto train_at = [&](const std::string& name, double rate,
                            std::optional<optim::Schedule> schedule) {
    ParameterSet parameters(1);
    optim::Sgd sgd({.rate = rate});
    Watch watch(static_cast<int>(train.batch_count()) / 2);
    watch.curve.name = name;
    double accuracy = std::nan(""), loss = std::nan("");
    try {
      const auto result = optim::fit(parameters, sgd, train, optim::classifier(logits),
                                     {.epochs = epochs,
                                      .validation = &test,
                                      .schedule = std::move(schedule),
                                      .hooks = {&watch}});
      loss = result.epochs.back().train.loss();
      accuracy = result.epochs.back().validation->value("accuracy");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNonFinite) throw;  // it left: the curve ends here
    }
    std::printf("%-24s training loss %.4f, test accuracy %.3f\n", name.c_str(), loss, accuracy);
    losses.curves.push_back(watch.curve);
    names.push_back(name);
    accuracies.heights.push_back(accuracy);
  };
  for (const double rate : {0.001, 0.01, 0.1, 0.4, 10.0}) {
    train_at("rate " + format_number(rate), rate, {});
  }
  train_at("0.4, falling to 0", 0.4, optim::Cosine({}));
  run.save("rate_comparison",
           {.title = "One net, six rates, on " + data.name,
            .panels = {losses,
                       {.title = "In the end",
                        .x = {.names = names},
                        .y = {.label = "test accuracy", .low = 0, .high = 1},
                        .bars = {accuracies}}},
            .caption = "Plain gradient descent, batches of 50. A rate too low is still on its way; "
                       "one too high stays up; one that begins high and falls ends lowest."});
}
