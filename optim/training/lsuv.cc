#include "wengert/optim/training/lsuv.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/mode.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/nn/initializers.h"
#include "wengert/ops/kernels/measure.h"

namespace wengert::optim {
namespace {

/// The weight of a layer's op, its second operand, or null.
const Parameter* weight_of(const Tape& tape, std::uint32_t id) {
  const detail::Node& node = tape.node(id);
  if (node.op->fans == nullptr || node.output != 0 || node.input_count < 2) return nullptr;
  const Parameter* parameter = tape.parameter(tape.inputs(id)[1]);
  if (parameter == nullptr || !parameter->trainable() || parameter->value().rank() < 2) {
    return nullptr;
  }
  return parameter;
}

double variance_of(const Tensor& values) {
  const std::vector<double> all = values.to_vector<double>();
  const auto count = static_cast<double>(all.size());
  double mean = 0, squares = 0;
  for (const double v : all) mean += v / count;
  for (const double v : all) squares += (v - mean) * (v - mean) / count;
  return squares;
}

/// Notes weights in the order of their first layers, and the variance of the one layer asked for.
class Layers final : public TapeObserver {
 public:
  explicit Layers(const Parameter* measured) : measured_(measured) {}
  void on_record(const Tape& tape, std::uint32_t id) override {
    const Parameter* weight = weight_of(tape, id);
    if (weight == nullptr || std::find(weights.begin(), weights.end(), weight) != weights.end()) {
      return;
    }
    weights.push_back(weight);
    if (weight == measured_) variance = variance_of(tape.var(id).value());
  }
  std::vector<const Parameter*> weights;
  double variance = 0;

 private:
  const Parameter* measured_;
};

void scale(Parameter& weight, double factor) {
  const WriteGuard guard(weight.mutable_value(), "lsuv");
  const Tensor& value = weight.value();
  kernels::scaled(value.dtype(), guard.data(), value.element_count(), factor, guard.data(), false);
}

void write(Parameter& weight, const Tensor& value) {
  const WriteGuard guard(weight.mutable_value(), "lsuv");
  std::memcpy(guard.data(), value.data(),
              static_cast<std::size_t>(value.element_count()) * size_of(value.dtype()));
}

/// Puts weights back unless all went well.
class Restore {
 public:
  ~Restore() {
    for (auto& [weight, value] : before_) write(*weight, value);
  }
  void remember(Parameter& weight) { before_.emplace_back(&weight, weight.value().clone()); }
  void forget() { before_.clear(); }

 private:
  std::vector<std::pair<Parameter*, Tensor>> before_;
};

}  // namespace

std::vector<LsuvLayer> lsuv(ParameterSet& parameters, const Model& model, const Batch& batch,
                            const LsuvOptions& options, std::source_location where) {
  const detail::CallSite site(where);
  if (!(options.tolerance > 0) || options.trials < 1) {
    throw Error(ErrorKind::kValue, "lsuv",
                "a tolerance of " + format_number(options.tolerance) + " and " +
                    std::to_string(options.trials) + " trials",
                "give a positive tolerance and at least one trial");
  }
  const auto look = [&](Layers& layers) {
    Tape tape;
    if (tape.mode() == Mode::kInference) {
      throw Error(ErrorKind::kGraph, "lsuv", "a tape for inference is live",
                  "end it before initializing");
    }
    tape.observe(&layers);
    const detail::UserCode users;
    (void)model(parameters, batch);
  };
  Layers all(nullptr);
  look(all);
  Restore restore;
  std::vector<LsuvLayer> result;
  for (const Parameter* found : all.weights) {
    Parameter* own = parameters.find(found->name());
    if (own != found) continue;  // of another set that the model uses
    Parameter& weight = *own;
    restore.remember(weight);
    if (options.orthogonal) {
      Tensor value = Tensor::empty(weight.value().shape(), weight.value().dtype());
      const Initializer initializer = nn::orthogonal();
      initializer.fill(initializer, parameters.seed(), weight.name(), {}, value);
      write(weight, value);
    }
    LsuvLayer layer{.weight = weight.name()};
    for (;; ++layer.trials) {
      Layers layers(found);
      look(layers);
      layer.variance = layers.variance;
      if (!std::isfinite(layer.variance) || layer.variance <= 0) {
        throw Error(ErrorKind::kNonFinite, "lsuv",
                    "the outputs of the layer of '" + weight.name() + "' have a variance of " +
                        format_number(layer.variance),
                    "give a batch of different examples with finite values");
      }
      layer.reached = std::fabs(layer.variance - 1) <= options.tolerance;
      if (layer.reached || layer.trials == options.trials) break;
      const double factor = 1 / std::sqrt(layer.variance);
      scale(weight, factor);
      layer.scale *= factor;
    }
    result.push_back(std::move(layer));
  }
  restore.forget();
  return result;
}

}  // namespace wengert::optim
