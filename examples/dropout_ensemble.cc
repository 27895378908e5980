// A net with dropout as an ensemble of thinned nets.
//
// Shown: after training with dropout of the textbook's kind, the test's loss and accuracy of one
// thinned net, of the mean over ever more of them, and of the one net whose weights behind the
// dropout are multiplied by 1 − p, beside classic_dropout's own inference, which is the same.
// Source: N. Srivastava et al. 2014, §7.5; I. Goodfellow et al., Deep Learning, 2016, §7.12.
// Look at: the mean of many nets passes what scaling gives, or comes close to it.
#include <wengert/nn/dropout.h>
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

constexpr double kDropped = 0.5;

Var logits(ParameterSet& set, const Var& x) {
  const Var h = classic_dropout(set, "drop", relu(linear(set, "hidden", x, 128)), kDropped);
  return linear(set, "out", h, 10);
}

struct Score {
  double loss, accuracy;
};
Score score(const Var& probabilities, const Tensor& targets) {
  const Var right = equal(argmax(probabilities), targets);
  return {cross_entropy(probabilities, targets).item<float>(),
          mean(cast(right, DType::kFloat32)).item<float>()};
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 2000, 2000);
  const int epochs = run.quick ? 4 : 20, nets = run.quick ? 8 : 256;
  ParameterSet set(1);
  optim::Adam adam({.rate = 1e-3});
  const optim::ArrayLoader loader(data.train, {.batch_size = 50, .seed = 1});
  optim::fit(set, adam, loader, optim::classifier(logits), {.epochs = epochs});

  // By the op's own inference, and by weights that are scaled once and for all.
  const Tensor& x = data.test.inputs;
  const Tensor own = softmax(logits(set, x)).value();
  const Var hidden = relu(linear(set, "hidden", x, 128));
  const Var scaled_weights = (1 - kDropped) * Var(set.at("out/weight").value());
  const Tensor scaled = softmax(linear(hidden, scaled_weights, use(set.at("out/bias")))).value();
  const double apart = max(abs(Var(own) - Var(scaled))).item<float>();
  const Score one = score(scaled, data.test.targets);

  plot::Curve loss{"mean of thinned nets"}, accuracy{"mean of thinned nets"};
  Var sum = Tensor::zeros(own.shape(), own.dtype());
  for (int net = 1; net <= nets; ++net) {
    const Tape tape;  // in training: another mask for each example
    sum = (sum + softmax(logits(set, x))).value();
    commit(tape);
    if ((net & (net - 1)) != 0) continue;
    const Score mean = score(sum / static_cast<double>(net), data.test.targets);
    loss.x.push_back(net), accuracy.x.push_back(net);
    loss.y.push_back(mean.loss), accuracy.y.push_back(mean.accuracy);
  }
  std::printf("scaled weights are off the op by %.1e\n", apart);
  std::printf("one thinned net: loss %.4f, accuracy %.4f\n", loss.y.front(), accuracy.y.front());
  std::printf("mean of %d: loss %.4f, accuracy %.4f\n", nets, loss.y.back(), accuracy.y.back());
  std::printf("scaled weights: loss %.4f, accuracy %.4f\n", one.loss, one.accuracy);
  const auto level = [&](double y) {
    return plot::Curve{"scaled weights", {1, static_cast<double>(nets)}, {y, y}};
  };
  const plot::Axis by{"nets", plot::Scale::kLog};
  run.save(
      "dropout_ensemble",
      {.title = "Dropout as an ensemble, " + data.name,
       .panels = {
           {.title = "Test loss", .x = by, .y = {"loss (nats)"}, .curves = {loss, level(one.loss)}},
           {.title = "Test accuracy",
            .x = by,
            .y = {"accuracy"},
            .curves = {accuracy, level(one.accuracy)}}}});
}
