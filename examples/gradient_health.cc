// Gradients that vanish and explode in a net of 30 layers.
//
// Shown: for sigmoid, tanh and ReLU and four initializations, with and without batch-norm, the norm
// of every layer's gradient, step by step. Source: X. Glorot and Y. Bengio 2010; K. He et al. 2015,
// arXiv:1502.01852; S. Ioffe and C. Szegedy 2015; S. Hochreiter 1991 for why.
// Look at: dark rows, where a layer gets no gradient; yellow, where it explodes and the step after
// it has none (grey); even rows where the initialization fits, or batch-norm stands in between.
#include <wengert/nn/linear.h>
#include <wengert/nn/norm.h>
#include <wengert/optim/optimizer.h>

#include "shared.h"

using namespace wengert;
constexpr int kLayers = 30;
constexpr std::int64_t kWidth = 32;

struct Activation {
  const char* name;
  Var (*call)(const Var& x);
};
const Activation kActivations[] = {{"sigmoid", [](const Var& x) { return sigmoid(x); }},
                                   {"tanh", [](const Var& x) { return tanh(x); }},
                                   {"ReLU", [](const Var& x) { return relu(x); }}};

struct Start {
  const char* name;
  Initializer weight;
};
const Start kStarts[] = {{"N(0, 0.01²)", nn::near_zero_normal()},
                         {"Xavier", nn::xavier_normal()},
                         {"He", nn::he_normal()},
                         {"N(0, 0.5²)", nn::normal(0, 0.5)}};

/// What stands between a layer and its activation.
struct Between {
  const char* name;
  Var (*call)(ParameterSet& parameters, const std::string& layer, const Var& x);
};
const Between kBetween[] = {
    {"", [](ParameterSet&, const std::string&, const Var& x) { return x; }},
    {", batch-norm", [](ParameterSet& set, const std::string& name,
                        const Var& x) { return batch_norm(set, name + "_norm", x); }},
};
std::string layer_name(int i) { return "layer" + std::to_string(i + 1); }
Var net(ParameterSet& parameters, const Var& x, const Activation& activation, const Start& start,
        const Between& between) {
  Var h = x;
  for (int i = 0; i < kLayers; ++i) {
    const std::string name = layer_name(i);
    h = linear(parameters, name, h, kWidth, {.weight = start.weight});
    h = activation.call(between.call(parameters, name, h));
  }
  return linear(parameters, "out", h, 10, {.weight = start.weight});
}

/// Norms by layer and step; a step whose gradients are not finite is the last.
std::vector<std::vector<double>> norms_of(const shared::Batch& batch, int steps, double& loss,
                                          auto&& logits) {
  ParameterSet parameters(1);
  optim::Sgd sgd({.rate = 0.05});
  std::vector<std::vector<double>> norms(kLayers);
  for (int step = 0; step < steps; ++step) {
    Tape tape;
    const Var mean = softmax_cross_entropy(logits(parameters, batch.inputs), batch.targets);
    const Gradients gradients = backward(mean);
    loss = mean.scalar_value();
    for (int i = 0; i < kLayers; ++i) {
      const Var g = gradients.at(layer_name(i) + "/weight");
      norms[static_cast<std::size_t>(i)].push_back(norm(cast(g, DType::kFloat64)).item<double>());
    }
    try {
      sgd.step(parameters, gradients);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNonFinite) throw;
      break;
    }
  }
  for (auto& row : norms) row.resize(static_cast<std::size_t>(steps), std::nan(""));
  return norms;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int steps = run.quick ? 5 : 60;
  const shared::Batch batch = shared::digits(run.quick ? 20 : 100, 1);
  plot::Figure figure{.title = "Norms of the gradients of 30 layers, step by step",
                      .caption =
                          "Colours: 10⁻⁸ to 10⁴. Layer 1 at first: below 10⁻⁴ vanishing, "
                          "above 100 exploding.",
                      .columns = 4,
                      .plot_width = 240,
                      .plot_height = 200};
  std::vector<std::string> layers;
  for (int i = 0; i < kLayers; ++i) layers.push_back(std::to_string(i + 1));
  for (const Between& between : kBetween) {
    for (const Activation& activation : kActivations) {
      for (const Start& start : kStarts) {
        double loss = 0;
        const auto norms = norms_of(batch, steps, loss, [&](ParameterSet& set, const Var& x) {
          return net(set, x, activation, start, between);
        });
        const double first = norms.front()[0], last = norms.back()[0];
        const char* verdict = first < 1e-4 ? "vanishing" : first > 1e2 ? "exploding" : "healthy";
        std::printf("%-8s %-12s %s, layer 1 %8.1e, layer 30 %8.1e: %-9s last loss %.3g\n",
                    activation.name, start.name, between.name, first, last, verdict, loss);
        const std::string title = std::string(activation.name) + ", " + start.name;
        figure.panels.push_back({.title = title + between.name + ": " + verdict,
                                 .x = {"step"},
                                 .y = {.label = "layer", .names = layers},
                                 .heat_map = plot::HeatMap{.grid = plot::strip(norms),
                                                           .label = "norm of the gradient",
                                                           .scale = plot::Scale::kLog,
                                                           .low = 1e-8,
                                                           .high = 1e4}});
      }
    }
  }
  run.save("gradient_health", figure);
}
