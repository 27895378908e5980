#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/option_settings.h"
#include "tools/wengert/pictures.h"
#include "wengert/graph/text.h"
#include "wengert/nn/models.h"
#include "wengert/optim/methods.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/parameter_kinds.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string optimizer = "adam";
  std::string schedule = "linear_decay";
  std::uint64_t seed = 1;
  bool json = false;
};

void run(const Settings& settings) {
  const nn::ModelDef& def = nn::find_model(settings.model);
  ParameterSet parameters(settings.seed);
  const auto optimizer = optim::make_optimizer(settings.optimizer);
  // One step on one empty picture: what a method keeps is there once it has stepped.
  const optim::ArrayLoader loader(
      {Tensor::zeros({1, def.features}), Tensor::zeros({1}, DType::kInt64)}, {.batch_size = 1});
  optim::Training training(parameters, *optimizer, loader, model_of(def),
                           {.epochs = 1, .schedule = optim::make_schedule(settings.schedule)});
  (void)training.run();
  const std::vector<optim::ParameterKind> kinds = optim::parameter_kinds(training);
  if (!settings.json) {
    std::printf("%s", optim::to_table(kinds).c_str());
    return;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const optim::ParameterKind& kind : kinds) {
    list.push_back({{"kind", kind.kind},
                    {"numbers", kind.numbers},
                    {"decided_by", kind.decided_by},
                    {"changes", kind.changes},
                    {"kept_in", kind.kept_in},
                    {"names", kind.names}});
  }
  print_json(list);
}

}  // namespace

void add_kinds(Program& program) {
  Command command = program.command(
      "kinds",
      "The kinds of numbers that training a model has: parameters, buffers, state, options");
  auto s = std::make_shared<Settings>();
  command.option("MODEL", s->model, "one of: " + model_names()).required();
  command.option("--optimizer", s->optimizer, "one of: " + names_of(optim::registered_methods()))
      .shows_default();
  command
      .option("--schedule", s->schedule,
              "of the rate, one of: " + names_of(optim::registered_schedules()))
      .shows_default();
  command.option("--seed", s->seed, "accepted everywhere; counts depend on nothing random");
  command.flag("--json", s->json, "print a JSON list, with all names");
  command.example("wengert kinds mlp --optimizer momentum").runs([s] { run(*s); });
}

}  // namespace wengert::tools
