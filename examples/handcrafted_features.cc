// Handcrafted features against learned ones.
// Shown: a linear classifier on pixels, the same on histograms of oriented gradients (HOG), and a
// net that learns its features from pixels, by how many pictures there are to learn from.
// Source: N. Dalal, B. Triggs, Histograms of oriented gradients for human detection, CVPR 2005;
// Y. LeCun et al., Deep learning, Nature 2015.
// Look at: who is ahead with few pictures, and who with many; the last panel, what HOG keeps.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/schedule.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"
using namespace wengert;
constexpr int kBins = 9, kCell = 4;
/// Per cell of kCell × kCell pixels a histogram of the gradients' directions, signs left out, each
/// weighed by its length; divided by the norm of the block of 2 × 2 cells that it stands in.
std::vector<float> hog(const Tensor& pixels, std::int64_t picture, int edge) {
  const auto at = [&](int row, int column) {
    row = std::clamp(row, 0, edge - 1), column = std::clamp(column, 0, edge - 1);
    return pixels.at(picture * edge * edge + row * edge + column);
  };
  const int cells = edge / kCell;
  std::vector<double> histogram(static_cast<std::size_t>(cells * cells * kBins));
  for (int row = 0; row < cells * kCell; ++row) {
    for (int column = 0; column < cells * kCell; ++column) {
      const double across = at(row, column + 1) - at(row, column - 1);
      const double down = at(row + 1, column) - at(row - 1, column);
      const double length = std::hypot(across, down);
      double bin = std::atan2(down, across) / 3.14159265358979 * kBins;  // −9 to 9
      if (bin < 0) bin += kBins;
      const int cell = row / kCell * cells + column / kCell, low = static_cast<int>(bin) % kBins;
      const double share = bin - std::floor(bin);  // of the next bin
      histogram[static_cast<std::size_t>(cell * kBins + low)] += length * (1 - share);
      histogram[static_cast<std::size_t>(cell * kBins + (low + 1) % kBins)] += length * share;
    }
  }
  std::vector<float> features;
  for (int row = 0; row + 1 < cells; ++row) {
    for (int column = 0; column + 1 < cells; ++column) {
      std::vector<double> block;
      double squares = 1e-4;
      for (const int cell : {row * cells + column, row * cells + column + 1,
                             (row + 1) * cells + column, (row + 1) * cells + column + 1}) {
        for (int b = 0; b < kBins; ++b) {
          block.push_back(histogram[static_cast<std::size_t>(cell * kBins + b)]);
          squares += block.back() * block.back();
        }
      }
      for (const double each : block)
        features.push_back(static_cast<float>(each / std::sqrt(squares)));
    }
  }
  return features;
}
optim::Batch described(const optim::Batch& pictures, int edge) {
  std::vector<float> all;
  for (std::int64_t i = 0; i < pictures.count(); ++i) {
    const std::vector<float> one = hog(pictures.inputs, i, edge);
    all.insert(all.end(), one.begin(), one.end());
  }
  const auto features = static_cast<std::int64_t>(all.size()) / pictures.count();
  return {Tensor::from(all, {pictures.count(), features}), pictures.targets};
}
double accuracy(const optim::Batch& train, const optim::Batch& test, bool learns, int epochs) {
  ParameterSet parameters(1);
  const optim::Model model = optim::classifier([&](ParameterSet& set, const Var& x) {
    Var h = x;
    if (learns) h = relu(linear(set, "second", relu(linear(set, "first", h, 256)), 128));
    return linear(set, "out", h, 10);
  });
  optim::Adam adam({.rate = 2e-3});
  const optim::ArrayLoader loader(train, {.batch_size = 50, .seed = 1});
  optim::fit(parameters, adam, loader, model,
             {.epochs = epochs, .schedule = optim::LinearDecay({.final_share = 0.02})});
  const optim::ArrayLoader seen(test, {.batch_size = 500, .shuffle = false});
  return optim::measure(parameters, seen, model).value("accuracy");
}
int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 51200, 10000);
  const int edge = static_cast<int>(std::lround(std::sqrt(double(data.train.inputs.size(1)))));
  const optim::Batch train = described(data.train, edge), test = described(data.test, edge);
  plot::Panel panel{.title = "Accuracy in the test",
                    .x = {"pictures to learn from", plot::Scale::kLog},
                    .y = {"accuracy"}};
  panel.curves = {{"pixels, linear"}, {"HOG, linear"}, {"pixels, learned features"}};
  for (std::int64_t count = run.quick ? 100 : 200; count <= data.train.count(); count *= 2) {
    const auto some = [count](const optim::Batch& of) {
      return optim::Batch{of.inputs.rows(0, count), of.targets.rows(0, count)};
    };
    // About as many steps for few pictures as for many.
    const int epochs =
        run.quick ? 30 : static_cast<int>(std::clamp<std::int64_t>(60000 / count, 12, 60));
    const double reached[] = {accuracy(some(data.train), data.test, false, epochs),
                              accuracy(some(train), test, false, epochs),
                              accuracy(some(data.train), data.test, true, epochs)};
    std::printf("%lld pictures: pixels %.3f, HOG %.3f, learned %.3f\n",
                static_cast<long long>(count), reached[0], reached[1], reached[2]);
    for (std::size_t k = 0; k < 3; ++k) {
      panel.curves[k].x.push_back(static_cast<double>(count));
      panel.curves[k].y.push_back(reached[k]);
    }
  }
  const std::int64_t n = edge, rows = test.inputs.size(1) / kBins;
  plot::Panel picture{.title = "A picture", .x = {"column"}, .y = {"row, from below"}};
  picture.heat_map = {.grid = {n, n, {}, 0, double(n), 0, double(n)}, .label = "brightness"};
  for (std::int64_t p = 0; p < n * n; ++p) {
    picture.heat_map->grid.values.push_back(data.test.inputs.at((n - 1 - p / n) * n + p % n));
  }
  plot::Panel kept{.title = "What HOG keeps of it", .x = {"direction (degrees)"}};
  kept.y = {"cell of a block"};
  kept.heat_map = {.grid = {rows, kBins, {}, 0, 180, 0, double(rows)}, .label = "share"};
  for (std::int64_t k = 0; k < rows * kBins; ++k) {
    kept.heat_map->grid.values.push_back(test.inputs.at(k));
  }
  run.save("handcrafted_features", {.title = "Features by hand and learned, " + data.name,
                                    .panels = {panel, picture, kept}});
}
