#include <unistd.h>

#include <cstdio>
#include <memory>

#include "tools/wengert/commands.h"
#include "tools/wengert/pictures.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/io/file.h"
#include "wengert/io/parameter_file.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/random_stream.h"

namespace wengert::tools {
namespace {

struct Settings {
  std::string model;
  std::string weights;
  std::string format;
  std::string output;
  bool forward = false;
  bool backward = false;
  std::uint64_t seed = 1;
};

/// Inputs in [0, 1) and labels, drawn from the seed: the picture needs no data set.
optim::Batch random_batch(const nn::ModelDef& model, std::uint64_t seed) {
  const NoGrad off;
  constexpr std::int64_t kExamples = 64;
  RandomStream stream(seed, "graph");
  optim::Batch batch;
  batch.inputs = random_uniform(stream, {kExamples, model.features}).value();
  batch.targets = Tensor::empty({kExamples}, DType::kInt64);
  const WriteGuard guard(batch.targets, "graph");
  for (std::int64_t i = 0; i < kExamples; ++i) {
    guard.span<std::int64_t>()[static_cast<std::size_t>(i)] = i % model.classes;
  }
  return batch;
}

void run(Settings settings) {
  const nn::ModelDef& model = nn::find_model(settings.model);
  if (settings.format.empty()) {
    const auto dot = settings.output.rfind('.');
    settings.format = dot == std::string::npos ? "dot" : settings.output.substr(dot + 1);
  }
  if (settings.format != "dot" && settings.format != "svg" && settings.format != "png" &&
      settings.format != "json") {
    throw Error(ErrorKind::kValue, "graph", "format '" + settings.format + "'",
                "choose dot, svg, png or json");
  }
  const bool to_output = settings.output.empty() || settings.output == "-";
  if (to_output && settings.format == "png" && isatty(STDOUT_FILENO) != 0) {
    throw Error(ErrorKind::kValue, "graph", "a png picture is nothing for a terminal",
                "name a file with -o, or redirect the output");
  }
  ParameterSet parameters(settings.seed);
  if (!settings.weights.empty()) {
    const NoGrad off;
    (void)model.logits(parameters, Tensor::zeros({1, model.features}));
    const io::SafeTensors file = io::read_safetensors(settings.weights);
    const auto named = file.metadata.find("model");
    if (named != file.metadata.end() && named->second != model.name) {
      throw IoError(settings.weights, "it is of the model " + named->second,
                    "draw that one, or name another file");
    }
    (void)io::load(parameters, file, settings.weights);
  }
  const GraphDirection direction = settings.forward    ? GraphDirection::kForward
                                   : settings.backward ? GraphDirection::kBackward
                                                       : GraphDirection::kBoth;
  const std::string picture =
      draw_step(model, parameters, random_batch(model, settings.seed), direction, settings.format,
                std::string(model.name) + ", one step on random inputs");
  if (to_output) {
    std::fwrite(picture.data(), 1, picture.size(), stdout);
  } else {
    io::write_file_atomically(settings.output, picture);
  }
}

}  // namespace

void add_graph(Program& program) {
  Command command = program.command(
      "graph", "Draw one training step of a model: forward values, backward gradients, or both");
  auto settings = std::make_shared<Settings>();
  command.option("MODEL", settings->model, "one of: " + model_names()).required();
  const Argument forward = command.flag("--forward", settings->forward, "only the forward graph");
  command.flag("--backward", settings->backward, "only how gradients flow").excludes(forward);
  const Argument format = command.option("--format", settings->format,
                                         "dot, svg, png or json; default: by the output's ending");
  command
      .flag(
          "--json", [settings] { settings->format = "json"; }, "the same as --format json")
      .excludes(format);
  command.option("-o,--output", settings->output, "the file; standard output when left out");
  command.option("--weights", settings->weights, "parameters from a checkpoint");
  command.option("--seed", settings->seed, "of new parameters and inputs").shows_default();
  command.example("wengert graph sigmoid_mlp -o sigmoid.svg").runs([settings] { run(*settings); });
}

}  // namespace wengert::tools
