// A perceptron cannot learn exclusive or, two layers can.
//
// Shown: Rosenblatt's rule, w ← w + (t − y)·x, on AND and on XOR, and a net of two layers on XOR by
// gradient descent. Source: F. Rosenblatt 1958; M. Minsky and S. Papert, Perceptrons, 1969.
// Look at: the straight border of the first two panels, which no turning makes right for XOR, the
// bent one of the third, and the mistakes, which for the perceptron on XOR come back for ever.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>

#include "shared.h"

using namespace wengert;

constexpr double kInputs[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
constexpr int kAnd[4] = {0, 0, 0, 1}, kXor[4] = {0, 1, 1, 0};

struct Perceptron {
  double w[3] = {0, 0, 0};
  double sum(double x, double y) const { return w[0] * x + w[1] * y + w[2]; }
  /// One pass over the four; gives how many were wrong.
  int learn(const int (&targets)[4]) {
    int mistakes = 0;
    for (int i = 0; i < 4; ++i) {
      const auto& x = kInputs[i];
      const int error = targets[i] - (sum(x[0], x[1]) > 0 ? 1 : 0);
      mistakes += error != 0;
      w[0] += error * x[0];
      w[1] += error * x[1];
      w[2] += error;
    }
    return mistakes;
  }
};

Var net(ParameterSet& parameters, const Var& x) {
  const LinearOptions spread{.weight = nn::xavier_normal()};
  return linear(parameters, "out", tanh(linear(parameters, "hidden", x, 4, spread)), 1, spread);
}

plot::Curve points(const int (&targets)[4], int which) {
  plot::Curve curve{which == 1 ? "1" : "0", {}, {}, plot::Mark::kPoints, which == 1 ? 1 : 6};
  for (int i = 0; i < 4; ++i) {
    if (targets[i] != which) continue;
    curve.x.push_back(kInputs[i][0]);
    curve.y.push_back(kInputs[i][1]);
  }
  return curve;
}

plot::Panel region(const char* title, plot::Grid grid, const int (&targets)[4]) {
  return {.title = title,
          .x = {"first input"},
          .y = {"second input"},
          .curves = {points(targets, 0), points(targets, 1)},
          .heat_map = plot::HeatMap{.grid = std::move(grid),
                                    .label = "answer: 0 blue, 1 vermilion",
                                    .map = plot::ColourMap::kDiverging,
                                    .low = -1.5,
                                    .high = 1.5}};
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int epochs = run.quick ? 200 : 300;
  Perceptron on_and, on_xor;
  plot::Curve of_and{"perceptron, AND"}, of_xor{"perceptron, XOR"}, of_net{"two layers, XOR"};
  ParameterSet parameters(3);
  optim::Adam adam({.rate = 0.05});
  const Tensor inputs = Tensor::from({-1.0f, -1.0f, -1.0f, 1.0f, 1.0f, -1.0f, 1.0f, 1.0f}, {4, 2});
  const Tensor targets = Tensor::from({0.0f, 1.0f, 1.0f, 0.0f}, {4, 1});
  int mistakes = 0;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    Tape tape;
    const Var logits = net(parameters, inputs);
    mistakes = 0;
    for (int i = 0; i < 4; ++i) mistakes += (logits.value().at(i) > 0) != (kXor[i] == 1);
    adam.step(parameters, backward(bce_with_logits(logits, targets)));
    for (auto* curve : {&of_and, &of_xor, &of_net}) curve->x.push_back(epoch);
    of_and.y.push_back(on_and.learn(kAnd));
    of_xor.y.push_back(on_xor.learn(kXor));
    of_net.y.push_back(mistakes);
  }
  std::printf("mistakes at the end: perceptron on AND %g, on XOR %g; two layers on XOR %d\n",
              of_and.y.back(), of_xor.y.back(), mistakes);

  constexpr double kEdge = 1.8;
  constexpr int kCells = 60;
  const auto side = [](double sum) { return sum > 0 ? 1.0 : -1.0; };
  const auto of = [&](const Perceptron& p) {
    return shared::grid_of([&](double x, double y) { return side(p.sum(x, y)); }, kEdge, kCells);
  };
  const Tensor logits = net(parameters, shared::middles(kEdge, kCells)).value();
  std::int64_t next = 0;
  const plot::Grid bent =
      shared::grid_of([&](double, double) { return std::tanh(logits.at(next++)); }, kEdge, kCells);
  for (auto* curve : {&of_and, &of_xor, &of_net}) curve->x.resize(40), curve->y.resize(40);
  run.save("xor", {.title = "Exclusive or: a perceptron fails, two layers succeed",
                   .panels = {region("Perceptron, AND", of(on_and), kAnd),
                              region("Perceptron, XOR", of(on_xor), kXor),
                              region("Two layers, XOR", bent, kXor),
                              {.title = "Mistakes",
                               .x = {"epoch"},
                               .y = {"of four examples"},
                               .curves = {of_and, of_xor, of_net}}},
                   .caption = "One straight border parts AND and cannot part XOR: the perceptron's "
                              "mistakes go on for ever. A hidden layer of four units bends it.",
                   .columns = 2,
                   .plot_width = 300});
}
