// Are a loss's critical points local minima or saddles?
// Shown: critical points of a tanh net's loss, found by Levenberg and Marquardt's way down ‖∇L‖²
// from random weights and from points on paths of descent, and the Hessian's eigenvalues at each. A
// small penalty makes curvatures positive that would be 0, and keeps weights from running away.
// Source: Y. Dauphin et al. 2014, arXiv:1406.2572; C. Jacobi 1846 (eigenvalues by rotations).
// Look at: the share of negative eigenvalues by loss: the higher a point, the more ways lead down.
#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include "shared.h"
using namespace wengert;
constexpr std::int64_t n = 2 * 8 + 8 + 8 + 1;
struct Place {
  double loss = 0, slope_norm = 0;
  Tensor slope, hessian;
  std::vector<double> values = {};  ///< the Hessian's eigenvalues, ascending
  std::int64_t below() const { return std::ranges::lower_bound(values, 0.0) - values.begin(); }
};
Place look(const Tensor& weights, const optim::Batch& data, bool curved) {
  const Tape tape;
  const Var w = variable(weights);
  const auto part = [&](std::int64_t from, std::int64_t to) { return slice(w, {from}, {to}); };
  const Var h = tanh(linear(data.inputs, reshape(part(0, 16), {2, 8}), part(16, 24)));
  const Var logits = squeeze(linear(h, reshape(part(24, 32), {8, 1}), part(32, 33)));
  const Var loss = bce_with_logits(logits, data.targets) + 5e-4 * sum(square(w));
  const Var slope = grad(loss, w, {.create_graph = curved});
  std::vector<Var> rows;
  for (int i = 0; curved && i < n; ++i) rows.push_back(grad(slope[i], w, {.retain = true}));
  return {loss.item<double>(), norm(slope).item<double>(), slope.value(),
          curved ? stack(rows).value() : Tensor()};
}
/// Eigenvalues of a symmetric matrix, and its eigenvectors as columns, by Jacobi's rotations.
std::pair<std::vector<double>, Tensor> eigen(const Tensor& matrix) {
  std::vector<double> a = matrix.to_vector<double>(), values;
  for (int i = 0; i < n * n; ++i) a.push_back(i / n == i % n);  // below it their product
  for (std::int64_t pair = 0; pair < 12 * n * n; ++pair) {      // twelve sweeps
    const std::int64_t p = pair / n % n, q = pair % n;
    if (q <= p || std::fabs(a[p * n + q]) < 1e-17) continue;
    const double angle = std::atan(2 * a[p * n + q] / (a[q * n + q] - a[p * n + p])) / 2;
    const double c = std::cos(angle), s = std::sin(angle);
    const auto turn = [c, s](double& x, double& y) {
      std::tie(x, y) = std::pair(c * x - s * y, s * x + c * y);
    };
    for (std::int64_t k = 0; k < 2 * n; ++k) turn(a[k * n + p], a[k * n + q]);
    for (std::int64_t k = 0; k < n; ++k) turn(a[p * n + k], a[q * n + k]);
  }
  for (std::int64_t i = 0; i < n; ++i) values.push_back(a[i * n + i]);
  return {values, Tensor::from(std::span<const double>(a).subspan(n * n), {n, n})};
}
/// By steps −Σ v·λ/(λ² + μ)·(v·∇L) over eigenvectors v; without values where they end too high.
Place critical_point(Tensor weights, const optim::Batch& data) {
  double damping = 1e-2;
  for (int step = 0; step < 150 && damping < 1e9; ++step) {
    Place here = look(weights, data, true);
    const auto [values, vectors] = eigen(here.hessian);
    here.values = values;
    std::ranges::sort(here.values);
    if (here.slope_norm < 1e-9) return here;
    const Var curvatures = Tensor::from(values, {n});
    for (bool better = false; !better && damping < 1e9; damping *= better ? 0.1 : 4) {
      const Var along = matmul(here.slope, vectors) * curvatures / (square(curvatures) + damping);
      const Tensor next = (weights - matmul(vectors, along)).value();
      better = look(next, data, false).slope_norm < here.slope_norm;
      if (better) weights = next;
    }
  }
  return {};
}
int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  optim::Batch data = shared::two_moons(60, 1, 0.3);
  data = {data.inputs.to(DType::kFloat64), data.targets.to(DType::kFloat64)};
  std::vector<Place> found;
  int starts = 0, reached = 0;
  for (std::uint64_t seed = 1; seed <= (run.quick ? 6u : 60u); ++seed) {
    const Var drawn = Tensor::from(shared::normal(n, seed, "weights"), {n});
    Var weights = (0.25 + 0.25 * double(seed % 4)) * drawn, moved = 0.0;
    for (const int steps : {0, 10, 40, 950, run.quick ? 50 : 2000}) {
      for (int step = 0; step < steps; ++step) {  // on the path of descent with momentum
        moved = 0.9 * moved + look(weights.value(), data, false).slope;
        weights = (weights - 0.3 * moved).value();
      }
      const Place place = critical_point(weights.value(), data);
      if (++starts; place.values.empty()) continue;
      ++reached;
      const auto is_it = [&](const Place& it) { return std::fabs(it.loss - place.loss) < 1e-8; };
      if (std::ranges::none_of(found, is_it)) found.push_back(place);
    }
  }
  std::ranges::sort(found, {}, &Place::loss);
  plot::Curve all{"", {}, {}, plot::Mark::kPoints};
  double minima = 0, highest = 0;
  for (const Place& place : found) {
    all.x.push_back(place.loss), all.y.push_back(double(place.below()) / n);
    if (place.below() == 0) ++minima, highest = place.loss;
  }
  const Var x = Tensor::from(all.x, {std::ssize(found)}), y = Tensor::from(all.y, x.shape());
  const Var covariance = mean((x - mean(x)) * (y - mean(y)));
  std::printf(
      "%d starts, %d end at critical points, %zu different, %.0f minima up to %.4f\n"
      "correlation of loss and share %.3f\n",
      starts, reached, found.size(), minima, highest,
      (covariance / standard_deviation(x) / standard_deviation(y)).item<double>());
  plot::Panel points{.title = "Critical points"}, spectra{.title = "Three spectra"};
  points.x = {"loss (nats)"};
  points.y = {"share of negative eigenvalues"}, points.curves = {all};
  spectra.x = {"eigenvalues, ascending"}, spectra.y = {"eigenvalue"};
  for (const std::size_t i : {std::size_t{0}, found.size() * 2 / 3, found.size() - 1}) {
    const std::string name = "loss " + std::to_string(found[i].loss) + ": " +
                             std::to_string(found[i].below()) + " of 33 negative";
    std::puts(name.c_str());
    spectra.curves.push_back({name, shared::steps(n, 1), found[i].values});
  }
  plot::Panel near = spectra;
  near.title = "The same around 0", near.y.low = -0.02, near.y.high = 0.02;
  run.save("critical_points", {.title = "Critical points of a tanh net's loss, 33 weights",
                               .panels = {points, spectra, near}});
}
