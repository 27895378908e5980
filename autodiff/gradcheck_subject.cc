#include "wengert/autodiff/gradcheck_subject.h"

#include <algorithm>
#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/parameter.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

namespace wengert::detail {
namespace {

void call_function(const GradcheckFunction& function, std::span<const Var> inputs,
                   std::vector<Var>& outputs) {
  {
    const UserCode user;
    function.call(function.context, inputs, outputs);
  }
  for (const Var& y : outputs) {
    if (y.has_value()) continue;
    throw Error(ErrorKind::kGraph, "gradcheck", "the function gave an empty Var",
                "return the results of ops");
  }
}

Tensor weights_like(const Var& y, bool alone, int level, std::size_t tensor) {
  std::vector<double> values(static_cast<std::size_t>(y.element_count()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = weight(alone, level, tensor, static_cast<std::int64_t>(i));
  }
  return Tensor::from(values, y.shape()).to(y.dtype());
}

std::vector<Var> differentiate(const std::vector<Var>& ys, const std::vector<Var>& xs, int level,
                               bool graph) {
  std::vector<Var> roots, cotangents;
  for (std::size_t i = 0; i < ys.size(); ++i) {
    // What depends on no argument, such as the gradient of a linear function, has derivative 0.
    if (!is_floating(ys[i].dtype()) || !ys[i].requires_grad()) continue;
    roots.push_back(ys[i]);
    const bool alone = ys.size() == 1 && ys[0].element_count() == 1;
    cotangents.push_back(weights_like(ys[i], alone, level, i));
  }
  return grad(roots, xs, cotangents, {.create_graph = graph});
}

bool is_chosen(std::uint32_t arguments, std::size_t i) {
  return (arguments >> std::min<std::size_t>(i, 31) & 1) != 0;
}

}  // namespace

double irregular(int level, std::size_t tensor, std::int64_t element) {
  // SplitMix64 of the position.
  std::uint64_t z = (static_cast<std::uint64_t>(level) << 56) ^
                    (static_cast<std::uint64_t>(tensor) << 40) ^
                    static_cast<std::uint64_t>(element);
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  const double t = static_cast<double>(z >> 11) * 0x1p-53;
  return t < 0.5 ? 0.5 + 2 * t : 0.5 - 2 * t;
}

Subject::Subject(GradcheckFunction function, std::span<const Tensor> inputs,
                 std::uint32_t arguments)
    : function_(function), inputs_(inputs.begin(), inputs.end()) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (is_floating(inputs[i].dtype()) && is_chosen(arguments, i)) {
      chosen_.push_back(i);
      inputs_[i] = inputs[i].clone();  // ours to move about
    }
    single_ |= inputs[i].dtype() == DType::kFloat32;
  }
}

Subject::Subject(GradcheckFunction function, ParameterSet& parameters, std::uint32_t arguments)
    : function_(function) {
  {
    Tape tape;  // makes the parameters
    std::vector<Var> ys;
    call_function(function_, {}, ys);
  }
  parameters_ = parameters.all();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    inputs_.push_back(parameters_[i]->value());
    if (parameters_[i]->trainable() && is_chosen(arguments, i)) chosen_.push_back(i);
    single_ |= inputs_[i].dtype() == DType::kFloat32;
  }
}

std::string Subject::name_of_input(std::size_t i) const {
  const std::string name = parameters_.empty() ? "input " + std::to_string(i)
                                               : "parameter '" + parameters_[i]->name() + "'";
  return name + " " + to_string(inputs_[i].dtype(), inputs_[i].shape());
}

void Subject::write(std::size_t input, std::int64_t element, double value) {
  Tensor& written = parameters_.empty() ? inputs_[input] : parameters_[input]->mutable_value();
  WriteGuard guard(written, "gradcheck");
  dispatch_floating(written.dtype(), [&]<class T>(T) {
    reinterpret_cast<T*>(guard.data())[element] = static_cast<T>(value);
  });
}

std::vector<Var> Subject::call() {
  leaves_.clear();
  std::vector<Var> vars, ys;
  if (parameters_.empty()) {
    vars.assign(inputs_.begin(), inputs_.end());
    for (const std::size_t i : chosen_) leaves_.push_back(vars[i] = variable(inputs_[i]));
  }
  call_function(function_, vars, ys);
  if (!parameters_.empty()) {
    for (const std::size_t i : chosen_) leaves_.push_back(use(*parameters_[i]));
  }
  return ys;
}

std::vector<Var> Subject::record(int level, bool graph) {
  std::vector<Var> ys = call();
  for (const Var& y : ys) single_ |= y.dtype() == DType::kFloat32;
  for (int k = 1; k <= level; ++k) ys = differentiate(ys, leaves_, k, k < level || graph);
  return ys;
}

