#include "wengert/optim/training/parameter_kinds.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "wengert/graph/pass.h"
#include "wengert/graph/text.h"
#include "wengert/optim/method.h"
#include "wengert/optim/training/text_columns.h"

namespace wengert::optim {
namespace {

std::string described(const std::string& name, const Tensor& value) {
  return name + " " + to_string(value.dtype(), value.shape());
}

void add(ParameterKind& kind, const std::string& name, const Tensor& value) {
  kind.numbers += value.element_count();
  kind.names.push_back(described(name, value));
}

void add_options(ParameterKind& kind, const std::string& prefix,
                 const std::vector<OptionDef>& options, const OptionValues& values) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    ++kind.numbers;
    kind.names.push_back(prefix + std::string(options[i].name) + " = " +
                         options[i].text(values[i]));
  }
}

ParameterKind hyper_parameters(const Training& training) {
  ParameterKind kind{"hyper-parameters", 0, "you, or a search", "never", "your program", {}};
  const Optimizer& optimizer = training.optimizer();
  std::set<std::string> groups;
  for (const Optimizer::StateTensor& entry : optimizer.state()) {
    if (!entry.name.starts_with("options/")) continue;
    groups.insert(entry.name.substr(8, entry.name.find('/', 8) - 8));
  }
  for (std::size_t group = 0; group < std::max<std::size_t>(groups.size(), 1); ++group) {
    std::string prefix = std::string(optimizer.name()) + " ";
    if (group > 0) prefix += "group " + std::to_string(group) + " ";
    add_options(kind, prefix, optimizer.method().options(),
                optimizer.option_values(static_cast<int>(group)));
  }
  const FitOptions& options = training.options();
  if (options.schedule) {
    add_options(kind, std::string(options.schedule->def().name) + " ",
                options.schedule->def().options(), options.schedule->option_values());
  }
  const auto count = [&](const char* name, std::int64_t value) {
    ++kind.numbers;
    kind.names.push_back(std::string(name) + " = " + std::to_string(value));
  };
  count("epochs", options.epochs);
  count("micro_batches", options.micro_batches);
  return kind;
}

}  // namespace

std::vector<ParameterKind> parameter_kinds(const Training& training) {
  ParameterKind trained{"parameters", 0, "training, by their gradients", "each step",
                        "model file", {}};
  ParameterKind frozen{"frozen parameters", 0, "an earlier training", "never", "model file", {}};
  ParameterKind buffers{"buffers", 0, "the data, as they pass", "each step", "model file", {}};
  ParameterKind gradients{"gradients", 0, "back-propagation", "each step", "nowhere", {}};
  ParameterKind state{"optimizer state", 0, "past gradients", "each step", "training state", {}};
  ParameterKind progress{"progress", 0, "what was measured", "each epoch", "training state", {}};
  for (const Parameter* parameter : std::as_const(training.parameters()).all()) {
    add(parameter->trainable() ? trained : frozen, parameter->name(), parameter->value());
    if (parameter->trainable()) add(gradients, "of " + parameter->name(), parameter->value());
  }
  for (const Buffer* buffer : std::as_const(training.parameters()).buffers()) {
    add(buffers, buffer->name(), buffer->value());
  }
  for (const Optimizer::StateTensor& entry : training.optimizer().state()) {
    if (entry.name.starts_with("options/")) continue;
    add(state, entry.name, entry.value);
  }
  if (const auto& schedule = training.options().schedule) {
    const auto count = static_cast<std::int64_t>(schedule->state().size());
    progress.numbers += count;
    if (count > 0) progress.names.push_back("schedule " + std::string(schedule->name()));
  }
  for (const TrainingHook* hook : training.options().hooks) {
    for (const io::NamedTensor& entry : hook->state()) {
      add(progress, std::string(hook->name()) + "/" + entry.name, entry.tensor);
    }
  }
  return {std::move(trained), std::move(frozen),   std::move(buffers),        std::move(gradients),
          std::move(state),   std::move(progress), hyper_parameters(training)};
}

std::string to_table(const std::vector<ParameterKind>& kinds) {
  constexpr std::size_t kShown = 2;
  std::vector<std::vector<std::string>> rows = {
      {"kind", "numbers", "decided by", "changes", "kept in", "such as"}};
  for (const ParameterKind& kind : kinds) {
    std::string names;
    for (std::size_t i = 0; i < std::min(kShown, kind.names.size()); ++i) {
      names += (i == 0 ? "" : ", ") + printable(kind.names[i]);
    }
    if (kind.names.size() > kShown) {
      names += ", … (" + std::to_string(kind.names.size()) + ")";
    }
    rows.push_back({kind.kind, std::to_string(kind.numbers), kind.decided_by, kind.changes,
                    kind.kept_in, names});
  }
  return text_columns(rows);
}

}  // namespace wengert::optim
