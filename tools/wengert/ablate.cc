#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/images.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/io/folder_lock.h"
#include "wengert/nn/models.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/optimizer.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/search.h"
#include "wengert/optim/training/split.h"
#include "wengert/plot/figure.h"

// What each technique brings: a network trained with all of them, without one of each, with one of
// each alone, and with none.
namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string data;
  std::string out = "ablation";
  std::int64_t epochs = 30;
  std::int64_t seeds = 5;
  std::int64_t batch_size = 64;
  std::int64_t validation = 0;
  int threads = 0;
  bool json = false;
};

/// What a variant trains with.
struct Recipe {
  nn::MlpOptions model;
  double weight_decay = 0;
  bool one_cycle = false;
  double rate = 1e-3;
};

struct Technique {
  const char* name;
  void (*apply)(Recipe& recipe);
};
/// Settings that were fixed before the test images were looked at.
constexpr Technique kTechniques[] = {
    {"batch norm", [](Recipe& r) { r.model.batch_norm = true; }},
    {"dropout", [](Recipe& r) { r.model.dropout = 0.2; }},
    {"weight decay", [](Recipe& r) { r.weight_decay = 0.01; }},
    {"one-cycle",
     [](Recipe& r) {
       r.one_cycle = true;
       r.rate = 2e-3;
     }},
};

struct Variant {
  std::string name;
  Recipe recipe;
  std::string beside;  ///< the variant that it is compared with
};

/// All, all but one, none, one alone.
std::vector<Variant> all_variants() {
  std::vector<Variant> result = {{"all", {}, ""}};
  for (const Technique& each : kTechniques) each.apply(result[0].recipe);
  for (const Technique& left_out : kTechniques) {
    Recipe recipe;
    for (const Technique& each : kTechniques) {
      if (&each != &left_out) each.apply(recipe);
    }
    result.push_back({std::string("without ") + left_out.name, recipe, "all"});
  }
  result.push_back({"none", {}, "all"});
  for (const Technique& each : kTechniques) {
    Recipe recipe;
    each.apply(recipe);
    result.push_back({std::string("only ") + each.name, recipe, "none"});
  }
  return result;
}

const Variant& variant_named(const std::vector<Variant>& variants, const std::string& name) {
  return *std::find_if(variants.begin(), variants.end(),
                       [&](const Variant& each) { return each.name == name; });
}

/// Ends training when the program is interrupted.
class Interrupts : public optim::TrainingHook {
 public:
  std::string_view name() const override { return "interrupts"; }
  bool wants_stop() const override { return interrupted(); }
};

/// What a variant comes to: the share of the measured images that it gets wrong.
double error_of(const Recipe& recipe, const io::ImageSet& data, const Settings& settings,
                std::uint64_t seed) {
  const optim::Split split =
      optim::split_examples(data.train_images.size(0), {settings.validation}, seed);
  const optim::ArrayLoader loader =
      image_loader(data.train_images, data.train_labels,
                   {.batch_size = settings.batch_size, .seed = seed}, split.train);
  const optim::LoaderOptions in_order{.batch_size = 1000, .shuffle = false};
  const optim::ArrayLoader measured =
      split.validation.empty()
          ? image_loader(data.test_images, data.test_labels, in_order)
          : image_loader(data.train_images, data.train_labels, in_order, split.validation);
  const optim::Model model =
      optim::classifier([&recipe](ParameterSet& parameters, const Var& inputs) {
        return nn::mlp(parameters, inputs, recipe.model);
      });
  ParameterSet parameters(seed);
  optim::AdamW optimizer({.rate = recipe.rate, .weight_decay = recipe.weight_decay});
  Interrupts interrupts;
  optim::FitOptions options{.epochs = settings.epochs, .hooks = {&interrupts}};
  if (recipe.one_cycle) options.schedule = optim::OneCycle({});
  optim::Training training(parameters, optimizer, loader, model, options);
  (void)training.run();
  return 1 - optim::measure(parameters, measured, model).value("accuracy");
}

