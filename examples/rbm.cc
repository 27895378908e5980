// Restricted Boltzmann machines, and what pre-training layer by layer does for a net.
//
// Shown: CD-k as the gradient of F(data) − F(model) on the tape, F the free energy, beside the
// textbook's statistics; a net from two machines beside the same net from random weights.
// Source: G. Hinton, Neural Computation 14, 2002; G. Hinton and R. Salakhutdinov, Science 313,
// 2006. Look at: filters that are strokes; how well the pre-trained net does on digits it has not
// seen.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>

#include "shared.h"

using namespace wengert;
/// Two layers of units that are 0 or 1, every one tied to every one of the other layer.
struct Machine {
  ParameterSet set{3};
  RandomStream draws;
  Machine(std::int64_t visible, std::int64_t hidden, const char* name) : draws(3, name) {
    Tensor weights = Tensor::empty({visible, hidden}, DType::kFloat32);
    fill_normal(weights, 3, name, 0, 0, 0.05);
    set.add("weight", weights);
    set.add("visible", Tensor::zeros({visible}, DType::kFloat32));
    set.add("hidden", Tensor::zeros({hidden}, DType::kFloat32));
  }
  Var at(const char* name) { return use(set.at(name)); }
  Var hidden(const Var& v) { return sigmoid(matmul(v, at("weight")) + at("hidden")); }
  Var visible(const Var& h) { return sigmoid(matmul(h, transpose(at("weight"))) + at("visible")); }
  Var sampled(const Var& p) {
    return cast(less(random_uniform(draws, p.shape()), p), DType::kFloat32);
  }
  /// F(v) = −v·b − Σ softplus(v·W + c), whose e^−F is what the machine gives v.
  Var energy(const Var& v) {
    return -sum(v * at("visible"), {1}) -
           sum(softplus(matmul(v, at("weight")) + at("hidden")), {1});
  }
  /// What k steps of Gibbs sampling make of v.
  Tensor model(const Tensor& v, int k = 1) {
    Var now = v;
    for (int step = 0; step < k; ++step) now = sampled(visible(sampled(hidden(now))));
    return now.value();
  }
};

/// Gives the error of one reconstruction by epoch, and how far the tape's first gradient is `off`
/// vᵀh of the model less that of the data.
std::vector<double> train(Machine& machine, const Tensor& data, int epochs, double& off) {
  optim::Sgd sgd({.rate = 0.2});
  std::vector<double> errors;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (std::int64_t first = 0; first + 20 <= data.size(0); first += 20) {
      const Tensor v = data.rows(first, first + 20).contiguous(), model = machine.model(v);
      const Tape tape;
      const Gradients gradients = backward(mean(machine.energy(v)) - mean(machine.energy(model)));
      if (epoch == 0 && first == 0) {
        const auto products = [&](const Var& x) { return matmul(transpose(x), machine.hidden(x)); };
        const Var textbook = (products(model) - products(v)) / 20.0;
        off = std::fmax(off, max(abs(gradients.at("weight") - textbook)).item<float>());
      }
      sgd.step(machine.set, gradients);
    }
    const Var again = machine.visible(machine.hidden(data));
    errors.push_back(mean(square(again - data)).item<float>());
  }
  return errors;
}
Var net(ParameterSet& set, const Var& x) {
  const Var h = sigmoid(linear(set, "fc1", x, 64));
  return linear(set, "out", sigmoid(linear(set, "fc2", h, 32)), 10);
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int epochs = run.quick ? 3 : 40;
  const std::size_t updates = run.quick ? 20 : 300;
  const shared::Batch unlabelled = shared::digits(run.quick ? 100 : 1000, 1, 0);
  const shared::Batch few = shared::digits(100, 2, 0.4), test = shared::digits(1000, 3, 0.4);
  Machine first(144, 64, "first"), second(64, 32, "second");
  double off = 0;
  const auto errors = train(first, unlabelled.inputs, epochs, off);
  const Tensor above = first.hidden(unlabelled.inputs).value();
  const auto errors_above = train(second, above, epochs, off);
  std::printf("gradient off the statistics by %.1e, reconstruction error from %.2g to %.2g\n", off,
              errors.front(), errors.back());
  plot::Grid filters{52, 52, std::vector<double>(52 * 52, std::nan("")), 0, 4, 0, 4};
  for (int unit = 0; unit < 16; ++unit) {
    for (int p = 0; p < 144; ++p) {
      const int at = ((3 - unit / 4) * 13 + 11 - p / 12) * 52 + unit % 4 * 13 + p % 12;
      filters.values[std::size_t(at)] = first.set.at("weight").value().at(p * 64 + unit);
    }
  }
  const std::vector<double> at = shared::steps(errors.size(), 1);
  plot::Panel machines{"Reconstruction", {"epoch"}, {"mean squared error"}};
  machines.curves = {{"first machine", at, errors}, {"second machine", at, errors_above}};
  plot::Panel losses{"64 and 32 units, 100 labelled digits", {"update"}, {"cross-entropy"}};
  for (const bool trained : {false, true}) {
    ParameterSet set(5);
    for (const std::string layer :
         trained ? std::vector{"fc1", "fc2"} : std::vector<const char*>{}) {
      const Machine& machine = layer == "fc1" ? first : second;
      set.add(layer + "/weight", machine.set.at("weight").value());
      set.add(layer + "/bias", machine.set.at("hidden").value());
    }
    optim::Sgd sgd({.rate = 0.5});
    plot::Curve curve{trained ? "pre-trained" : "random weights", shared::steps(updates)};
    for (std::size_t step = 0; step < updates; ++step) {
      const Tape tape;
      const Var loss = softmax_cross_entropy(net(set, few.inputs), few.targets);
      curve.y.push_back(loss.scalar_value());
      sgd.step(set, backward(loss));
    }
    const Var right = equal(argmax(net(set, test.inputs)), test.targets);
    std::printf("%-14s loss %.3f, accuracy %.3f\n", curve.name.c_str(), curve.y.back(),
                mean(cast(right, DType::kFloat32)).item<float>());
    losses.curves.push_back(curve);
  }
  plot::Panel looked_for{"What 16 hidden units look for"};
  looked_for.heat_map = {.grid = filters, .label = "weight", .map = plot::ColourMap::kDiverging};
  run.save("rbm", {.title = "Restricted Boltzmann machines on drawn digits",
                   .panels = {looked_for, machines, losses}});
}
