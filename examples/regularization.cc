// Over-fitting and under-fitting, and what regularization does to them.
// Shown: a net that is too small, one that is large, and the large one under L2, L1, elastic net,
// max-norm, dropout, batch-norm and early stopping, on 500 pictures; then L2 from too little to too
// much. Source: the lecture notes' triptych; I. Goodfellow et al., Deep Learning, 2016, chapter 7.
// Look at: training loss that falls while the test's rises; the middle of the last panel.
#include <wengert/nn/dropout.h>
#include <wengert/nn/linear.h>
#include <wengert/nn/norm.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/passes.h>
#include <wengert/optim/training/early_stop.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"
using namespace wengert;
struct Method {
  std::string name;
  std::int64_t width = 128;
  bool dropout = false, batch_norm = false, early_stop = false;
  void (*add)(PassPipeline& passes, double strength) = [](PassPipeline&, double) {};
  double strength = 0;
};
struct Ended {
  std::vector<double> train, test;  ///< losses by epoch
  double train_accuracy = 0, test_accuracy = 0;
};
Ended train(const shared::Data& data, const Method& method, int epochs, std::uint64_t seed) {
  ParameterSet parameters(seed);
  const optim::Model model = optim::classifier([&](ParameterSet& set, const Var& x) {
    Var h = x;
    for (const char* name : {"first", "second"}) {
      h = linear(set, name, h, method.width);
      if (method.batch_norm) h = batch_norm(set, name + std::string("_norm"), h);
      h = relu(h);
      if (method.dropout) h = dropout(set, name + std::string("_drop"), h, 0.5);
    }
    return linear(set, "out", h, 10);
  });
  PassPipeline passes;
  method.add(passes, method.strength);
  optim::Adam adam({.rate = 1e-3});
  optim::EarlyStop stop({.patience = 5});
  const optim::ArrayLoader loader(data.train, {.batch_size = 50, .seed = seed});
  const optim::ArrayLoader seen(data.train, {.batch_size = 500, .shuffle = false});
  const optim::ArrayLoader test(data.test, {.batch_size = 500, .shuffle = false});
  optim::FitOptions options{.epochs = epochs, .validation = &test, .passes = &passes};
  if (method.early_stop) options.hooks = {&stop};
  Ended ended;
  for (const auto& epoch : optim::fit(parameters, adam, loader, model, options).epochs) {
    ended.train.push_back(epoch.train.loss());
    ended.test.push_back(epoch.validation->loss());
  }
  ended.train_accuracy = optim::measure(parameters, seen, model).value("accuracy");
  ended.test_accuracy = optim::measure(parameters, test, model).value("accuracy");
  return ended;
}
int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 500, 2000);
  const int epochs = run.quick ? 4 : 60, seeds = run.quick ? 1 : 3;
  const auto l2 = [](PassPipeline& passes, double s) {
    passes.add<optim::L2Penalty>({.lambda = s});
  };
  const auto l1 = [](PassPipeline& passes, double s) {
    passes.add<optim::L1Penalty>({.lambda = s});
  };
  const auto max_norm = [](PassPipeline& passes, double s) {
    passes.add<optim::MaxNorm>({.limit = s});
  };
  const auto both = [](PassPipeline& passes, double s) {
    passes.add<optim::ElasticNetShared>({.lambda = s});
  };
  const std::vector<Method> methods = {{"2 units", 2},
                                       {"none"},
                                       {.name = "L2", .add = l2, .strength = 0.01},
                                       {.name = "L1", .add = l1, .strength = 3e-4},
                                       {.name = "elastic net", .add = both, .strength = 3e-4},
                                       {.name = "max-norm", .add = max_norm, .strength = 1},
                                       {.name = "dropout", .dropout = true},
                                       {.name = "batch-norm", .batch_norm = true},
                                       {.name = "early stop", .early_stop = true}};
  plot::Panel tests{.title = "Test loss", .x = {"epoch"}, .y = {"loss (nats)"}};
  plot::Panel trains{.title = "Training loss, penalties in it",
                     .x = {"epoch"},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  plot::Panel ends{.title = "Accuracy in the end", .y = {"accuracy"}};
  ends.bars = {{"training"}, {"test"}};
  for (const Method& method : methods) {
    double train_sum = 0, low = 1, high = 0, sum = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
      const Ended ended = train(data, method, epochs, static_cast<std::uint64_t>(seed));
      train_sum += ended.train_accuracy / seeds;
      sum += ended.test_accuracy / seeds;
      low = std::min(low, ended.test_accuracy);
      high = std::max(high, ended.test_accuracy);
      if (seed > 1) continue;
      trains.curves.push_back({method.name, shared::steps(ended.train.size(), 1), ended.train});
      tests.curves.push_back({method.name, shared::steps(ended.test.size(), 1), ended.test});
    }
    std::printf("%-12s accuracy in training %.3f, in the test %.3f (%.3f to %.3f)\n",
                method.name.c_str(), train_sum, sum, low, high);
    ends.x.names.push_back(method.name);
    ends.bars[0].heights.push_back(train_sum);
    ends.bars[1].heights.push_back(sum);
  }
  plot::Panel sweep{
      .title = "L2 from too little to too much", .x = {"λ", plot::Scale::kLog}, .y = {"accuracy"}};
  sweep.curves = {{"training"}, {"test"}};
  for (double strength = 1e-4; strength < 2; strength *= std::sqrt(10)) {
    const Ended ended = train(data, {.name = "L2", .add = l2, .strength = strength}, epochs, 1);
    std::printf("lambda %.2g: training %.3f, test %.3f\n", strength, ended.train_accuracy,
                ended.test_accuracy);
    for (plot::Curve& curve : sweep.curves) curve.x.push_back(strength);
    sweep.curves[0].y.push_back(ended.train_accuracy);
    sweep.curves[1].y.push_back(ended.test_accuracy);
  }
  run.save("regularization", {.title = "Under- and over-fitting of 500 pictures, " + data.name,
                              .panels = {trains, tests, ends, sweep},
                              .columns = 2});
}