/// The accuracies of one variant.
struct Row {
  std::string name, beside;
  double median = 0, low = 0, high = 0;
  std::size_t runs = 0;
};

std::vector<Row> rows_of(const std::vector<Variant>& variants, const optim::SearchResult& result) {
  std::vector<Row> rows;
  for (const Variant& variant : variants) {
    std::vector<double> all;
    for (const optim::TrialRecord& record : result.trials) {
      if (record.failed() || record.trial.text("variant") != variant.name) continue;
      all.push_back(1 - record.loss);
    }
    if (all.empty()) continue;
    std::sort(all.begin(), all.end());
    const std::size_t half = all.size() / 2;
    const double median = all.size() % 2 == 1 ? all[half] : (all[half - 1] + all[half]) / 2;
    rows.push_back({variant.name, variant.beside, median, all.front(), all.back(), all.size()});
  }
  return rows;
}

/// Medians that are less apart are told as equal: two runs of one variant differ by as much.
constexpr double kNoDifference = 0.002;

/// "−.004" beside the variant that it is compared with; "none", or nothing where there is none.
std::string difference(const std::vector<Row>& rows, const Row& row) {
  for (const Row& each : rows) {
    if (each.name != row.beside) continue;
    const double by = row.median - each.median;
    if (std::abs(by) < kNoDifference) return "none";
    return (by < 0 ? "−" : "+") + fixed_number(std::abs(by), 4) + " to " + each.name;
  }
  return "";
}

std::string table_of(const std::vector<Row>& rows) {
  TextTable table({"techniques", "accuracy, median", "lowest", "highest", "runs", "difference"});
  for (const Row& row : rows) {
    table.add({row.name, fixed_number(row.median, 4), fixed_number(row.low, 4),
               fixed_number(row.high, 4), std::to_string(row.runs), difference(rows, row)});
  }
  return table.str();
}

std::string picture_of(const std::vector<Row>& rows, const Settings& settings,
                       const std::string& images) {
  plot::Panel panel{
      .title = "accuracy on " + images, .x = {.label = "techniques"}, .y = {.label = "accuracy"}};
  plot::Bars bars;
  double least = 1;
  for (const Row& row : rows) {
    panel.x.names.push_back(row.name);
    bars.heights.push_back(row.median);
    bars.low.push_back(row.low);
    bars.high.push_back(row.high);
    least = std::min(least, row.low);
  }
  panel.y.low = std::max(0.0, std::floor(least * 100 - 0.5) / 100);
  panel.bars.push_back(std::move(bars));
  return plot::to_svg({.title = "What each technique brings to " + settings.model,
                       .panels = {panel},
                       .caption = "Medians of " + std::to_string(settings.seeds) +
                                  (settings.seeds == 1 ? " seed" : " seeds") + " after " +
                                  std::to_string(settings.epochs) +
                                  " epochs; whiskers from the lowest to the highest.",
                       .plot_width = 760});
}

nlohmann::ordered_json json_of(const std::vector<Row>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    list.push_back({{"techniques", row.name},
                    {"median", row.median},
                    {"lowest", row.low},
                    {"highest", row.high},
                    {"runs", row.runs},
                    {"difference", difference(rows, row)}});
  }
  return list;
}

