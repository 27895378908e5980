#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/images.h"
#include "tools/wengert/option_settings.h"
#include "tools/wengert/pictures.h"
#include "tools/wengert/run_folder.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/dataset.h"
#include "wengert/io/transfer.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/curves.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/progress_bar.h"

namespace wengert::tools {
namespace {

/// What a state's metadata call the parameters that are not trained, a line each.
constexpr const char* kFrozen = "frozen";

struct Settings {
  std::string model;
  std::string data;
  std::string out = "run";
  std::string optimizer = "adam";
  std::vector<std::string> options;  ///< of the optimizer, "beta1=0.8"
  std::string rate;
  std::string schedule = "linear_decay";
  std::vector<std::string> schedule_options;
  std::int64_t warm_up = 0;
  std::string from;                  ///< a trained network
  std::vector<std::string> take;     ///< what is loaded of it, by the names here
  std::vector<std::string> renames;  ///< "net.*=fc1/*"
  bool train_loaded = false;
  double l2 = 0;
  double clip = 0;
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  std::int64_t validation = 5000;
  std::uint64_t seed = 1;
  int threads = 0;
  bool resume = false;
  bool json = false;
};

/// Where nothing is wrong but the numbers: the first mean of these that is NaN or infinite.
std::string not_finite(const optim::Totals& test, const std::optional<optim::Totals>& validation) {
  const auto said = [](const char* what, double loss) {
    return "the loss on the " + std::string(what) + " images is " + format_number(loss) +
           " although all weights are finite; lower the rate, or clip gradients";
  };
  if (!std::isfinite(test.loss())) return said("test", test.loss());
  if (validation && !std::isfinite(validation->loss())) {
    return said("validation", validation->loss());
  }
  return {};
}

/// One training run and the files that it leaves.
class Run : public optim::TrainingHook {
 public:
  explicit Run(const Settings& settings)
      : settings_(settings),
        def_(nn::find_model(settings.model)),
        folder_(settings.out),
        parameters_(settings.seed) {}

  void execute() {
    auto options = settings_of(settings_.options, "train", "--option");
    if (!settings_.rate.empty()) options.push_back({"rate", settings_.rate});
    const auto optimizer = optim::make_optimizer(settings_.optimizer, options);
    auto schedule_options = settings_of(settings_.schedule_options, "train", "--schedule-option");
    if (settings_.schedule == "linear_decay" && schedule_options.empty()) {
      schedule_options.push_back({"final_share", "0.02"});
    }
    optim::Schedule schedule = optim::make_schedule(settings_.schedule, schedule_options);
    if (settings_.warm_up > 0) {
      schedule = optim::LinearWarmUp({.steps = static_cast<double>(settings_.warm_up)}) * schedule;
    }
    const io::ImageSet data = io::load_fashion_mnist(settings_.data);
    const optim::Split split =
        optim::split_examples(data.train_images.size(0), {settings_.validation}, settings_.seed);
    if (settings_.l2 != 0) {
      passes_.add<optim::L2Penalty>({.lambda = settings_.l2});
    }
    if (settings_.clip != 0) {
      passes_.add<optim::ClipGlobalNorm>({.limit = settings_.clip});
    }
    const optim::ArrayLoader loader =
        image_loader(data.train_images, data.train_labels,
                     {.batch_size = settings_.batch_size, .seed = settings_.seed}, split.train);
    std::optional<optim::ArrayLoader> validation;
    if (!split.validation.empty()) {
      validation.emplace(image_loader(data.train_images, data.train_labels,
                                      {.batch_size = kMeasured, .shuffle = false},
                                      split.validation));
    }
    optim::Training training(parameters_, *optimizer, loader, model_of(def_),
                             {.epochs = settings_.epochs,
                              .validation = validation ? &*validation : nullptr,
                              .passes = &passes_,
                              .schedule = schedule,
                              .hooks = {&bar_, this}});
    if (settings_.resume) {
      resume(training);
      if (!settings_.from.empty()) {
        transferred_ = "--from is not read again: the run has what it was begun with";
      }
    } else if (!settings_.from.empty()) {
      transfer(training, loader);
    }
    // Last of what can fail before training: a run that cannot start leaves nothing behind.
    folder_.make();
    watch_interrupts();
    if (settings_.resume) (void)folder_.write_metrics(training, {});
    say((settings_.resume ? "going on with " : "training ") + std::string(def_.name) + " on " +
        std::to_string(split.train.size()) + " images, validating on " +
        std::to_string(split.validation.size()) + ", " + std::to_string(kernels::thread_count()) +
        " threads");
    if (!transferred_.empty()) say(transferred_);
    const optim::FitResult result = training.run();
    bar_.clear();
    if (result.stopped && training.epoch() <= settings_.epochs) {
      end_interrupted("in epoch " + std::to_string(training.epoch()));
    }
    finish(data, loader, validation, training, result.seconds);
  }

