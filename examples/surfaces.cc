// Optimizers on surfaces of two numbers.
//
// Shown: the paths of six methods on Rosenbrock's valley, a saddle, a ravine and a valley with a
// second, worse minimum, each method at the best of nine rates for each surface. At the saddle the
// Hessian has eigenvalues of both signs. Source: the lecture notes on saddles and local optima; H.
// Rosenbrock 1960; Y. Dauphin et al. 2014, arXiv:1406.2572.
// Look at: who zigzags across the ravine, who leaves the saddle's ridge, and who stays in the worse
// minimum.
#include <wengert/optim/optimizer.h>

#include "shared.h"

using namespace wengert;

struct Surface {
  const char* name;
  Var (*height)(const Var& x, const Var& y);
  double edge;
  double start[2];
};

const Surface kSurfaces[] = {
    {"Rosenbrock's valley, minimum at (1, 1)",
     [](const Var& x, const Var& y) { return square(1 - x) + 100 * square(y - square(x)); },
     2,
     {-1.5, 1.5}},
    {"Saddle at (0, 0), minima at (0, ±√2)",
     [](const Var& x, const Var& y) { return square(x) - square(y) + square(square(y)) / 4 + 1; },
     2,
     {1.6, 0.001}},
    {"Ravine, fifty times as steep across",
     [](const Var& x, const Var& y) { return (square(x) + 50 * square(y)) / 2; },
     2,
     {-1.8, 1.0}},
    {"Two minima, the right one worse",
     [](const Var& x, const Var& y) { return square(square(x) - 1) + 0.3 * x + square(y) + 0.4; },
     2,
     {1.7, 1.2}}};
constexpr const char* kMethods[] = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"};

struct Path {
  plot::Curve curve;
  double end = 1e300;
};

Path descend(const Surface& surface, const char* method, double rate, int steps) {
  ParameterSet parameters;
  Parameter& point =
      parameters.add("point", Tensor::from({surface.start[0], surface.start[1]}, {2}));
  const auto optimizer = optim::make_optimizer(method, rate);
  Path path{{method, {}, {}, plot::Mark::kPath}};
  for (int step = 0; step <= steps; ++step) {
    Tape tape;
    const Var p = use(point), height = surface.height(p[0], p[1]);
    if (!(height.item<double>() < 1e4)) return {path.curve, 1e300};  // it left
    path.curve.x.push_back(point.value().at(0));
    path.curve.y.push_back(point.value().at(1));
    path.end = height.item<double>();
    if (step < steps) optimizer->step(parameters, backward(height));
  }
  return path;
}

/// Eigenvalues of the Hessian [[a, b], [b, c]] there, the smaller one first.
std::pair<double, double> curvatures(const Surface& surface, double x0, double y0) {
  const Tape tape;
  const Var x = variable(x0), y = variable(y0);
  const auto first = grad(surface.height(x, y), {x, y}, {.create_graph = true});
  const auto of_x = grad(first[0], {x, y}), of_y = grad(first[1], {x, y});
  const double a = of_x[0].item<double>(), b = of_x[1].item<double>(), c = of_y[1].item<double>();
  const double middle = (a + c) / 2, half = std::sqrt((a - c) * (a - c) / 4 + b * b);
  return {middle - half, middle + half};
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const int steps = run.quick ? 40 : 200, cells = run.quick ? 40 : 120;
  plot::Figure figure{.title = "Optimizers on surfaces of two numbers",
                      .caption = "A ring is where a path begins, a dot where it ends after " +
                                 std::to_string(steps) +
                                 " steps. Each method at the best of nine rates from 10⁻⁴ to 1.",
                      .columns = 2,
                      .plot_height = 330};
  for (const Surface& surface : kSurfaces) {
    const Tensor points = shared::middles(surface.edge, cells, DType::kFloat64);
    const Var all(points);
    const Tensor heights =
        surface.height(slice(all, {0}, {1}, {1}), slice(all, {1}, {2}, {1})).value();
    std::int64_t next = 0;
    const plot::Grid grid =
        shared::grid_of([&](double, double) { return heights.at(next++); }, surface.edge, cells);
    std::vector<double> levels;
    for (double level = 0.05; level < 3000; level *= 2) levels.push_back(level);
    plot::Panel panel{
        .title = surface.name,
        .x = {"x"},
        .y = {"y"},
        .heat_map =
            plot::HeatMap{.grid = grid, .label = "height", .scale = plot::Scale::kLog, .low = 0.01},
        .contours = plot::Contours{.grid = grid, .levels = levels}};
    std::printf("%s:", surface.name);
    for (const char* method : kMethods) {
      Path best;
      for (int half_decade = -8; half_decade <= 0; ++half_decade) {
        Path path = descend(surface, method, std::pow(10, half_decade / 2.0), steps);
        if (path.end < best.end) best = std::move(path);
      }
      std::printf(" %s %.2g", method, best.end);
      panel.curves.push_back(std::move(best.curve));
    }
    std::printf("\n");
    figure.panels.push_back(std::move(panel));
  }
  const auto [low, high] = curvatures(kSurfaces[1], 0, 0);
  const auto [least, most] = curvatures(kSurfaces[1], 0, std::sqrt(2));
  std::printf("curvatures at the saddle %g and %g, at its minimum %g and %g\n", low, high, least,
              most);
  run.save("surfaces", figure);
}
