// The chain rule as a sum over paths.
//
// Shown: ∂E/∂w of a first-layer weight is xᵢ·f′(zⱼ) times the sum, over all paths from unit j to
// the output, of the products of w·f′ along them; backward gives the same number. And how the
// gradient of the first layer falls with depth, beside the bound Π max f′·‖W‖ of Hochreiter's
// argument. Source: the lecture notes' path formula, its indices put right: a path has one unit a
// layer, so that the sum runs over the layers between the weight and the output only. Look at: the
// number of paths, which backward never walks, and both lines falling together.
#include "shared.h"

using namespace wengert;

constexpr std::int64_t kWidth = 4;

struct Net {
  std::vector<Tensor> weights;  ///< [kWidth, kWidth] each, the last [kWidth, 1]
  explicit Net(int layers) {
    for (int l = 0; l < layers; ++l) {
      const std::int64_t outputs = l + 1 == layers ? 1 : kWidth;
      const std::string name = "layer" + std::to_string(l);
      std::vector<double> numbers = shared::normal(kWidth * outputs, 5, name.c_str());
      for (double& number : numbers) number /= 2;
      weights.push_back(Tensor::from(numbers, {kWidth, outputs}));
    }
  }
  double w(std::size_t l, std::int64_t i, std::int64_t j) const {
    return weights[l].at(i * weights[l].size(1) + j);
  }
};

double slope(double z) {
  const double s = 1 / (1 + std::exp(-z));
  return s * (1 - s);
}

/// Σ over all paths from unit j of layer l to the output; counts them.
double over_paths(const Net& net, const std::vector<Tensor>& z, std::size_t l, std::int64_t j,
                  std::int64_t& paths) {
  if (l + 1 == net.weights.size()) return ++paths, slope(z[l].at(0));
  double total = 0;
  for (std::int64_t k = 0; k < net.weights[l + 1].size(1); ++k) {
    total += net.w(l + 1, j, k) * over_paths(net, z, l + 1, k, paths);
  }
  return slope(z[l].at(j)) * total;
}

double frobenius(const Tensor& t) {
  double squares = 0;
  for (const double v : t.to_vector<double>()) squares += v * v;
  return std::sqrt(squares);
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const Tensor x = Tensor::from(shared::normal(kWidth, 9, "x"), {1, kWidth});
  plot::Curve measured{"‖∂E/∂W¹‖, by backward"}, bound{"bound Π max f′·‖W‖"}, paths_of{"paths"},
      worst_of{"difference"};
  double worst = 0;
  for (int layers = 1; layers <= (run.quick ? 5 : 9); ++layers) {
    const Net net(layers);
    Tape tape;
    std::vector<Var> weights;
    std::vector<Tensor> z;
    Var h = x;
    for (const Tensor& w : net.weights) {
      weights.push_back(variable(w));
      const Var before = matmul(h, weights.back());
      z.push_back(before.value());
      h = sigmoid(before);
    }
    const Tensor gradient = grad(sum(h), weights[0]).value();  // E is the output itself
    std::int64_t paths = 0;
    double largest = 0, difference = 0;
    for (std::int64_t i = 0; i < kWidth; ++i) {
      for (std::int64_t j = 0; j < net.weights[0].size(1); ++j) {
        paths = 0;
        const double by_paths = x.at(i) * over_paths(net, z, 0, j, paths);
        const double by_backward = gradient.at(i * net.weights[0].size(1) + j);
        largest = std::max(largest, std::fabs(by_backward));
        difference = std::max(difference, std::fabs(by_paths - by_backward));
      }
    }
    worst = std::max(worst, difference / largest);
    double limit = 0.25 * frobenius(x);  // max f′ of a sigmoid is 1/4
    for (std::size_t l = 1; l < net.weights.size(); ++l) limit *= 0.25 * frobenius(net.weights[l]);
    for (auto* curve : {&measured, &bound, &paths_of, &worst_of}) curve->x.push_back(layers);
    measured.y.push_back(frobenius(gradient));
    bound.y.push_back(limit);
    paths_of.y.push_back(static_cast<double>(paths));
    worst_of.y.push_back(std::max(difference / largest, 1e-17));
    std::printf("%d layers: %lld paths a weight, ‖g‖ %.1e, bound %.1e\n", layers,
                static_cast<long long>(paths), measured.y.back(), limit);
  }
  std::printf("the sum over paths differs from backward by %.1e of the largest at most\n", worst);
  const plot::Axis layers{"layers"};
  run.save("path_sum",
           {.title = "The chain rule as a sum over paths",
            .panels = {{.title = "Gradient of the first layer",
                        .x = layers,
                        .y = {.label = "norm", .scale = plot::Scale::kLog},
                        .curves = {measured, bound}},
                       {.title = "Paths from one weight to the output",
                        .x = layers,
                        .y = {.label = "paths", .scale = plot::Scale::kLog},
                        .curves = {paths_of}},
                       {.title = "Sum over paths against backward",
                        .x = layers,
                        .y = {.label = "relative difference", .scale = plot::Scale::kLog},
                        .curves = {worst_of}}},
            .caption = "Sigmoid layers of four units, weights N(0, ¼). The sum grows by a factor "
                       "of four a layer, backward by one layer's work; both are one number."});
}
