#include <cmath>
#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/pictures.h"
#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/io/checkpoint.h"
#include "wengert/io/dataset.h"
#include "wengert/io/file.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/optim/curves.h"
#include "wengert/optim/passes.h"
#include "wengert/optim/trainer.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string data;
  std::string out = "run";
  std::string optimizer = "adam";
  std::vector<std::string> options;  ///< of the optimizer, "beta1=0.8"
  std::string rate;
  double final_rate_share = 0.02;
  double l2 = 0;
  double clip = 0;
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  std::int64_t validation = 5000;
  std::uint64_t seed = 1;
  int threads = 0;
  bool json = false;
};

nlohmann::ordered_json as_json(const optim::EpochRecord& record) {
  nlohmann::ordered_json line = {{"epoch", record.epoch},
                                 {"rate", record.rate},
                                 {"train_loss", record.train_loss},
                                 {"train_accuracy", record.train_accuracy}};
  if (!std::isnan(record.validation_loss)) {  // nothing was held out
    line["validation_loss"] = record.validation_loss;
    line["validation_accuracy"] = record.validation_accuracy;
  }
  return line;
}

std::vector<optim::OptionSetting> optimizer_options(const Settings& settings) {
  std::vector<optim::OptionSetting> result;
  for (const std::string& text : settings.options) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) {
      throw Error(ErrorKind::kValue, "train", "'" + text + "' sets no option",
                  "write --option NAME=VALUE, as in --option beta1=0.8");
    }
    result.push_back({text.substr(0, sign), text.substr(sign + 1)});
  }
  if (!settings.rate.empty()) result.push_back({"rate", settings.rate});
  return result;
}

std::string optimizer_names() {
  std::string names;
  for (const optim::MethodDef* method : optim::registered_methods()) {
    names += (names.empty() ? "" : ", ") + std::string(method->name);
  }
  return names;
}

/// One training run and the files that it leaves.
class Run {
 public:
  explicit Run(const Settings& settings)
      : settings_(settings), def_(nn::find_model(settings.model)), parameters_(settings.seed) {}

  void execute() {
    const auto optimizer = optim::make_optimizer(settings_.optimizer, optimizer_options(settings_));
    const io::ImageSet data = io::load_fashion_mnist(settings_.data);
    const optim::Examples train_set{data.train_images, data.train_labels};
    const optim::Split split =
        optim::split_examples(train_set.count(), settings_.validation, settings_.seed);
    if (settings_.l2 != 0) {
      passes_.add<optim::L2Penalty>({.lambda = settings_.l2});
    }
    if (settings_.clip != 0) {
      passes_.add<optim::ClipGlobalNorm>({.limit = settings_.clip});
    }
    optim::TrainOptions options = make_options();
    options.passes = &passes_;
    const optim::Model model = [this](ParameterSet& parameters, const Var& inputs) {
      return def_.logits(parameters, inputs);
    };
    // Last of what can fail before training: a run that cannot start leaves nothing behind.
    io::check_writable_folder(settings_.out);
    watch_interrupts();
    say("training " + std::string(def_.name) + " on " + std::to_string(split.train.size()) +
        " images, validating on " + std::to_string(split.validation.size()) + ", " +
        std::to_string(kernels::thread_count()) + " threads");
    const optim::TrainResult result =
        optim::train(model, parameters_, *optimizer, train_set, split, options);
    clear_progress();
    if (result.stopped) {
      std::fprintf(stderr, "wengert: interrupted in epoch %zu; %s\n", result.epochs.size(),
                   saved_ ? "the last checkpoint is whole" : "nothing was saved yet");
      throw CommandFailed{};
    }
    finish(data, model, split, result.seconds);
  }

 private:
  optim::TrainOptions make_options() {
    optim::TrainOptions options;
    options.epochs = settings_.epochs;
    options.batch_size = settings_.batch_size;
    options.seed = settings_.seed;
    options.final_rate_share = settings_.final_rate_share;
    options.stop = interrupted;
    options.progress = [this](std::int64_t epoch, double share, double loss) {
      const auto epochs = static_cast<double>(settings_.epochs);
      show_progress("epoch " + std::to_string(epoch) + "/" + std::to_string(settings_.epochs) +
                        "  loss " + format_number(loss),
                    (static_cast<double>(epoch - 1) + share) / epochs);
    };
    options.after_epoch = [this](const optim::EpochRecord& record) {
      if (interrupted()) return;  // an epoch cut short is not recorded
      after_epoch(record);
    };
    options.non_finite = [this](const optim::Batch& batch) {
      clear_progress();
      draw(batch, std::string(def_.name) + ", the step that failed");
      std::fprintf(stderr, "wengert: that step is drawn in %s\n", path("graph.svg").c_str());
    };
    options.explain = [this](const std::string& text) { say("passes:\n" + text); };
    return options;
  }

