// A net that was trained on some classes as the beginning of one for others.
//
// Shown: a net learns classes 0 to 4; then nets learn classes 5 to 9 from few pictures and from
// more: from scratch, with hidden layers of the first net frozen, and with all trained on.
// Source: the lecture notes on transfer; J. Yosinski et al. 2014, arXiv:1411.1792.
// Look at: what frozen layers cost, and whether what is carried over helps with few pictures.
#include <wengert/io/parameter_file.h>
#include <wengert/io/transfer.h>
#include <wengert/nn/linear.h>
#include <wengert/optim/optimizer.h>
#include <wengert/optim/training/fit.h>

#include <algorithm>
#include <filesystem>

#include "shared.h"
using namespace wengert;

Var logits(ParameterSet& set, const Var& x) {
  return linear(set, "out", relu(linear(set, "second", relu(linear(set, "first", x, 128)), 64)), 5);
}

/// The examples of five classes from `first` on, which become 0 to 4.
optim::Batch five_classes(const optim::Batch& all, double first) {
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < all.count(); ++i) {
    const double label = all.targets.at(i);
    if (label >= first && label < first + 5) chosen.push_back(i);
  }
  const optim::Batch part = optim::ArrayLoader(all, {}, chosen).all();
  return {part.inputs, (Var(part.targets) - static_cast<std::int64_t>(first)).value()};
}

struct Way {
  const char* name;
  std::vector<std::string> wanted;  ///< of the trained net
  bool freezes = false;
};
const Way kWays[] = {{"from scratch", {}},
                     {"both layers, frozen", {"first/*", "second/*"}, true},
                     {"first layer, frozen", {"first/*"}, true},
                     {"both layers, all trained", {"first/*", "second/*"}}};
/// Trains for about `steps` steps: losses by epoch in training and, where `watched`, in the test.
std::pair<plot::Curve, plot::Curve> learn(ParameterSet& parameters, const optim::Batch& pictures,
                                          const optim::Loader* watched, std::int64_t steps) {
  optim::Adam adam({.rate = 2e-3});
  const optim::ArrayLoader loader(pictures, {.batch_size = 25, .seed = parameters.seed()});
  const std::int64_t epochs = std::max<std::int64_t>(1, steps / loader.batch_count());
  std::pair<plot::Curve, plot::Curve> losses;
  for (const auto& epoch : optim::fit(parameters, adam, loader, optim::classifier(logits),
                                      {.epochs = epochs, .validation = watched})
                               .epochs) {
    losses.first.y.push_back(epoch.train.loss());
    losses.second.y.push_back(epoch.watched("loss"));
  }
  losses.first.x = losses.second.x = shared::steps(losses.first.y.size(), 1);
  return losses;
}
int main(int argc, char** argv) {
  const shared::Run run(argc, argv);
  const shared::Data data = shared::pictures(run, 30000, 6000);
  const std::string file = run.folder + "/transfer.safetensors";
  const optim::Model model = optim::classifier(logits);
  const optim::Batch old = five_classes(data.train, 0), fresh = five_classes(data.train, 5);
  const optim::ArrayLoader old_test(five_classes(data.test, 0), {.batch_size = 500});
  const optim::ArrayLoader test(five_classes(data.test, 5), {.batch_size = 500});
  ParameterSet trained(1);
  learn(trained, old, nullptr, run.quick ? 100 : 6000);
  io::save(trained, file);
  std::printf("classes 0 to 4: %lld pictures, accuracy %.3f\n", static_cast<long long>(old.count()),
              optim::measure(trained, old_test, model).value("accuracy"));

  std::vector<std::int64_t> counts = {25, 100, 400, 1600};
  if (run.quick) counts = {20, 60};
  const std::string drawn = ", " + std::to_string(counts[1]) + " pictures";
  plot::Panel ends{.title = "Accuracy in the test", .y = {"accuracy, median of three seeds"}};
  ends.x = {"pictures to learn from", plot::Scale::kLog};
  plot::Panel trains{.title = "Training loss" + drawn, .x = {"epoch"}};
  trains.y = {"loss (nats)", plot::Scale::kLog};
  plot::Panel tests{.title = "Test loss" + drawn, .x = {"epoch"}, .y = {"loss (nats)"}};
  for (const Way& way : kWays) {
    plot::Curve middle{way.name};
    plot::Band spread{.opacity = 0.15};
    for (const std::int64_t count : counts) {
      std::vector<double> reached;
      for (int seed = 1; seed <= 3; ++seed) {  // other weights and other pictures
        const std::int64_t from = (seed - 1) * count;
        const optim::Batch some{fresh.inputs.rows(from, from + count),
                                fresh.targets.rows(from, from + count)};
        const bool draw = count == counts[1] && seed == 1;
        ParameterSet parameters(static_cast<std::uint64_t>(seed));
        optim::TrainingStep(parameters, model).make_parameters(some);
        if (!way.wanted.empty()) {
          const auto report =
              io::transfer(parameters, file, {.wanted = way.wanted, .freeze = way.freezes});
          if (draw && &way == &kWays[1]) std::puts(report.str().c_str());
        }
        auto [train, held_out] =
            learn(parameters, some, draw ? &test : nullptr, run.quick ? 60 : 1500);
        reached.push_back(optim::measure(parameters, test, model).value("accuracy"));
        if (!draw) continue;
        std::printf("%s: loss %.4f, in the test %.4f\n", way.name, train.y.back(),
                    held_out.y.back());
        train.name = held_out.name = way.name;
        trains.curves.push_back(train), tests.curves.push_back(held_out);
      }
      std::sort(reached.begin(), reached.end());
      std::printf("%s, %lld pictures: %.3f (%.3f to %.3f)\n", way.name,
                  static_cast<long long>(count), reached[1], reached[0], reached[2]);
      for (auto* x : {&middle.x, &spread.x}) x->push_back(static_cast<double>(count));
      middle.y.push_back(reached[1]);
      spread.low.push_back(reached[0]), spread.high.push_back(reached[2]);
    }
    ends.curves.push_back(middle), ends.bands.push_back(spread);
  }
  std::filesystem::remove(file);
  run.save("transfer", {.title = "Classes 5 to 9 of " + data.name + " after classes 0 to 4",
                        .panels = {ends, trains, tests}});
}
