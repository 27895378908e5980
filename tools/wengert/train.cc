#include <cstdio>
#include <memory>
#include <optional>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/images.h"
#include "tools/wengert/pictures.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/curves.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/schedule.h"
#include "wengert/optim/training/fit.h"
#include "wengert/optim/training/progress_bar.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string data;
  std::string out = "run";
  std::string optimizer = "adam";
  std::vector<std::string> options;  ///< of the optimizer, "beta1=0.8"
  std::string rate;
  std::string schedule = "linear_decay";
  std::vector<std::string> schedule_options;
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

nlohmann::ordered_json as_json(const optim::EpochRecord& record) {
  nlohmann::ordered_json line = {{"epoch", record.epoch}, {"rate", record.rate}};
  const auto add = [&line](const std::string& start, const optim::Totals& totals) {
    line[start + "_loss"] = totals.loss();
    for (const optim::Metric& metric : totals.metrics())
      line[start + "_" + metric.name] = metric.value();
  };
  add("train", record.train);
  if (record.validation) add("validation", *record.validation);
  return line;
}

/// "beta1=0.8" as a setting, of option `flag`.
std::vector<optim::OptionSetting> settings_of(const std::vector<std::string>& texts,
                                              const char* flag) {
  std::vector<optim::OptionSetting> result;
  for (const std::string& text : texts) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) {
      throw Error(ErrorKind::kValue, "train", "'" + text + "' sets no option",
                  "write " + std::string(flag) + " NAME=VALUE, as in --option beta1=0.8");
    }
    result.push_back({text.substr(0, sign), text.substr(sign + 1)});
  }
  return result;
}

/// "sgd, adam": the names of a table's records.
template <class Def>
std::string names_of(const std::vector<const Def*>& all) {
  std::string names;
  for (const Def* def : all) names += (names.empty() ? "" : ", ") + std::string(def->name);
  return names;
}

/// The whole state of a run, at the end of each epoch and where it is interrupted.
constexpr const char* kModelFile = "model.safetensors";

/// One training run and the files that it leaves.
class Run : public optim::TrainingHook {
 public:
  explicit Run(const Settings& settings)
      : settings_(settings), def_(nn::find_model(settings.model)), parameters_(settings.seed) {}