  void after_epoch(const optim::EpochRecord& record) {
    clear_progress();
    history_.push_back(record);
    lines_.push_back(as_json(record));
    char line[160], held_out[64] = "";
    if (!std::isnan(record.validation_loss)) {
      std::snprintf(held_out, sizeof held_out, "  validation %.4f / %.4f", record.validation_loss,
                    record.validation_accuracy);
    }
    std::snprintf(line, sizeof line, "epoch %2lld  loss %.4f  accuracy %.4f%s  %.2f s",
                  static_cast<long long>(record.epoch), record.train_loss, record.train_accuracy,
                  held_out, record.seconds);
    say(line);
    write_metrics();
    save_checkpoint(record.epoch);
  }

  void finish(const io::ImageSet& data, const optim::Model& model, const optim::Split& split,
              double seconds) {
    const optim::Examples test_set{data.test_images, data.test_labels};
    std::vector<std::int64_t> all(static_cast<std::size_t>(test_set.count()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    const optim::Evaluation test = optim::evaluate(model, parameters_, test_set, all);
    lines_.back()["test_loss"] = test.loss;
    lines_.back()["test_accuracy"] = test.accuracy;
    write_metrics();
    io::write_file_atomically(path("curves.svg"),
                              optim::learning_curves(std::string(def_.name), history_));
    draw(data, split);
    char line[120];
    std::snprintf(line, sizeof line, "test accuracy %.4f, loss %.4f; %.1f s of training",
                  test.accuracy, test.loss, seconds);
    say(line);
    say("wrote " + path("model.safetensors") + ", metrics.jsonl, curves.svg, graph.svg");
    if (settings_.json) {
      nlohmann::ordered_json out = lines_.back();
      out["seconds"] = seconds;
      out["out"] = settings_.out;
      std::printf("%s\n", out.dump(2).c_str());
    }
  }

  void draw(const io::ImageSet& data, const optim::Split& split) {
    const optim::Examples examples{data.train_images, data.train_labels};
    const auto& order = split.validation.empty() ? split.train : split.validation;
    const auto count =
        std::min<std::int64_t>(settings_.batch_size, static_cast<std::int64_t>(order.size()));
    draw(optim::gather_batch(examples, order, 0, count),
         std::string(def_.name) + " after " + std::to_string(settings_.epochs) +
             (settings_.epochs == 1 ? " epoch" : " epochs"));
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
      std::fprintf(stderr, "wengert: no graph.svg: %s; wrote graph.dot instead\n", e.what());
    }
  }

  void write_metrics() {
    std::string text;
    for (const auto& line : lines_) text += line.dump() + "\n";
    io::write_file_atomically(path("metrics.jsonl"), text);
  }

  void save_checkpoint(std::int64_t epoch) {
    io::write_checkpoint(path("model.safetensors"), parameters_,
                         {{"model", std::string(def_.name)},
                          {"epoch", std::to_string(epoch)},
                          {"seed", std::to_string(settings_.seed)}});
    saved_ = true;
  }

  std::string path(const char* file) const { return settings_.out + "/" + file; }
  void say(const std::string& text) const {
    clear_progress();
    if (settings_.json) {
      std::fprintf(stderr, "%s\n", text.c_str());
    } else {
      std::printf("%s\n", text.c_str());
      std::fflush(stdout);
    }
  }

  const Settings& settings_;
  const nn::ModelDef& def_;
  ParameterSet parameters_;
  PassPipeline passes_;
  std::vector<optim::EpochRecord> history_;
  std::vector<nlohmann::ordered_json> lines_;
  bool saved_ = false;
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
  command.option("--optimizer", s->optimizer, "one of: " + optimizer_names()).shows_default();
  command.option("--option", s->options,
                 "NAME=VALUE, an option of the optimizer; `wengert optimizers NAME` lists them");
  command.option("--rate", s->rate, "learning rate; default: the optimizer's usual one");
  command
      .option("--final-rate", s->final_rate_share,
              "the rate falls linearly to this share of itself")
      .between(0.0, 1.0)
      .shows_default();
  command.option("--l2", s->l2, "weight penalty λ, adds (λ/2)·Σw²").not_negative().shows_default();
  command.option("--clip", s->clip, "largest norm of all gradients together; 0: no clipping")
      .not_negative()
      .shows_default();
  command.option("--validation", s->validation, "training examples held out for validation")
      .between(0, 1000000)
      .shows_default();
  command.option("--seed", s->seed, "same seed, same bytes of weights and metrics").shows_default();
  command.option("--threads", s->threads, "0: as many as the machine has").between(0, 1024);
  command.flag("--json", s->json,
               "print the last line of metrics as JSON; the log goes to standard error");
  command.example("wengert train mlp --out run1 --seed 3").runs([s] {
    kernels::set_thread_count(s->threads);
    Run(*s).execute();
  });
}

}  // namespace wengert::tools