  std::string_view name() const override { return "files"; }
  bool wants_stop() const override { return interrupted(); }

  void after_step(optim::Training& training, const optim::StepRecord& record) override {
    if (record.step == 0) {
      const std::string words = record.context.str();
      if (!words.empty()) say("passes:\n" + words);
    }
    const bool last = record.step + 1 == record.steps_per_epoch;
    if (interrupted() && !last) save(training);
  }

  void after_epoch(optim::Training& training, const optim::EpochRecord& record) override {
    say(optim::ProgressBar::line(record));
    save(training);
  }

  void non_finite(optim::Training&, const optim::Batch& batch) override {
    bar_.clear();
    if (!draw(batch, std::string(def_.name) + ", the step that failed", kFailedStep)) return;
    complain("that step is drawn in " + folder_.file(kFailedStep) + ".svg");
  }

 private:
  static constexpr std::int64_t kMeasured = 1000;  ///< examples a batch where nothing is trained

  void resume(optim::Training& training) {
    const auto metadata = folder_.resume(training);
    const auto found = [&metadata](const char* key) {
      const auto entry = metadata.find(key);
      return entry == metadata.end() ? std::string("unknown") : entry->second;
    };
    const std::string seed = std::to_string(settings_.seed);
    if (found("model") == def_.name && found("seed") == seed) {
      // What the run was begun from is in its state; what was frozen of it is not.
      const auto frozen = metadata.find(kFrozen);
      if (frozen == metadata.end()) return;
      for (const std::string& name : lines_of(frozen->second)) {
        if (Parameter* known = parameters_.find(name)) known->set_trainable(false);
      }
      return;
    }
    throw IoError(folder_.file(kModelFile),
                  "it is of the model " + found("model") + " with seed " + found("seed") +
                      ", here it is " + std::string(def_.name) + " with seed " + seed,
                  "go on with the settings that it was begun with");
  }

  /// Begins with a part of a trained network.
  void transfer(optim::Training& training, const optim::Loader& loader) {
    training.step().make_parameters(loader.batch(1, 0));
    io::TransferOptions options{.freeze = !settings_.train_loaded};
    if (!settings_.take.empty()) options.wanted = settings_.take;
    for (const optim::OptionSetting& rule :
         settings_of(settings_.renames, "train", "--from-rename")) {
      options.rename.emplace_back(rule.name, rule.value);
    }
    const io::TransferReport report = io::transfer(parameters_, settings_.from, options);
    transferred_ = settings_.from + ": " + report.str();
    for (const Parameter* parameter : parameters_.all()) {
      if (parameter->trainable()) return;
    }
    throw Error(ErrorKind::kParameter, "train",
                "all parameters were loaded and are frozen: nothing is left to train",
                "choose what is loaded with --from-only, or add --train-loaded");
  }

  void finish(const io::ImageSet& data, const optim::ArrayLoader& loader,
              const std::optional<optim::ArrayLoader>& validation, optim::Training& training,
              double seconds) {
    stop_if_interrupted();
    const optim::Totals test =
        optim::measure(parameters_,
                       image_loader(data.test_images, data.test_labels,
                                    {.batch_size = kMeasured, .shuffle = false}),
                       model_of(def_));
    stop_if_interrupted();
    nlohmann::ordered_json last = folder_.write_metrics(
        training, {{"test_loss", test.loss()}, {"test_accuracy", test.value("accuracy")}});
    folder_.write("curves.svg", optim::learning_curves(std::string(def_.name), training.history()));
    stop_if_interrupted();
    const optim::Batch shown = (validation ? *validation : loader).all();
    const std::int64_t count = std::min(settings_.batch_size, shown.count());
    (void)draw({shown.inputs.rows(0, count), shown.targets.rows(0, count)},
               std::string(def_.name) + " after " + std::to_string(settings_.epochs) +
                   (settings_.epochs == 1 ? " epoch" : " epochs"),
               "graph");
    unwatch_interrupts();  // from here on nothing is done that a signal could spoil
    stop_if_interrupted();
    say("test accuracy " + fixed_number(test.value("accuracy"), 4) + ", loss " +
        fixed_number(test.loss(), 4) + "; " + fixed_number(seconds, 1) + " s of training");
    say("wrote " + folder_.file(kModelFile) + ", metrics.jsonl, curves.svg, graph.svg");
    if (settings_.json) {
      last["seconds"] = seconds;
      last["out"] = settings_.out;
      print_json(last);
    }
    const std::string fault = not_finite(test, training.history().back().validation);
    if (fault.empty()) return;
    complain(fault);
    throw CommandFailed{};
  }

  void stop_if_interrupted() {
    if (interrupted()) end_interrupted("after the last epoch");
  }
  [[noreturn]] void end_interrupted(const std::string& where) {
    bar_.clear();
    complain("interrupted " + where + "; --resume goes on from there");
    throw CommandFailed{};
  }

