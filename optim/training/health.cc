#include "wengert/optim/training/health.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/flush_subnormals.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"

namespace wengert::optim {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What is looked at in the values of an activation.
struct Activation {
  std::string_view op;
  double low, high;  ///< the ends of its range at which it is flat; equal: a rectifier of that
  bool low_end, high_end;  ///< which of them are
};
constexpr Activation kActivations[] = {
    {"relu", 0, 0, true, false},        {"relu6", 0, 0, true, false},
    {"sigmoid", 0, 1, true, true},      {"tanh", -1, 1, true, true},
    {"softsign", -1, 1, true, true},    {"hard_tanh", -1, 1, true, true},
    {"hard_sigmoid", 0, 1, true, true}, {"log_sigmoid", 0, 0, false, false},
    {"leaky_relu", 0, 0, false, false}, {"prelu", 0, 0, false, false},
    {"rrelu", 0, 0, false, false},      {"elu", 0, 0, false, false},
    {"selu", 0, 0, false, false},       {"celu", 0, 0, false, false},
    {"gelu", 0, 0, false, false},       {"gelu_tanh", 0, 0, false, false},
    {"silu", 0, 0, false, false},       {"softplus", 0, 0, false, false},
    {"mish", 0, 0, false, false},       {"hard_swish", 0, 0, false, false},
    {"softmax", 0, 0, false, false},    {"log_softmax", 0, 0, false, false}};

const Activation* activation_of(const OpDef& op) {
  for (const Activation& activation : kActivations) {
    if (activation.op == op.name) return &activation;
  }
  return nullptr;
}

template <class T>
void measure(std::span<const T> y, std::size_t width, const Activation* kind, OutputHealth& out) {
  const auto count = static_cast<double>(y.size());
  double sum = 0;
  for (const T v : y) sum += static_cast<double>(v);
  out.mean = sum / count;
  double squares = 0;
  for (const T v : y) {
    const double away = static_cast<double>(v) - out.mean;
    squares += away * away;
  }
  out.variance = squares / count;
  if (!std::isfinite(out.variance)) out.mean = out.variance = kNan;
  if (kind == nullptr || !kind->low_end) return;
  if (!kind->high_end) {
    std::vector<bool> alive(width);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!(static_cast<double>(y[i]) <= kind->low)) alive[i % width] = true;
    }
    const auto dead = std::count(alive.begin(), alive.end(), false);
    out.dead = static_cast<double>(dead) / static_cast<double>(width);
    return;
  }
  const double margin = (kind->high - kind->low) / 100;
  std::size_t flat = 0;
  for (const T v : y) {
    const auto value = static_cast<double>(v);
    flat += value < kind->low + margin || value > kind->high - margin;
  }
  out.saturated = static_cast<double>(flat) / count;
}

/// Measures outputs as they are recorded: later their memory may be given back.
class Watcher final : public TapeObserver {
 public:
  void on_record(const Tape& tape, std::uint32_t id) override {
    const detail::Node& node = tape.node(id);
    const Activation* kind = activation_of(*node.op);
    if (kind == nullptr && node.op->fans == nullptr) return;
    if (node.output != 0 || !is_floating(tape.dtype(id))) return;
    const Tensor y = tape.var(id).value().contiguous();
    if (y.element_count() == 0) return;
    OutputHealth out{tape.scope(id), std::string(node.op->name), 0, 0, kNan, kNan};
    const auto width = static_cast<std::size_t>(y.rank() == 0 ? 1 : y.shape()[y.rank() - 1]);
    dispatch_floating(y.dtype(), [&]<class T>(T) { measure(y.span<T>(), width, kind, out); });
    outputs.push_back(std::move(out));
  }
  std::vector<OutputHealth> outputs;
};

double norm_of(const Tensor& values) {
  const Tensor dense = values.contiguous();
  return std::sqrt(kernels::sum_of_squares(dense.dtype(), dense.data(), dense.element_count()));
}

/// "0.123", "—" where there is none.
std::string cell(double value, int width) {
  std::string text = std::isnan(value) ? "—" : format_number(value);
  const std::size_t shown = std::isnan(value) ? 1 : text.size();
  return std::string(static_cast<std::size_t>(width) - std::min<std::size_t>(shown, width), ' ') +
         text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

}  // namespace

std::string HealthReport::str() const {
  std::size_t width = 10;
  for (const OutputHealth& o : outputs) width = std::max(width, o.scope.size() + o.op.size() + 2);
  for (const ParameterHealth& p : parameters) width = std::max(width, p.name.size() + 1);
  std::string text = padded("output", width) + "      mean  variance      dead saturated\n";
  for (const OutputHealth& o : outputs) {
    text += padded(o.scope.empty() ? o.op : o.scope + "/" + o.op, width) + cell(o.mean, 10) +
            cell(o.variance, 10) + cell(o.dead, 10) + cell(o.saturated, 10) + "\n";
  }
  text += padded("parameter", width) + "       ‖w‖       ‖g‖   ‖g‖/‖w‖\n";
  for (const ParameterHealth& p : parameters) {
    text += padded(p.name, width) + cell(p.weight_norm, 10) + cell(p.gradient_norm, 10) +
            cell(p.ratio, 10) + "\n";
  }
  return text;
}

HealthReport health_of(ParameterSet& parameters, const Model& model, const Batch& batch,
                       const PassPipeline* passes, std::source_location where) {
  const detail::CallSite site(where);
  const FlushSubnormals flush;
  TrainingStep step(parameters, model, passes, where);
  PassContext context;
  HealthReport report;
  Gradients gradients;
  {
    Tape tape;
    if (tape.mode() == Mode::kInference) {
      throw Error(ErrorKind::kGraph, "health_of", "a tape for inference is live",
                  "end it before looking at training");
    }
    Watcher watcher;
    tape.observe(&watcher);
    const Outcome outcome = step.record(batch, context);
    tape.observe(nullptr);
    report.outputs = std::move(watcher.outputs);
    gradients = backward(outcome.loss, {}, where);
  }
  for (const Parameter* parameter : std::as_const(parameters).all()) {
    if (!parameter->trainable() || !is_floating(parameter->value().dtype())) continue;
    ParameterHealth health{parameter->name(), norm_of(parameter->value())};
    if (const Gradient* gradient = gradients.find(*parameter)) {
      health.gradient_norm = norm_of(gradient->stored().value());
    }
    health.ratio = health.gradient_norm == 0 ? 0 : health.gradient_norm / health.weight_norm;
    report.parameters.push_back(std::move(health));
  }
  return report;
}

std::vector<OutputDrift> drift(const HealthReport& before, const HealthReport& now,
                               std::source_location where) {
  const detail::CallSite site(where);
  std::vector<OutputDrift> result;
  bool same = before.outputs.size() == now.outputs.size();
  for (std::size_t i = 0; same && i < now.outputs.size(); ++i) {
    const OutputHealth &a = before.outputs[i], &b = now.outputs[i];
    same = a.scope == b.scope && a.op == b.op;
    result.push_back({b.scope, b.op, std::fabs(b.mean - a.mean) / std::sqrt(a.variance),
                      b.variance / a.variance});
  }
  if (same) return result;
  throw Error(ErrorKind::kValue, "drift", "the two reports are of different ops",
              "compare reports of one model");
}

}  // namespace wengert::optim
