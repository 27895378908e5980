#include "wengert/optim/training/rate_range.h"

#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/images.h"
#include "tools/wengert/option_settings.h"
#include "tools/wengert/pictures.h"
#include "wengert/graph/text.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/optimizer.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string data;
  std::string out;
  std::string optimizer = "adam";
  std::vector<std::string> options;  ///< of the optimizer, "beta1=0.8"
  double low = 1e-6;
  double high = 1;
  std::int64_t steps = 100;
  std::int64_t batch_size = 64;
  std::uint64_t seed = 1;
  int threads = 0;
  bool json = false;
};

void run(const Settings& s) {
  kernels::set_thread_count(s.threads);
  const nn::ModelDef& def = nn::find_model(s.model);
  const auto optimizer =
      optim::make_optimizer(s.optimizer, settings_of(s.options, "rate-range", "--option"));
  const io::ImageSet data = io::load_fashion_mnist(s.data);
  const optim::ArrayLoader loader = image_loader(data.train_images, data.train_labels,
                                                 {.batch_size = s.batch_size, .seed = s.seed});
  ParameterSet parameters(s.seed);
  const optim::RateRange range =
      optim::rate_range_test(parameters, *optimizer, loader, model_of(def),
                             {.low = s.low, .high = s.high, .steps = s.steps});
  if (!s.out.empty()) {
    io::write_file_atomically(
        s.out, optim::rate_range_curve(std::string(def.name) + ", " + s.optimizer, range));
  }
  if (s.json) {
    print_json({{"rates", range.rates},
                {"losses", range.losses},
                {"smoothed", range.smoothed},
                {"left", range.left},
                {"steepest", range.steepest()}});
    return;
  }
  std::printf("%-12s %-12s smoothed\n", "rate", "loss");
  for (std::size_t i = 0; i < range.rates.size(); ++i) {
    std::printf("%-12s %-12s %s\n", format_number(range.rates[i]).c_str(),
                fixed_number(range.losses[i], 4).c_str(),
                fixed_number(range.smoothed[i], 4).c_str());
  }
  std::printf("The loss falls most steeply at a rate of %s; %s.\n",
              format_number(range.steepest()).c_str(),
              range.left ? "then it left" : "it never left");
}

}  // namespace

void add_rate_range(Program& program) {
  Command command = program.command(
      "rate-range", "Try rates from low to high on Fashion-MNIST and print the losses");
  auto s = std::make_shared<Settings>();
  command.option("MODEL", s->model, "one of: " + model_names()).required();
  command.option("--data", s->data,
                 "folder of the IDX files, plain or gzipped; default: $WENGERT_DATA, then "
                 "/usr/share/datasets/fashion-mnist");
  command.option("--out", s->out, "file for the curve as SVG; none when left out");
  command.option("--optimizer", s->optimizer, "one of: " + names_of(optim::registered_methods()))
      .shows_default();
  command.option("--option", s->options,
                 "NAME=VALUE, an option of the optimizer; `wengert optimizers NAME` lists them");
  command.option("--low", s->low, "the first rate").not_negative().shows_default();
  command.option("--high", s->high, "the last rate").not_negative().shows_default();
  command.option("--steps", s->steps, "").between(2, 1000000).shows_default();
  command.option("--batch", s->batch_size, "examples a step").between(1, 1000000).shows_default();
  command.option("--seed", s->seed, "same seed, same losses").shows_default();
  command.option("--threads", s->threads, "0: as many as the machine has").between(0, 1024);
  command.flag("--json", s->json, "print JSON: rates, losses, smoothed, left, steepest");
  command.example("wengert rate-range mlp --out rates.svg").runs([s] { run(*s); });
}

}  // namespace wengert::tools
