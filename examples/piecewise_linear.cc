// A net of ReLUs is linear in each of many regions.
//
// Shown: the regions that a trained net cuts the plane into, one for each set of active units, and
// that in each the net is y = W_eff·x + b_eff, where W_eff is the product of the matrices reduced
// to the active units: it equals the gradient ∂y/∂x that backward gives, to rounding. Source: the
// lecture notes' "active sub-network"; G. Montúfar et al. 2014, arXiv:1402.1869. Look at: borders,
// which are straight lines bent at other lines, and the steps of the slope.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>

#include <map>

#include "shared.h"

using namespace wengert;

constexpr std::int64_t kUnits = 8;

struct Result {
  Var y, first, second;  ///< the output, and both hidden layers before their ReLU
};

Result net(ParameterSet& parameters, const Var& x) {
  const Var first = linear(parameters, "first", x, kUnits);
  const Var second = linear(parameters, "second", relu(first), kUnits);
  return {linear(parameters, "out", relu(second), 1), first, second};
}

/// W_eff: columns of inactive units left out.
void reduced(const ParameterSet& parameters, const Result& at, std::int64_t row, double (&out)[2]) {
  const Tensor w1 = parameters.at("first/weight").value(),
               w2 = parameters.at("second/weight").value(),
               w3 = parameters.at("out/weight").value();
  const Tensor z1 = at.first.value(), z2 = at.second.value();
  for (int i = 0; i < 2; ++i) {
    out[i] = 0;
    for (std::int64_t j = 0; j < kUnits; ++j) {
      if (z1.at(row * kUnits + j) <= 0) continue;
      for (std::int64_t k = 0; k < kUnits; ++k) {
        if (z2.at(row * kUnits + k) <= 0) continue;
        out[i] += w1.at(i * kUnits + j) * w2.at(j * kUnits + k) * w3.at(k);
      }
    }
  }
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Batch moons = shared::two_moons(200, 1);
  const Tensor x = moons.inputs.to(DType::kFloat64);
  const Tensor targets = moons.targets.to(DType::kFloat64).reshaped({200, 1});
  ParameterSet parameters(2);
  optim::Adam adam({.rate = 0.01});
  for (int step = 0; step < (run.quick ? 200 : 1500); ++step) {
    Tape tape;
    adam.step(parameters, backward(bce_with_logits(net(parameters, x).y, targets)));
  }

  constexpr double kEdge = 2;
  const int cells = run.quick ? 40 : 160;
  const Tape tape;
  const Var points = variable(shared::middles(kEdge, cells, DType::kFloat64));
  const Result at = net(parameters, points);
  const Tensor slopes = grad(sum(at.y), points).value();  // row by row: rows know nothing of others
  std::map<std::uint64_t, int> regions;
  plot::Grid map = shared::grid_of([](double, double) { return 0.0; }, kEdge, cells), output = map;
  double worst = 0;
  for (std::int64_t row = 0; row < points.size(0); ++row) {
    std::uint64_t active = 0;
    for (std::int64_t j = 0; j < kUnits; ++j) {
      active |= std::uint64_t{at.first.value().at(row * kUnits + j) > 0} << j;
      active |= std::uint64_t{at.second.value().at(row * kUnits + j) > 0} << (kUnits + j);
    }
    const int region = regions.try_emplace(active, static_cast<int>(regions.size())).first->second;
    map.values[static_cast<std::size_t>(row)] = (region * 37) % 64;  // neighbours apart
    output.values[static_cast<std::size_t>(row)] = at.y.value().at(row);
    double product[2];
    reduced(parameters, at, row, product);
    for (int i = 0; i < 2; ++i) {
      worst = std::max(worst, std::fabs(product[i] - slopes.at(2 * row + i)));
    }
  }
  std::printf("%zu regions on %d × %d points; W_eff differs from the gradient by %.1e at most\n",
              regions.size(), cells, cells, worst);

  plot::Curve value{"y"}, slope{"∂y/∂x₁"};
  const std::int64_t row = cells / 2;
  for (std::int64_t i = 0; i < cells; ++i) {
    for (auto* curve : {&value, &slope})
      curve->x.push_back(points.value().at(2 * (row * cells + i)));
    value.y.push_back(at.y.value().at(row * cells + i));
    slope.y.push_back(slopes.at(2 * (row * cells + i)));
  }
  const plot::Curve zero = shared::points_of(moons, 0, "class 0", 6),
                    one = shared::points_of(moons, 1, "class 1", 1);
  run.save(
      "piecewise_linear",
      {.title = "A ReLU net is linear in each region",
       .panels =
           {{.title = std::to_string(regions.size()) + " regions, a shade each",
             .x = {"x₁"},
             .y = {"x₂"},
             .heat_map = plot::HeatMap{.grid = map}},
            {.title = "Output y and its lines of equal height",
             .x = {"x₁"},
             .y = {"x₂"},
             .curves = {zero, one},
             .heat_map = plot::HeatMap{.grid = output,
                                       .label = "y (logit)",
                                       .map = plot::ColourMap::kDiverging,
                                       .low = -15,
                                       .high = 15},
             .contours = plot::Contours{.grid = output}},
            {.title = "Along x₂ ≈ 0", .x = {"x₁"}, .y = {"y, slope"}, .curves = {value, slope}}},
       .caption = "2-8-8-1 on two moons. Lines of equal height are straight within a region "
                  "and bend at its border; along a line through the plane y is a broken line "
                  "and its slope a staircase.",
       .plot_width = 330,
       .plot_height = 300});
}