  /// Draws the step of a batch into `name`.svg; false where an interrupt ended it.
  bool draw(const optim::Batch& batch, const std::string& title, const std::string& name) {
    const auto drawn = [&](const char* format) {
      return draw_step(def_, parameters_, batch, GraphDirection::kBoth, format, title, passes_);
    };
    try {
      folder_.write(name + ".svg", drawn("svg"));
    } catch (const IoError&) {
      throw;
    } catch (const Error& e) {
      if (interrupted()) return false;
      // A machine without Graphviz still gets the graph, as text.
      folder_.write(name + ".dot", drawn("dot"));
      complain("no " + name + ".svg: " + e.message() + "; wrote " + name + ".dot instead");
    }
    return true;
  }

  void save(const optim::Training& training) {
    std::map<std::string, std::string> metadata = {{"model", std::string(def_.name)},
                                                   {"seed", std::to_string(settings_.seed)}};
    std::string frozen;
    for (const Parameter* parameter : parameters_.all()) {
      if (!parameter->trainable()) frozen += (frozen.empty() ? "" : "\n") + parameter->name();
    }
    if (!frozen.empty()) metadata[kFrozen] = std::move(frozen);
    folder_.save(training, std::move(metadata));
  }

  void say(const std::string& text) {
    bar_.clear();
    std::FILE* to = settings_.json ? stderr : stdout;
    for (const std::string& line : lines_of(text)) {
      std::fprintf(to, "%s\n", printable(line).c_str());
    }
    std::fflush(to);
  }

  const Settings& settings_;
  const nn::ModelDef& def_;
  RunFolder folder_;
  ParameterSet parameters_;
  PassPipeline passes_;
  std::string transferred_;  ///< what came of --from
  optim::ProgressBar bar_{nullptr};
};

}  // namespace

void add_train(Program& program) {
  Command command =
      program.command("train",
                      "Train a network on Fashion-MNIST; leaves model.safetensors, metrics.jsonl, "
                      "curves.svg and graph.svg");
  auto s = std::make_shared<Settings>();
  command.option("MODEL", s->model, "one of: " + model_names()).required();
  command.option("--data", s->data,
                 "folder of the IDX files, plain or gzipped; default: $WENGERT_DATA, then "
                 "/usr/share/datasets/fashion-mnist");
  command.option("--out", s->out, "folder for the results, of one run at a time").shows_default();
  command.option("--epochs", s->epochs, "").between(1, 100000).shows_default();
  command.option("--batch", s->batch_size, "examples a step").between(1, 1000000).shows_default();
  command.option("--optimizer", s->optimizer, "one of: " + names_of(optim::registered_methods()))
      .shows_default();
  command.option("--option", s->options,
                 "NAME=VALUE, an option of the optimizer; `wengert optimizers NAME` lists them");
  command.option("--rate", s->rate, "learning rate; default: the optimizer's usual one");
  command
      .option("--schedule", s->schedule,
              "of the rate, one of: " + names_of(optim::registered_schedules()))
      .shows_default();
  command.option("--schedule-option", s->schedule_options,
                 "NAME=VALUE, an option of the schedule; `wengert schedules NAME` lists them; "
                 "default for linear_decay: final_share=0.02");
  command
      .option("--warm-up", s->warm_up,
              "steps in which the rate rises on a line before all else, times the schedule")
      .between(0, 1000000000)
      .shows_default();
  command.option(
      "--from", s->from,
      "a trained network (safetensors) whose parameters are loaded and frozen where name, "
      "dtype and shape are the same; a run that is resumed has them already");
  command.option("--from-only", s->take,
                 "NAME, what is loaded of it, by the names here; * stands for any characters");
  command.option("--from-rename", s->renames,
                 "OLD=NEW, what the file calls a parameter and what it is here; * on both sides "
                 "stands for the same characters");
  command.flag("--train-loaded", s->train_loaded, "trains what was loaded as well");
  command.option("--l2", s->l2, "weight penalty λ, adds (λ/2)·Σw²").not_negative().shows_default();
  command.option("--clip", s->clip, "largest norm of all gradients together; 0: no clipping")
      .not_negative()
      .shows_default();
  command.option("--validation", s->validation, "training examples held out for validation")
      .between(0, 1000000)
      .shows_default();
  command.option("--seed", s->seed, "same seed, same bytes of weights and metrics").shows_default();
  command.option("--threads", s->threads, "0: as many as the machine has").between(0, 1024);
  command.flag("--resume", s->resume,
               "go on where the run in --out stopped, to the same bytes; --epochs may be larger");
  command.flag("--json", s->json,
               "print the last line of metrics as JSON; the log goes to standard error");
  command.example("wengert train mlp --out run1 --seed 3").runs([s] {
    kernels::set_thread_count(s->threads);
    Run(*s).execute();
  });
}

}  // namespace wengert::tools
