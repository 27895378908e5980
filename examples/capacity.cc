// How much a net can learn: width, depth and the number of examples.
//
// Shown: accuracy in training and test by the width of two hidden layers; nets of one to eight
// hidden layers with about as many parameters; the gap by the number of training examples.
// Source: the lecture notes; I. Goodfellow et al., Deep Learning, 2016, chapter 5.
// Look at: where the two curves part, and how more examples bring them together again.
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include "shared.h"

using namespace wengert;

struct Accuracies {
  double train, test;
};

/// A net of `depth` hidden layers of `width` units, after a fixed number of updates.
Accuracies train(const shared::Batch& examples, const shared::Batch& held_out, int depth,
                 std::int64_t width, int updates, std::uint64_t seed) {
  ParameterSet parameters(seed);
  const optim::Model model = optim::classifier([&](ParameterSet& set, const Var& x) {
    Var h = x;
    for (int i = 1; i <= depth; ++i) {
      h = relu(linear(set, "hidden" + std::to_string(i), h, width));
    }
    return linear(set, "out", h, 10);
  });
  optim::Adam adam({.rate = 1e-3});
  const std::int64_t batch = std::min<std::int64_t>(50, examples.count());
  const optim::ArrayLoader loader(examples, {.batch_size = batch, .seed = seed});
  const optim::ArrayLoader seen(examples, {.batch_size = 500, .shuffle = false});
  const optim::ArrayLoader test(held_out, {.batch_size = 500, .shuffle = false});
  const int epochs = std::max(1, updates / static_cast<int>(loader.batch_count()));
  optim::fit(parameters, adam, loader, model, {.epochs = epochs});
  return {optim::measure(parameters, seen, model).value("accuracy"),
          optim::measure(parameters, test, model).value("accuracy")};
}

/// Hidden layers of which width have about as many parameters as 64-64 has.
std::int64_t width_of(int depth, std::int64_t features) {
  const auto parameters = [&](std::int64_t w) {
    return (features + 11) * w + (depth - 1) * w * (w + 1);
  };
  std::int64_t width = 1;
  while (parameters(width + 1) <= (features + 11) * 64 + 64 * 65) ++width;
  return width;
}

int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 6000, 2000);
  const int updates = run.quick ? 30 : 2000, seeds = run.quick ? 1 : 3;
  const std::int64_t features = data.train.inputs.size(1);
  const auto first = [&](std::int64_t count) {
    return shared::Batch{data.train.inputs.rows(0, count), data.train.targets.rows(0, count)};
  };
  std::vector<plot::Panel> panels;
  const auto panel = [&](std::string title, plot::Axis x) {
    panels.push_back({.title = std::move(title), .x = std::move(x), .y = {"accuracy"}});
    panels.back().curves = {{"training"}, {"test"}};
  };
  const auto point = [&](double x, const shared::Batch& examples, int depth, std::int64_t width,
                         const char* what) {
    Accuracies mean = {0, 0};
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto [seen, test] =
          train(examples, data.test, depth, width, updates, static_cast<std::uint64_t>(seed));
      mean.train += seen / seeds;
      mean.test += test / seeds;
    }
    std::printf("%s %g (%d × %lld): training %.3f, test %.3f\n", what, x, depth,
                static_cast<long long>(width), mean.train, mean.test);
    const double values[] = {mean.train, mean.test};
    for (std::size_t k = 0; k < 2; ++k) {
      panels.back().curves[k].x.push_back(x);
      panels.back().curves[k].y.push_back(values[k]);
    }
  };
  const std::int64_t some = run.quick ? 100 : 1000;
  panel("Width, " + std::to_string(some) + " examples", {"units a layer", plot::Scale::kLog});
  for (const std::int64_t width : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    if (run.quick && width > 64) break;
    point(static_cast<double>(width), first(some), 2, width, "width");
  }
  panel("Depth at equal parameters", {"hidden layers"});
  for (const int depth : {1, 2, 4, 8}) {
    point(depth, first(data.train.count()), depth, width_of(depth, features), "depth");
  }
  panel("Examples, two layers of 64", {"training examples", plot::Scale::kLog});
  for (std::int64_t count = some / 10; count <= data.train.count(); count *= 2) {
    point(static_cast<double>(count), first(count), 2, 64, "examples");
  }
  run.save("capacity",
           {.title = "Capacity, " + data.name,
            .panels = panels,
            .caption = "Adam, 1e-3, " + std::to_string(updates) + " updates of 50 examples."});
}
