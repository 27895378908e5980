// What initialization does before and while a net learns.
//
// Shown: a net of eight tanh layers under five initializations: the variance of the activations and
// of the gradients by layer before training, as in Glorot's figures, and the training loss. Source:
// X. Glorot and Y. Bengio 2010, figures 6 and 7; A. Saxe et al. 2014, arXiv:1312.6120 (orthogonal).
// Look at: lines that stay level on the left and in the middle, and that these learn first.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

constexpr int kLayers = 8;

struct Start {
  const char* name;
  Initializer weight;
};
const Start kStarts[] = {{"N(0, 0.01²)", nn::near_zero_normal()},
                         {"U(±1/√n)", nn::lecun_uniform(1 / std::sqrt(3.0))},
                         {"Xavier", nn::xavier_normal()},
                         {"He", nn::he_normal()},
                         {"orthogonal", nn::orthogonal()}};

std::string layer_name(int i) { return "layer" + std::to_string(i + 1); }

Var net(ParameterSet& parameters, const Var& x, const Start& start, std::vector<Var>* outputs) {
  Var h = x;
  for (int i = 0; i < kLayers; ++i) {
    h = tanh(linear(parameters, layer_name(i), h, 64, {.weight = start.weight}));
    if (outputs != nullptr) outputs->push_back(h);
  }
  return linear(parameters, "out", h, 10, {.weight = start.weight});
}

double variance_of(const Var& x) { return variance(cast(x, DType::kFloat64)).item<double>(); }

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run);
  const int epochs = run.quick ? 2 : 10;
  const optim::ArrayLoader train(data.train, {.batch_size = 50}),
      test(data.test, {.batch_size = 500});
  const plot::Axis layers{"layer"};
  plot::Panel forward{.title = "Activations before training",
                      .x = layers,
                      .y = {.label = "variance", .scale = plot::Scale::kLog}};
  plot::Panel backwards{.title = "Gradients before training",
                        .x = layers,
                        .y = {.label = "variance of ∂E/∂activation", .scale = plot::Scale::kLog}};
  plot::Panel losses{.title = "Training loss",
                     .x = {"epoch"},
                     .y = {.label = "loss (nats)", .scale = plot::Scale::kLog}};
  for (const Start& start : kStarts) {
    ParameterSet parameters(1);
    plot::Curve activations{start.name}, gradients{start.name}, loss{start.name};
    {
      const Tape tape;
      std::vector<Var> outputs;
      const optim::Batch batch = train.batch(1, 0);
      const Var mean =
          softmax_cross_entropy(net(parameters, batch.inputs, start, &outputs), batch.targets);
      const std::vector<Var> sent = grad(VarList{mean}, outputs);
      for (int i = 0; i < kLayers; ++i) {
        for (auto* curve : {&activations, &gradients}) curve->x.push_back(i + 1);
        activations.y.push_back(variance_of(outputs[static_cast<std::size_t>(i)]));
        gradients.y.push_back(variance_of(sent[static_cast<std::size_t>(i)]));
      }
    }
    optim::Sgd sgd({.rate = 0.05});
    const auto logits = [&](ParameterSet& set, const Var& x) {
      return net(set, x, start, nullptr);
    };
    const auto result = optim::fit(parameters, sgd, train, optim::classifier(logits),
                                   {.epochs = epochs, .validation = &test});
    for (const optim::EpochRecord& epoch : result.epochs) {
      loss.x.push_back(static_cast<double>(epoch.epoch));
      loss.y.push_back(epoch.train.loss());
    }
    std::printf(
        "%-12s gradient variance first over last layer %8.1e, loss after epoch 1 %.4f, %d "
        "%.4f, test accuracy %.3f\n",
        start.name, gradients.y.front() / gradients.y.back(), loss.y.front(), epochs, loss.y.back(),
        result.epochs.back().validation->value("accuracy"));
    forward.curves.push_back(std::move(activations));
    backwards.curves.push_back(std::move(gradients));
    losses.curves.push_back(std::move(loss));
  }
  run.save("initialization_comparison",
           {.title = "Eight tanh layers under five initializations, on " + data.name,
            .panels = {forward, backwards, losses},
            .caption = "64 units a layer, plain gradient descent, rate 0.05, batches of 50. "
                       "U(±1/√n) was usual before Xavier's: its gradients shrink towards the "
                       "input."});
}