  void execute() {
    auto options = settings_of(settings_.options, "--option");
    if (!settings_.rate.empty()) options.push_back({"rate", settings_.rate});
    const auto optimizer = optim::make_optimizer(settings_.optimizer, options);
    auto schedule_options = settings_of(settings_.schedule_options, "--schedule-option");
    if (settings_.schedule == "linear_decay" && schedule_options.empty()) {
      schedule_options.push_back({"final_share", "0.02"});
    }
    const optim::Schedule schedule = optim::make_schedule(settings_.schedule, schedule_options);
    const io::ImageSet data = io::load_fashion_mnist(settings_.data);
    const optim::Split split =
        optim::split_examples(data.train_images.size(0), settings_.validation, settings_.seed);
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
    if (settings_.resume) resume(training);
    // Last of what can fail before training: a run that cannot start leaves nothing behind.
    io::check_writable_folder(settings_.out);
    watch_interrupts();
    say((settings_.resume ? "going on with " : "training ") + std::string(def_.name) + " on " +
        std::to_string(split.train.size()) + " images, validating on " +
        std::to_string(split.validation.size()) + ", " + std::to_string(kernels::thread_count()) +
        " threads");
    const optim::FitResult result = training.run();
    bar_.clear();
    if (result.stopped) {
      std::fprintf(stderr, "wengert: interrupted in epoch %lld; --resume goes on from there\n",
                   static_cast<long long>(training.epoch()));
      throw CommandFailed{};
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
    write_metrics(training);
    save(training);
  }

  void non_finite(optim::Training&, const optim::Batch& batch) override {
    bar_.clear();
    draw(batch, std::string(def_.name) + ", the step that failed");
    std::fprintf(stderr, "wengert: that step is drawn in %s\n", path("graph.svg").c_str());
  }

 private:
  static constexpr std::int64_t kMeasured = 1000;  ///< examples a batch where nothing is trained

  void resume(optim::Training& training) {
    const auto metadata = training.load(path(kModelFile));
    const auto found = [&metadata](const char* key) {
      const auto entry = metadata.find(key);
      return entry == metadata.end() ? std::string("unknown") : entry->second;
    };
    const std::string seed = std::to_string(settings_.seed);
    if (found("model") == def_.name && found("seed") == seed) return;
    throw IoError(path(kModelFile),
                  "it is of the model " + found("model") + " with seed " + found("seed") +
                      ", here it is " + std::string(def_.name) + " with seed " + seed,
                  "go on with the settings that it was begun with");
  }

  void finish(const io::ImageSet& data, const optim::ArrayLoader& loader,
              const std::optional<optim::ArrayLoader>& validation, optim::Training& training,
              double seconds) {
    const optim::Totals test =
        optim::measure(parameters_,
                       image_loader(data.test_images, data.test_labels,
                                    {.batch_size = kMeasured, .shuffle = false}),
                       model_of(def_));
    nlohmann::ordered_json more = {{"test_loss", test.loss()},
                                   {"test_accuracy", test.value("accuracy")}};
    const nlohmann::ordered_json last = write_metrics(training, more);
    io::write_file_atomically(path("curves.svg"),
                              optim::learning_curves(std::string(def_.name), training.history()));
    const optim::Batch shown = (validation ? *validation : loader).all();
    const std::int64_t count = std::min(settings_.batch_size, shown.count());
    draw({shown.inputs.rows(0, count), shown.targets.rows(0, count)},
         std::string(def_.name) + " after " + std::to_string(settings_.epochs) +
             (settings_.epochs == 1 ? " epoch" : " epochs"));
    char line[120];
    std::snprintf(line, sizeof line, "test accuracy %.4f, loss %.4f; %.1f s of training",
                  test.value("accuracy"), test.loss(), seconds);
    say(line);
    say("wrote " + path(kModelFile) + ", metrics.jsonl, curves.svg, graph.svg");
    if (settings_.json) {
      nlohmann::ordered_json out = last;
      out["seconds"] = seconds;
      out["out"] = settings_.out;
      std::printf("%s\n", out.dump(2).c_str());
    }
  }

  void draw(const optim::Batch& batch, const std::string& title) {
    const auto drawn = [&](const char* format) {
      return draw_step(def_, parameters_, batch, GraphDirection::kBoth, format, title, passes_);
    };
    try {
      io::write_file_atomically(path("graph.svg"), drawn("svg"));
    } catch (const IoError&) {
      throw;
    } catch (const Error& e) {
      // A machine without Graphviz still gets the graph, as text.
      io::write_file_atomically(path("graph.dot"), drawn("dot"));
      std::fprintf(stderr, "wengert: no graph.svg: %s; wrote graph.dot instead\n",
                   e.message().c_str());
    }
  }

  /// A line for each epoch, `more` in the last one, which it gives.
  nlohmann::ordered_json write_metrics(const optim::Training& training,
                                       const nlohmann::ordered_json& more = {}) {
    std::string text;
    nlohmann::ordered_json line;
    for (const optim::EpochRecord& record : training.history()) {
      line = as_json(record);
      if (&record == &training.history().back() && !more.is_null()) line.update(more);
      text += line.dump() + "\n";
    }
    io::write_file_atomically(path("metrics.jsonl"), text);
    return line;
  }

  void save(const optim::Training& training) {
    training.save(path(kModelFile), {{"model", std::string(def_.name)},
                                     {"epoch", std::to_string(training.history().size())},
                                     {"seed", std::to_string(settings_.seed)}});
  }

  std::string path(const char* file) const { return settings_.out + "/" + file; }
  void say(const std::string& text) {
    bar_.clear();
    std::FILE* to = settings_.json ? stderr : stdout;
    std::fprintf(to, "%s\n", text.c_str());
    std::fflush(to);
  }

  const Settings& settings_;
  const nn::ModelDef& def_;
  ParameterSet parameters_;
  PassPipeline passes_;
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
  command.option("--out", s->out, "folder for the results").shows_default();
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
