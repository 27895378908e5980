// Single steps of momentum and Nesterov, and AdaGrad, RMSProp and descent on a long bowl.
//
// Shown: the second step of momentum and of Nesterov from one point with one kept move, as arrows:
// momentum asks for the gradient where it stands, Nesterov where the kept move leads. And the paths
// of three methods on a bowl fifty times as steep across, each at a rate that it is often given.
// Source: I. Sutskever et al. 2013; J. Duchi et al. 2011; the lecture notes.
// Look at: where the orange arrow begins, and how far each step passes y = 0; who takes the
// direction to the minimum at once.
#include <wengert/optim/optimizer.h>

#include <algorithm>
#include <array>

#include "shared.h"

using namespace wengert;

constexpr double kRate = 0.15, kKept = 0.9, kSteep = 6;

/// The second step from (−1.8, 1.2): the first has no move to keep, and is the same by both.
plot::Panel arrows(const char* title, optim::Optimizer& optimizer, bool ahead) {
  ParameterSet set;
  Parameter& point = set.add("point", Tensor::from({-1.8, 1.2}, {2}));
  Tensor asked;
  const auto gradients = [&] {
    const Tape tape;
    const Var p = use(point);
    asked = p.value().clone();
    return backward((square(p[0]) + kSteep * square(p[1])) / 2);
  };
  optimizer.step(set, gradients);
  const std::vector<double> from = point.value().to_vector<double>();
  std::vector<double> kept;
  for (const auto& state : optimizer.state()) {
    if (state.name == "slots/point/momentum") kept = state.value.to_vector<double>();
  }
  optimizer.step(set, gradients);

  std::array<plot::Curve, 3> curves = {plot::Curve{"kept move, −ηβm"}, {"−ηg"}, {"the step"}};
  double off = 0;
  for (std::size_t i = 0; i < 2; ++i) {  // by the formula, to compare
    const double move = -kRate * kKept * kept.at(i), at = from[i] + (ahead ? move : 0),
                 pull = -kRate * (i == 0 ? 1 : kSteep) * at, to = point.value().at(i);
    off = std::max({off, std::fabs(asked.at(i) - at), std::fabs(to - (from[i] + move + pull))});
    const std::vector<double> ends[] = {{from[i], from[i] + move}, {at, at + pull}, {from[i], to}};
    for (std::size_t k = 0; k < 3; ++k) (i == 0 ? curves[k].x : curves[k].y) = ends[k];
  }
  for (plot::Curve& curve : curves) curve.mark = plot::Mark::kPath;
  std::printf("%s: from (%.3f, %.3f), gradient at (%.3f, %.3f), to (%.3f, %.3f), off by %.1e\n",
              title, from[0], from[1], asked.at(0), asked.at(1), point.value().at(0),
              point.value().at(1), off);
  const auto height = [](double x, double y) { return (x * x + kSteep * y * y) / 2; };
  return {.title = title,
          .x = {"x", plot::Scale::kLinear, -1.6, -1.0},
          .y = {"y", plot::Scale::kLinear, -1.2, 0.4},
          .curves = {curves.begin(), curves.end()},
          .contours = plot::Contours{.grid = shared::grid_of(height, 1.9, 80),
                                     .levels = shared::steps(24, 0.25)}};
}

plot::Curve on_the_bowl(optim::Optimizer& optimizer, int steps) {
  ParameterSet set;
  Parameter& point = set.add("point", Tensor::from({-1.8, 0.8}, {2}));
  const std::string method(optimizer.name());
  plot::Curve path{method + ", η = " + format_number(optimizer.rate()), {}, {}, plot::Mark::kPath};
  double height = 0;
  for (int step = 0; step <= steps; ++step) {
    const Tape tape;
    const Var p = use(point), bowl = square(p[0]) + 50 * square(p[1]);
    path.x.push_back(point.value().at(0));
    path.y.push_back(point.value().at(1));
    height = bowl.item<double>();
    optimizer.step(set, backward(bowl));
  }
  const double first = std::atan2(path.y[1] - path.y[0], path.x[1] - path.x[0]);
  const double way = std::atan2(-path.y[0], -path.x[0]);
  std::printf("bowl, %s: first move %.0f degrees off the way to the minimum, height %.1e\n",
              method.c_str(), std::fabs(first - way) * 180 / 3.14159265358979, height);
  return path;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int steps = run.quick ? 20 : 60;
  optim::Momentum momentum({.rate = kRate, .momentum = kKept});
  optim::Nesterov nesterov({.rate = kRate, .momentum = kKept});
  plot::Figure figure{
      .title = "Steps as arrows, and paths on a long bowl",
      .panels = {arrows("Momentum", momentum, false), arrows("Nesterov", nesterov, true)},
      .caption =
          "A ring is where an arrow or a path begins, a dot where it ends. Left and middle: "
          "(x² + 6y²)/2, η = 0.15, β = 0.9, the second step. Right: x² + 50y², " +
          std::to_string(steps) + " steps, RMSProp at α = 0.9.",
      .plot_width = 330,
      .plot_height = 300};
  std::vector<double> levels;
  for (double level = 0.05; level < 300; level *= 2.5) levels.push_back(level);
  const auto height = [](double x, double y) { return x * x + 50 * y * y; };
  optim::Sgd sgd({.rate = 0.0185});
  optim::AdaGrad adagrad({.rate = 0.5});
  optim::RmsProp rmsprop({.rate = 0.05, .alpha = 0.9});
  figure.panels.push_back(
      {.title = "Fifty times as steep across",
       .x = {"x", plot::Scale::kLinear, -2, 0.5},
       .y = {"y", plot::Scale::kLinear, -1, 1},
       .curves = {on_the_bowl(sgd, steps), on_the_bowl(adagrad, steps),
                  on_the_bowl(rmsprop, steps)},
       .contours = plot::Contours{.grid = shared::grid_of(height, 2, 160), .levels = levels}});
  run.save("step_by_step", figure);
}