void run(const Settings& settings) {
  if (settings.model != "mlp") {
    throw Error(ErrorKind::kValue, "ablate", "no ablation of '" + settings.model + "'",
                "there is one of mlp");
  }
  kernels::set_thread_count(settings.threads);
  const io::ImageSet data = io::load_fashion_mnist(settings.data);
  const std::vector<Variant> variants = all_variants();
  std::vector<std::string> names;
  for (const Variant& each : variants) names.push_back(each.name);
  const std::string images = settings.validation > 0
                                 ? std::to_string(settings.validation) + " held-out images"
                                 : "the test images";
  io::check_writable_folder(settings.out);
  const io::FolderLock lock(settings.out);
  const auto file = [&](const std::string& name) { return settings.out + "/" + name; };
  watch_interrupts();
  std::FILE* log = settings.json ? stderr : stdout;
  std::fprintf(log, "training %zu variants of %s from %lld seeds, %lld epochs each\n",
               variants.size(), settings.model.c_str(), static_cast<long long>(settings.seeds),
               static_cast<long long>(settings.epochs));
  // Nothing is chosen by what comes out: the search's table of trials and its file serve here.
  optim::SearchOptions options;
  // What the runs have in common is in the name: others are runs of their own.
  options.file = file("runs-" + std::to_string(settings.epochs) + "-epochs-of-" +
                      std::to_string(settings.batch_size) + "-" +
                      std::to_string(settings.validation) + "-held-out.safetensors");
  options.wants_stop = [] { return interrupted(); };
  options.after_trial = [&](const optim::TrialRecord& record, const optim::SearchResult& so_far) {
    std::fprintf(log, "%zu of %lld: seed %s, %s: %s\n", so_far.trials.size(),
                 static_cast<long long>(so_far.wanted), record.trial.text("seed").c_str(),
                 record.trial.text("variant").c_str(),
                 record.failed() ? printable(record.error).c_str()
                                 : fixed_number(1 - record.loss, 4).c_str());
    std::fflush(log);
  };
  const optim::SearchResult result = optim::grid_search(
      {optim::SearchAxis::whole("seed", 1, settings.seeds),
       optim::SearchAxis::words("variant", names)},
      [&](const optim::Trial& trial) {
        return error_of(variant_named(variants, trial.text("variant")).recipe, data, settings,
                        static_cast<std::uint64_t>(trial.whole("seed")));
      },
      options);
  const std::vector<Row> rows = rows_of(variants, result);
  if (!rows.empty()) {
    io::write_file_atomically(file("ablation.txt"), table_of(rows));
    io::write_file_atomically(file("ablation.svg"), picture_of(rows, settings, images));
    if (settings.json) {
      print_json(json_of(rows));
    } else {
      std::printf("accuracy on %s\n%s", images.c_str(), table_of(rows).c_str());
    }
  }
  for (const optim::TrialRecord& record : result.trials) {
    if (record.failed()) throw Error(ErrorKind::kValue, "ablate", record.error);
  }
  if (result.stopped) {
    complain("interrupted; the same command goes on from there");
    throw CommandFailed{};
  }
}

}  // namespace

void add_ablate(Program& program) {
  Command command = program.command(
      "ablate", "What each technique brings to a network, trained with and without it; resumable");
  auto s = std::make_shared<Settings>();
  command.option("MODEL", s->model, "mlp: 784-256-128-100-10 on Fashion-MNIST").required();
  command.option("--data", s->data,
                 "folder of the IDX files, plain or gzipped; default: $WENGERT_DATA, then "
                 "/usr/share/datasets/fashion-mnist");
  command
      .option("--out", s->out,
              "folder of the runs, ablation.txt and ablation.svg; the same one again goes on")
      .shows_default();
  command.option("--epochs", s->epochs, "of each run").between(1, 100000).shows_default();
  command.option("--seeds", s->seeds, "runs of each variant").between(1, 1000).shows_default();
  command.option("--batch", s->batch_size, "examples a step").between(1, 1000000).shows_default();
  command
      .option("--validation", s->validation,
              "training images to hold out and measure on in the place of the test images: to "
              "choose settings by")
      .between(0, 59000)
      .shows_default();
  command.option("--threads", s->threads, "0: as many as the machine has").between(0, 1024);
  command.flag("--json", s->json, "print the table as JSON; the log goes to standard error");
  command.example("wengert ablate mlp --out ablation").runs([s] { run(*s); });
}

}  // namespace wengert::tools
