#include <cmath>
#include <cstdio>
#include <memory>

#include "nlohmann/json.hpp"
#include "tools/wengert/commands.h"
#include "tools/wengert/console.h"
#include "tools/wengert/images.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/io/dataset.h"
#include "wengert/io/idx.h"
#include "wengert/io/parameter_file.h"
#include "wengert/nn/models.h"
#include "wengert/ops/ops.h"

namespace wengert::tools {
namespace {

constexpr const char* kClasses[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

struct Settings {
  std::string model;
  std::string images;
  std::string data;
  std::int64_t first = 0;
  std::int64_t count = 10;
  std::uint64_t seed = 1;
  bool json = false;
};

const nn::ModelDef& model_named(const std::string& name, const std::string& path) {
  try {
    return nn::find_model(name);
  } catch (const Error& error) {
    throw IoError(path, error.message(), error.fix());
  }
}

/// The network that the file names, with the file's parameters, each checked against it.
const nn::ModelDef& load(const std::string& path, ParameterSet& parameters) {
  const io::SafeTensors file = io::read_safetensors(path);
  const auto named = file.metadata.find("model");
  if (named == file.metadata.end()) {
    throw IoError(path, "the metadata name no model",
                  "use a checkpoint that `wengert train` wrote");
  }
  const nn::ModelDef& def = model_named(named->second, path);
  const NoGrad off;
  (void)def.logits(parameters, Tensor::zeros({1, def.features}, DType::kFloat32));
  (void)io::load(parameters, file, path);
  return def;
}

void run(const Settings& settings) {
  ParameterSet parameters(0);
  const nn::ModelDef& def = load(settings.model, parameters);
  Tensor images, labels;
  const bool labelled = settings.images.empty();
  if (labelled) {
    io::ImageSet data = io::load_fashion_mnist(settings.data);
    images = data.test_images;
    labels = data.test_labels;
  } else {
    images = io::read_idx(settings.images);
    if (images.rank() < 1) throw IoError(settings.images, "holds no list of images");
    labels = Tensor::zeros({images.size(0)}, DType::kUint8);
  }
  const std::int64_t total = images.size(0);
  if (settings.first >= total) {
    throw Error(ErrorKind::kIndex, "predict",
                "image " + std::to_string(settings.first) + " of " + std::to_string(total));
  }
  const std::int64_t end = std::min(total, settings.first + settings.count);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = settings.first; i < end; ++i) indices.push_back(i);
  const optim::Batch batch = image_loader(images, labels, {}, indices).all();
  if (batch.inputs.size(1) != def.features) {
    throw Error(ErrorKind::kShape, "predict",
                "images of " + std::to_string(batch.inputs.size(1)) + " pixels, the model takes " +
                    std::to_string(def.features));
  }
  const NoGrad off;
  const Tensor probabilities = softmax(def.logits(parameters, batch.inputs)).value();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  TextTable table({"image", "class", "name", "probability", labelled ? "label" : ""});
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::int64_t best = 0;
    const auto row = static_cast<std::int64_t>(i) * def.classes;
    for (std::int64_t c = 1; c < def.classes; ++c) {
      if (probabilities.at(row + c) > probabilities.at(row + best)) best = c;
    }
    const double p = probabilities.at(row + best);
    nlohmann::ordered_json entry = {
        {"image", indices[i]}, {"class", best}, {"name", kClasses[best]}, {"probability", p}};
    const auto label = static_cast<std::int64_t>(batch.targets.at(static_cast<std::int64_t>(i)));
    if (labelled) entry["label"] = label;
    list.push_back(entry);
    table.add({std::to_string(indices[i]), std::to_string(best), kClasses[best], format_number(p),
               labelled ? std::to_string(label) : ""});
  }
  if (settings.json) {
    print_json(list);
  } else {
    std::printf("%s", table.str().c_str());
  }
}

}  // namespace

void add_predict(Program& program) {
  Command command = program.command("predict", "Classify images with a trained network");
  auto s = std::make_shared<Settings>();
  command.option("--model", s->model, "a checkpoint (safetensors)").required();
  const Argument images = command.option("--images", s->images, "an IDX file of images");
  command.option("--data", s->data, "folder of Fashion-MNIST; its test images are the default")
      .excludes(images);
  command.option("--first", s->first, "first image").not_negative().shows_default();
  command.option("--count", s->count, "how many").between(1, 1000000).shows_default();
  command.option("--seed", s->seed, "accepted everywhere; nothing is random here");
  command.flag("--json", s->json, "print a JSON list");
  command.example("wengert predict --model run1/model.safetensors --count 5").runs([s] {
    run(*s);
  });
}

}  // namespace wengert::tools
