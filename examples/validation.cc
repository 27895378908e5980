// What held-out examples are for: how much a model may do, and when to stop.
// Shown: polynomials of too low, a fitting and too high a degree through noisy points of a sine;
// k-fold cross-validation of the degree on these points alone; early stopping of a net; the updates
// of an epoch by the size of a batch, by formula and by data loaders.
// Source: the lecture notes; C. Bishop, Pattern Recognition, 2006, §1.1; M. Stone 1974 (folds).
// Look at: the curve through all points, the lowest bar, the epoch whose weights are put back.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/cross_validation.h>
#include <wengert/optim/training/early_stop.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"
using namespace wengert;
/// x in [−1, 1] and sin πx with noise.
optim::Batch sine(std::int64_t count, std::uint64_t seed, double noise) {
  const Var x = linspace(1.0 / count - 1, 1 - 1.0 / count, count, DType::kFloat64);
  const Var moved = Tensor::from(shared::normal(count, seed, "noise"), {count});
  return {x.value(), (sin(3.14159265358979 * x) + noise * moved).value()};
}
/// Polynomials of x in [−1, 1]: Chebyshev's T₀, T₁, …, T_k(x) = cos(k·arccos x), by weights.
Var values(const Var& weights, const Tensor& x) {
  const Var k = arange(0, weights.size(0), 1, DType::kFloat64);
  return matmul(cos(outer(acos(x), k)), weights);
}
double error(const Tensor& weights, const optim::Batch& points) {
  return mean_squared_error(values(weights, points.inputs), points.targets).item<double>();
}
/// The weights of least squares.
Tensor fitted(const optim::Batch& points, int degree) {
  ParameterSet set;
  Parameter& weights = set.add("weights", Tensor::zeros({degree + 1}, DType::kFloat64));
  optim::Lbfgs lbfgs({.history = 30});
  for (int step = 0; step < 200; ++step) {
    lbfgs.step(set, [&] {
      const Tape tape;
      return backward(mean_squared_error(values(weights, points.inputs), points.targets));
    });
  }
  return weights.value();
}
plot::Panel early_stopping(const shared::Run& run) {
  const shared::Data data = shared::pictures(run, 500, 2000);
  ParameterSet set(1);
  const optim::Model model = optim::classifier([](ParameterSet& p, const Var& x) {
    return linear(p, "out", relu(linear(p, "hidden", x, 128)), 10);
  });
  optim::Adam adam({.rate = 3e-3});
  optim::EarlyStop stop({.patience = run.quick ? 3 : 10});
  const optim::ArrayLoader train(data.train, {.batch_size = 50}), held(data.test);
  plot::Curve seen{"training"}, unseen{"validation"};
  const optim::FitOptions options{.epochs = 200, .validation = &held, .hooks = {&stop}};
  for (const auto& epoch : optim::fit(set, adam, train, model, options).epochs) {
    seen.y.push_back(epoch.train.loss()), unseen.y.push_back(epoch.watched("loss"));
  }
  seen.x = unseen.x = shared::steps(seen.y.size(), 1);
  const double last = seen.x.back(), best = double(stop.best_epoch()),
               restored = optim::measure(set, held, model).loss();
  std::printf("stopped after epoch %g at %.4f; best was %g, %.4f; put back %.4f, off by %g\n", last,
              unseen.y.back(), best, stop.best(), restored, restored - stop.best());
  const plot::Curve back{"put back", {last, best}, {unseen.y.back(), restored}, plot::Mark::kPath};
  plot::Panel panel{.title = "Early stopping, " + data.name, .x = {"epoch"}};
  panel.y = {"loss (nats)"}, panel.curves = {seen, unseen, back};
  return panel;
}
plot::Curve curve(const char* name, const optim::Batch& of, plot::Mark mark = plot::Mark::kLine) {
  return {name, of.inputs.to_vector<double>(), of.targets.to_vector<double>(), mark};
}
plot::Panel updates(const optim::Batch& data) {
  plot::Panel panel{.title = "Updates an epoch, 40 examples", .x = {"examples a batch"}};
  panel.y = {"updates", plot::Scale::kLog};
  int off = 0;
  for (const bool drop : {false, true}) {
    plot::Curve formula{drop ? "⌊N/m⌋" : "⌈N/m⌉"}, given{drop ? "loader, drop_last" : "loader"};
    for (std::int64_t m = 1; m <= data.count(); ++m) {
      const optim::ArrayLoader loader(data, {.batch_size = m, .drop_last = drop});
      formula.y.push_back(double(drop ? data.count() / m : (data.count() + m - 1) / m));
      given.y.push_back(double(loader.batch_count()));
      off += formula.y.back() != given.y.back();
    }
    formula.x = given.x = shared::steps(formula.y.size(), 1), given.mark = plot::Mark::kPoints;
    panel.curves.push_back(formula), panel.curves.push_back(given);
  }
  std::printf("updates an epoch: loaders are off the formulas %d times of 80\n", off);
  return panel;
}
int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const optim::Batch points = sine(20, 3, 0.3), others = sine(1000, 4, 0.3), line = sine(400, 5, 0);
  plot::Figure figure{.title = "What held-out examples are for", .columns = 3};
  for (const auto& [name, degree] :
       {std::pair{"Under-fit", 1}, {"Good fit", 3}, {"Over-fit", 15}}) {
    const Tensor weights = fitted(points, degree), y = values(weights, line.inputs).value();
    std::printf("%s: degree %d, error %.4f, of other points %.4f\n", name, degree,
                error(weights, points), error(weights, others));
    plot::Panel panel{.title = name + (", degree " + std::to_string(degree)), .x = {"x"}};
    panel.y = {.label = "y", .low = -2, .high = 2};
    panel.curves = {curve("sin πx", line), curve("polynomial", {line.inputs, y}),
                    curve("points", points, plot::Mark::kPoints)};
    figure.panels.push_back(panel);
  }
  plot::Panel folds{.title = "Five folds: mean and spread", .x = {"degree"}};
  folds.y = {"squared error, held out", plot::Scale::kLog, 0.01};
  plot::Bars bars;
  const auto five = optim::k_folds(points.count(), 5, 1);
  for (int degree = 0; degree <= 9; ++degree) {
    const auto result = optim::cross_validate(five, [&](const optim::Split& fold, std::int64_t) {
      const optim::ArrayLoader train(points, {}, fold.train), held(points, {}, fold.validation);
      return error(fitted(train.all(), degree), held.all());
    });
    std::printf("five folds, degree %d: %s\n", degree, result.str().c_str());
    folds.x.names.push_back(std::to_string(degree)), bars.heights.push_back(result.mean);
    bars.high.push_back(result.mean + result.spread);
    bars.low.push_back(std::fmax(0.01, result.mean - result.spread));
  }
  folds.bars = {bars};
  figure.panels.insert(figure.panels.end(), {folds, early_stopping(run), updates(sine(40, 1, 0))});
  run.save("validation", figure);
}
