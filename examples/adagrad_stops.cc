// AdaGrad's steps shrink for ever: does it stop too early?
//
// Shown: η/√s over the updates, which AdaGrad's sum of squares pulls down for ever and RMSProp's
// mean does not, and the losses that both reach in a linear regression with noise and in a small
// net, by mini-batches, each at a rate of 0.01 and at the best of nine. Source: J. Duchi et al.
// 2011; T. Tieleman and G. Hinton 2012; the lecture notes: AdaGrad stops early in training a net,
// but serves linear regression.
// Look at: AdaGrad's rate, a line that falls on both scales; who comes close to the least loss.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>

#include "shared.h"

using namespace wengert;
using optim::Batch;

constexpr std::int64_t kExamples = 400, kBatch = 20, kInputs = 6;

/// Targets of a plane or of a curved surface, with noise.
Batch data_of(bool plane) {
  std::vector<double> x = shared::normal(kExamples * kInputs, 1, "x"), y;
  const std::vector<double> noise = shared::normal(kExamples, 2, "noise");
  for (std::size_t i = 0; i < kExamples; ++i) {
    double* row = x.data() + i * kInputs;
    double target = 0;
    for (int k = 0; k < kInputs; ++k) {
      row[k] *= plane ? std::pow(0.5, k) : 1;  // scales from 1 to 1/32
      target += plane ? row[k] * (k + 1) : std::sin(2 * row[k]) / 2;
    }
    y.push_back(target + 0.1 * noise[i]);
  }
  return {Tensor::from(x, {kExamples, kInputs}), Tensor::from(y, {kExamples, 1})};
}

Var loss_of(ParameterSet& set, bool plane, const Batch& data, std::int64_t begin = 0,
            std::int64_t end = kExamples) {
  const Var x = data.inputs.rows(begin, end);
  const Var y = linear(set, "out", plane ? x : tanh(linear(set, "hidden", x, 32)), 1);
  return mean_squared_error(y, data.targets.rows(begin, end));
}

struct Fit {
  double rate = 0, loss = 1e300, tenth = 0;                   ///< η/√s at a tenth of the way
  std::vector<double> updates = {}, losses = {}, rates = {};  ///< of all examples; mean of η/√s
};

Fit fit(const char* method, double rate, bool plane, const Batch& data, int updates) {
  ParameterSet set(1);
  const auto optimizer = optim::make_optimizer(method, rate);
  Fit fit{.rate = rate};
  for (int update = 1, next = 1; update <= updates; ++update) {
    const std::int64_t begin = (update - 1) * kBatch % kExamples;
    {
      const Tape tape;
      optimizer->step(set, backward(loss_of(set, plane, data, begin, begin + kBatch)));
    }
    if (update < next && update < updates) continue;
    next = update + 1 + update / 8;
    double sum = 0, count = 0;
    for (const auto& state : optimizer->state()) {
      if (!state.name.ends_with("/squares")) continue;
      for (const double s : state.value.to_vector<double>()) sum += rate / std::sqrt(s), ++count;
    }
    fit.loss = loss_of(set, plane, data).item<double>();
    fit.updates.push_back(update), fit.losses.push_back(fit.loss);
    fit.rates.push_back(sum / count);
    if (update <= updates / 10) fit.tenth = sum / count;
  }
  return fit;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int updates = run.quick ? 2000 : 10000;
  const plot::Axis by{"update", plot::Scale::kLog};
  plot::Panel rates{.title = "Mean of η/√s, η = 0.01", .x = by, .y = {"η/√s", plot::Scale::kLog}};
  plot::Figure figure{.title = "AdaGrad's steps shrink for ever, RMSProp's do not",
                      .caption = "Mini-batches of 20 of 400; the best of nine rates, 10⁻⁴ to 1.",
                      .plot_width = 330};
  for (const bool plane : {true, false}) {
    const char* task = plane ? "linear regression" : "net of 32 tanh units";
    const Batch data = data_of(plane);
    double least = 0;
    if (plane) {  // a quadratic: L-BFGS ends at its minimum
      ParameterSet set(1);
      optim::Lbfgs lbfgs({});
      const auto gradients = [&] {
        const Tape tape;
        return backward(loss_of(set, plane, data));
      };
      for (int step = 0; step < 100; ++step) lbfgs.step(set, gradients);
      least = loss_of(set, plane, data).item<double>();
      std::printf("least loss %.6f\n", least);
    }
    plot::Panel losses{.title = plane ? "Loss above the least, linear regression" : "Loss, net",
                       .x = by,
                       .y = {plane ? "loss − least loss" : "loss", plot::Scale::kLog}};
    for (const char* method : {"adagrad", "rmsprop"}) {
      Fit best, middle;
      for (int half_decade = -8; half_decade <= 0; ++half_decade) {
        Fit one = fit(method, std::pow(10, half_decade / 2.0), plane, data, updates);
        if (half_decade == -4) middle = one;
        if (one.loss < best.loss) best = std::move(one);
      }
      rates.curves.push_back({std::string(method) + ", " + task, middle.updates, middle.rates});
      for (Fit* one : {&middle, &best}) {
        std::printf("%s, %s at %.2g: loss %.6f, mean of rate/root(s) from %.3g to %.3g\n", task,
                    method, one->rate, one->loss, one->tenth, one->rates.back());
        for (double& loss : one->losses) loss -= least;
        losses.curves.push_back({std::string(method) + (one == &best ? ", best η = " : ", η = ") +
                                     format_number(one->rate, 2),
                                 one->updates, one->losses});
      }
    }
    figure.panels.push_back(std::move(losses));
  }
  figure.panels.push_back(std::move(rates));
  run.save("adagrad_stops", figure);
}
