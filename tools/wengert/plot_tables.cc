#include "tools/wengert/plot_tables.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tools/wengert/techniques.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/nn/initializers.h"
#include "wengert/ops/ops.h"
#include "wengert/optim/schedule.h"
#include "wengert/plot/histogram.h"

namespace wengert::tools {
namespace {

using plot::Curve;
using plot::Figure;
using plot::Panel;

std::vector<double> evenly(double low, double high, int count) {
  std::vector<double> x;
  for (int i = 0; i < count; ++i) x.push_back(low + (high - low) * i / (count - 1));
  return x;
}

// ---------------------------------------------------------------------------- activations

/// How an activation that takes more than one number is shown as a function of one.
struct Demonstration {
  std::string_view name, how;
  Var (*call)(const Var& x);
};

Var beside_zero(const Var& x) { return stack({x, zeros_like(x)}, 1); }
Var first_of(const Var& pairs) { return squeeze(slice(pairs, {0}, {1}, {1}), {1}); }

constexpr Demonstration kDemonstrations[] = {
    {"prelu", "slope 0.25", [](const Var& x) { return prelu(x, full({}, 0.25, x.dtype())); }},
    {"rrelu", "for inference",
     [](const Var& x) {
       RandomStream stream(1, "plot");
       return rrelu(x, stream);
     }},
    {"maxout", "of x and −x/2",
     [](const Var& x) {
       return squeeze(maxout(stack({x, -x / 2}, 1), 2), {1});
     }},
    {"softmax", "of (x, 0), the first",
     [](const Var& x) { return first_of(softmax(beside_zero(x))); }},
    {"log_softmax", "of (x, 0), the first",
     [](const Var& x) { return first_of(log_softmax(beside_zero(x))); }},
};

const Demonstration* demonstration_of(std::string_view name) {
  for (const Demonstration& each : kDemonstrations) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

/// Grey where |f′| is below 0.05, from the lowest to the highest of what is drawn.
plot::Band saturated(const Panel& panel) {
  double low = 0, high = 0;
  for (const Curve& curve : panel.curves) {
    for (const double y : curve.y) low = std::min(low, y), high = std::max(high, y);
  }
  plot::Band band{.name = "flat", .colour = 6, .opacity = 0.12};
  const Curve& slope = panel.curves[1];
  for (std::size_t i = 0; i < slope.x.size(); ++i) {
    const bool flat = std::fabs(slope.y[i]) < 0.05;
    band.x.push_back(slope.x[i]);
    band.low.push_back(flat ? low : 0);
    band.high.push_back(flat ? high : 0);
  }
  return band;
}

Panel panel_of_activation(const std::string& name, const OpDef& op) {
  const Demonstration* shown = demonstration_of(name);
  const std::vector<double> points = evenly(-6, 6, 241);
  const Tape tape(Mode::kInference);
  const Var x = variable(Tensor::from(points, {static_cast<std::int64_t>(points.size())}));
  const Var* inputs[] = {&x};
  const Var y = shown != nullptr ? shown->call(x) : apply(op, inputs);
  const Var dy = grad(sum(y), x, {.create_graph = true});
  const Var ddy = grad(sum(dy), x);
  const auto curve = [&](const char* title, const Var& value) {
    return Curve{title, points, value.value().to_vector<double>()};
  };
  Panel panel{.title = name + (shown != nullptr ? ", " + std::string(shown->how) : ""),
              .x = {.label = "x", .low = -6, .high = 6},
              .y = {"f, f′, f″"},
              .curves = {curve("f", y), curve("f′", dy), curve("f″", ddy)}};
  panel.bands = {saturated(panel)};
  return panel;
}

// ---------------------------------------------------------------------------- losses

/// A loss of single elements, by its own page.
bool is_loss_of_elements(const OpDef& op) {
  return op.min_inputs == 2 && op.default_attributes != nullptr &&
         op.doc.arguments.starts_with("prediction");
}

/// What a target may be, by the same page.
std::vector<double> targets_of(const OpDef& op) {
  const bool of_classes = op.doc.arguments.find("±1") != std::string_view::npos;
  return of_classes ? std::vector<double>{-1, 1} : std::vector<double>{0, 1};
}

Panel panel_of_loss(const OpDef& op) {
  Panel panel{.title = std::string(op.name),
              .x = {"prediction"},
              .y = {.label = "loss, slope", .low = -4, .high = 6}};
  int colour = 0;
  for (const double target : targets_of(op)) {
    const std::string name = "target " + format_number(target);
    Curve loss{.name = name, .colour = colour}, slope{.name = "its slope", .colour = colour + 1};
    colour += 4;  // a line without dashes again
    for (const double point : evenly(-3, 3, 601)) {
      const Tape tape;
      const Var x = variable(Tensor::scalar(point)), t = constant(Tensor::scalar(target));
      const Var* inputs[] = {&x, &t};
      const Var y = apply(op, inputs);
      // Beyond what a prediction may be there is nothing to draw, and no gap either.
      if (!std::isfinite(y.scalar_value())) continue;
      loss.x.push_back(point);
      loss.y.push_back(y.scalar_value());
      slope.x.push_back(point);
      slope.y.push_back(grad(y, x).scalar_value());
    }
    panel.curves.push_back(std::move(loss));
    panel.curves.push_back(std::move(slope));
  }
  return panel;
}

// ---------------------------------------------------------------------------- schedules

constexpr std::int64_t kSteps = 5000, kStepsPerEpoch = 50;

/// Lists have no default that shows anything: three steps, and what is left after each.
std::vector<optim::OptionSetting> settings_that_show(const optim::ScheduleDef& def) {
  std::vector<optim::OptionSetting> settings;
  for (const optim::OptionDef& option : def.options()) {
    if (option.list == optim::ListKind::kNone) continue;
    const bool rising = option.list == optim::ListKind::kRising;
    settings.push_back({std::string(option.name), rising ? "1500,3000,4000" : "0.5,0.2,0.05"});
  }
  return settings;
}

/// A loss that falls and then stands still.
double watched_loss(std::int64_t epoch) {
  return std::max(0.2, std::exp(-static_cast<double>(epoch) / 15));
}

Panel panel_of_schedule(const optim::ScheduleDef& def) {
  optim::Schedule schedule = optim::make_schedule(def.name, settings_that_show(def));
  Curve factor{""};
  optim::Progress progress{.steps_per_epoch = kStepsPerEpoch, .steps = kSteps};
  for (std::int64_t step = 0; step < kSteps; ++step) {
    progress.step = step;
    if (step > 0 && step % kStepsPerEpoch == 0) schedule.observe(watched_loss(progress.epoch()));
    if (step % 10 != 0 && step + 1 != kSteps) continue;
    factor.x.push_back(static_cast<double>(step));
    factor.y.push_back(schedule.factor(progress));
  }
  return {.title = std::string(def.name) + ": " +
                   optim::to_string(def.options(), schedule.option_values()),
          .x = {"step"},
          .y = {.label = "factor of the rate", .low = 0},
          .curves = {std::move(factor)}};
}

// ---------------------------------------------------------------------------- initializers

Panel panel_of_initializer(const nn::InitializerDef& def) {
  constexpr std::int64_t kUnits = 256;
  const Initializer made =
      nn::make_initializer(def, def.numbers[0].example, def.numbers[1].example);
  Tensor weights = Tensor::empty({kUnits, kUnits}, DType::kFloat64);
  made.fill(made, 1, "plot/weight", {.fan_in = kUnits, .fan_out = kUnits}, weights);
  const std::vector<double> values = weights.to_vector<double>();
  double widest = 0, squares = 0, mean = 0;
  for (const double value : values) {
    widest = std::max(widest, std::fabs(value));
    mean += value / static_cast<double>(values.size());
  }
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
  if (widest == 0) widest = 1;
  std::string title(def.name);
  for (const nn::InitializerNumber& number : def.numbers) {
    if (number.name.empty()) continue;
    title += ", " + std::string(number.name) + " " + format_number(number.example);
  }
  return {.title = title + ": σ = " + format_number(deviation, 3),
          .x = {"weight"},
          .y = {.label = "density", .low = 0},
          .bands = {plot::histogram("", values, -widest, widest, 60)}};
}

}  // namespace

Figure figure_of_activations() {
  Figure figure{.title = "Activations and their first two derivatives",
                .columns = 6,
                .plot_width = 260,
                .plot_height = 180};
  std::string others;
  for (const std::string& name : ops_of_section("activation")) {
    const OpDef* op = find_op(name);
    if (op == nullptr) continue;
    if (demonstration_of(name) == nullptr && (op->elementwise == nullptr || op->max_inputs != 1)) {
      others +=
          (others.empty() ? " Not drawn, since they take more than one number: " : ", ") + name;
      continue;
    }
    figure.panels.push_back(panel_of_activation(name, *op));
  }
  figure.caption =
      "Flat: where |f′| < 0.05, hardly anything flows back. Ops with "
      "options have their defaults." +
      others;
  return figure;
}

Figure figure_of_losses() {
  Figure figure{.title = "Losses of one element and their slopes",
                .caption =
                    "Over the prediction, for two targets each; cut off below −4 and above 6. Of "
                    "probabilities (binary_cross_entropy) there is nothing beyond 0 and 1.",
                .columns = 4,
                .plot_width = 300,
                .plot_height = 220};
  for (const OpDef* op : registered_ops()) {
    if (is_loss_of_elements(*op)) figure.panels.push_back(panel_of_loss(*op));
  }
  return figure;
}

Figure figure_of_schedules() {
  Figure figure{.title = "Schedules: what multiplies the rate",
                .caption =
                    "5000 steps, 50 an epoch. What is watched falls until epoch 25 and then "
                    "stands still. Options as written, by default where they have one.",
                .columns = 5,
                .plot_width = 280,
                .plot_height = 180};
  for (const optim::ScheduleDef* def : optim::registered_schedules()) {
    figure.panels.push_back(panel_of_schedule(*def));
  }
  return figure;
}

Figure figure_of_initializers() {
  Figure figure{.title = "Initializers: the weights of a layer from 256 to 256 units",
                .caption =
                    "Densities of the 65,536 weights, seed 1. A bar as high as the panel: "
                    "all, or most, have one value.",
                .columns = 5,
                .plot_width = 280,
                .plot_height = 180};
  for (const nn::InitializerDef* def : nn::registered_initializers()) {
    figure.panels.push_back(panel_of_initializer(*def));
  }
  return figure;
}

}  // namespace wengert::tools