Values Subject::evaluate(int level, bool graph) {
  Tape tape;
  Values values;
  for (const Var& y : record(level, graph)) values.push_back(y.value().to_vector<double>());
  leaves_.clear();
  return values;
}

// ---------------------------------------------------------------------------- differences

Moved::Moved(Subject& subject, const Line& line, double distance)
    : subject_(subject), input_(line.input), first_(line.element < 0 ? 0 : line.element) {
  const Tensor& x = subject.input(input_);
  const std::int64_t last = line.element < 0 ? x.element_count() : line.element + 1;
  for (std::int64_t i = first_; i < last; ++i) kept_.push_back(x.at(i));
  for (std::int64_t i = first_; i < last; ++i) {
    const double v = line.element < 0 ? irregular(0, line.input, i) : 1.0;
    subject.write(input_, i, kept_[static_cast<std::size_t>(i - first_)] + v * distance);
  }
}

Moved::~Moved() {
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    subject_.write(input_, first_ + static_cast<std::int64_t>(i), kept_[i]);
  }
}

double Differences::at(const Line& line, double distance, const Values& middle) {
  const Values values = [&] {
    const Moved moved(subject_, line, distance);
    return subject_.evaluate(level_);
  }();
  bool same = values.size() == middle.size();
  for (std::size_t k = 0; same && k < values.size(); ++k) {
    same = values[k].size() == middle[k].size();
  }
  if (!same) {
    throw Error(ErrorKind::kValue, "gradcheck", "the function gives results of other sizes",
                "they may not depend on the values of its inputs");
  }
  double total = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    for (std::size_t i = 0; i < values[k].size(); ++i) {
      if (values[k][i] == middle[k][i]) continue;
      total += weight(is_alone(middle), level_ + 1, k, static_cast<std::int64_t>(i)) *
               (values[k][i] - middle[k][i]);
    }
  }
  return total;
}

double Differences::step(const Line& line) const {
  if (fixed_step_ > 0) return fixed_step_;
  double largest = 1;
  if (line.element >= 0) {
    largest = std::fmax(1, std::fabs(subject_.input(line.input).at(line.element)));
  }
  return std::isfinite(largest) ? std::ldexp(0x1p-8, std::ilogb(largest)) : 0x1p-8;
}

Differences::Slopes Differences::six_points(const Line& line, const Values& middle) {
  const double h = step(line);
  double up[3], down[3];
  for (int k = 0; k < 3; ++k) {
    up[k] = at(line, (k + 1) * h, middle);
    down[k] = at(line, -(k + 1) * h, middle);
  }
  const auto one_sided = [](const double* f) { return (18 * f[0] - 9 * f[1] + 2 * f[2]) / 6; };
  const double central = 45 * (up[0] - down[0]) - 9 * (up[1] - down[1]) + (up[2] - down[2]);
  return {central / (60 * h), -one_sided(down) / h, one_sided(up) / h};
}

bool Differences::Slopes::differ(double curvature) const {
  return std::fabs(right - left) > 0.01 * std::fmax(std::fabs(right), std::fabs(left)) + curvature;
}

double Differences::ridders(const Line& line, const Values& middle) {
  constexpr int kRows = 8;
  constexpr double kShrink = 1.5;
  double best = 0, best_error = std::numeric_limits<double>::infinity();
  for (const double start : {1.5, 0.2, 0.02}) {
    double table[kRows][kRows];
    double h = start * step(line);
    for (int row = 0; row < kRows; ++row, h /= kShrink) {
      table[row][0] = (at(line, h, middle) - at(line, -h, middle)) / (2 * h);
      double factor = kShrink * kShrink;
      for (int k = 1; k <= row; ++k, factor *= kShrink * kShrink) {
        table[row][k] = (table[row][k - 1] * factor - table[row - 1][k - 1]) / (factor - 1);
        const double error = std::fmax(std::fabs(table[row][k] - table[row][k - 1]),
                                       std::fabs(table[row][k] - table[row - 1][k - 1]));
        if (error < best_error) best_error = error, best = table[row][k];
      }
    }
  }
  return std::isfinite(best_error) ? best : std::numeric_limits<double>::quiet_NaN();
}

std::string Differences::kink_hint(const Line& line, const Values& middle) {
  const double h = step(line) / 64;
  const Slopes slopes{0, -at(line, -h, middle) / h, at(line, h, middle) / h};
  if (!slopes.differ(1e-6)) return {};
  return "; the slope is " + format_number(slopes.left, 6) + " on the left and " +
         format_number(slopes.right, 6) + " on the right: a kink or a jump at this point?";
}

}  // namespace wengert::detail
