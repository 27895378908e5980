#include "wengert/autodiff/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

namespace wengert {
namespace {

/// ±[0.5, 1.5], irregular, the same in every run (SplitMix64 of the position).
double irregular(int level, std::size_t tensor, std::int64_t element) {
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

/// What an output's element counts in the sum that is differentiated: one that is alone counts as
/// it is, so that messages show its own derivative.
double weight(bool alone, int level, std::size_t tensor, std::int64_t element) {
  return alone ? 1 : irregular(level, tensor, element);
}

Tensor weights_like(const Var& y, bool alone, int level, std::size_t tensor) {
  std::vector<double> values(static_cast<std::size_t>(y.element_count()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = weight(alone, level, tensor, static_cast<std::int64_t>(i));
  }
  return Tensor::from(values, y.shape()).to(y.dtype());
}

using Values = std::vector<std::vector<double>>;

bool is_alone(const Values& values) { return values.size() == 1 && values[0].size() == 1; }

/// The function, its inputs, and its derivatives of any order by backward. Level 0 is the
/// function; level k is the gradient of ⟨weights k, level k−1⟩ by the chosen arguments.
class Subject {
 public:
  Subject(detail::GradcheckFunction function, std::span<const Tensor> inputs,
          std::uint32_t arguments)
      : function_(function), inputs_(inputs.begin(), inputs.end()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (is_floating(inputs[i].dtype()) && (arguments >> std::min<std::size_t>(i, 31) & 1) != 0) {
        chosen_.push_back(i);
        inputs_[i] = inputs[i].clone();  // ours to move about
      }
      single_ |= inputs[i].dtype() == DType::kFloat32;
    }
  }

  const std::vector<std::size_t>& chosen() const { return chosen_; }
  const Tensor& input(std::size_t i) const { return inputs_[i]; }
  bool uses_float32() const { return single_; }

  void write(std::size_t input, std::int64_t element, double value) {
    WriteGuard guard(inputs_[input], "gradcheck");
    dispatch_floating(inputs_[input].dtype(), [&]<class T>(T) {
      reinterpret_cast<T*>(guard.data())[element] = static_cast<T>(value);
    });
  }

  Values evaluate(int level) {
    Tape tape;
    std::vector<Var> vars(inputs_.begin(), inputs_.end()), xs;
    for (const std::size_t i : chosen_) xs.push_back(vars[i] = variable(inputs_[i]));
    std::vector<Var> ys;
    function_.call(function_.context, vars, ys);
    for (const Var& y : ys) single_ |= y.dtype() == DType::kFloat32;
    for (int k = 1; k <= level; ++k) ys = differentiate(ys, xs, k, k < level);
    Values values;
    for (const Var& y : ys) values.push_back(y.value().to_vector<double>());
    return values;
  }

 private:
  static std::vector<Var> differentiate(const std::vector<Var>& ys, const std::vector<Var>& xs,
                                        int level, bool again) {
    std::vector<Var> roots, cotangents;
    for (std::size_t i = 0; i < ys.size(); ++i) {
      // What depends on no argument, such as the gradient of a linear function, has derivative 0.
      if (!is_floating(ys[i].dtype()) || !ys[i].requires_grad()) continue;
      roots.push_back(ys[i]);
      const bool alone = ys.size() == 1 && ys[0].element_count() == 1;
      cotangents.push_back(weights_like(ys[i], alone, level, i));
    }
    return grad(roots, xs, cotangents, {.create_graph = again});
  }

  detail::GradcheckFunction function_;
  std::vector<Tensor> inputs_;
  std::vector<std::size_t> chosen_;
  bool single_ = false;
};

/// A line through the inputs: one element, or a whole argument along its projection.
struct Line {
  std::size_t input;
  std::int64_t element;  ///< −1: all, along v
};

class Differences {
 public:
  Differences(Subject& subject, int order, double step)
      : subject_(subject), order_(order), fixed_step_(step) {}

  /// Σ u·(level order−1) at `distance` along the line, relative to the value at the middle: small
  /// differences of large outputs keep their digits.
  double at(const Line& line, double distance, const Values& middle) {
    const Tensor& x = subject_.input(line.input);
    const std::int64_t first = line.element < 0 ? 0 : line.element;
    const std::int64_t last = line.element < 0 ? x.element_count() : line.element + 1;
    std::vector<double> kept;
    for (std::int64_t i = first; i < last; ++i) kept.push_back(x.at(i));
    for (std::int64_t i = first; i < last; ++i) {
      const double v = line.element < 0 ? irregular(0, line.input, i) : 1.0;
      subject_.write(line.input, i, kept[static_cast<std::size_t>(i - first)] + v * distance);
    }
    const Values values = subject_.evaluate(order_ - 1);
    for (std::int64_t i = first; i < last; ++i) {
      subject_.write(line.input, i, kept[static_cast<std::size_t>(i - first)]);
    }
    double total = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      for (std::size_t i = 0; i < values[k].size(); ++i) {
        if (values[k][i] == middle[k][i]) continue;
        total += weight(is_alone(middle), order_, k, static_cast<std::int64_t>(i)) *
                 (values[k][i] - middle[k][i]);
      }
    }
    return total;
  }

  double step(const Line& line) const {
    if (fixed_step_ > 0) return fixed_step_;
    double largest = 1;
    if (line.element >= 0) {
      largest = std::fmax(1, std::fabs(subject_.input(line.input).at(line.element)));
    }
    // A power of two, so that x ± k·step is exact.
    return std::isfinite(largest) ? std::ldexp(0x1p-8, std::ilogb(largest)) : 0x1p-8;
  }

  double six_points(const Line& line, const Values& middle) {
    const double h = step(line);
    const auto pair = [&](double k) { return at(line, k * h, middle) - at(line, -k * h, middle); };
    return (45 * pair(1) - 9 * pair(2) + pair(3)) / (60 * h);
  }

  /// Central differences at shrinking steps, extrapolated to step 0; picks the estimate whose own
  /// error estimate is least, without looking at what it will be compared with.
  double ridders(const Line& line, const Values& middle) {
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

  /// "…: a kink?" where the slopes on both sides differ.
  std::string kink_hint(const Line& line, const Values& middle) {
    const double h = step(line) / 64;
    const double right = at(line, h, middle) / h, left = -at(line, -h, middle) / h;
    const double size = std::fmax(std::fabs(right), std::fabs(left));
    if (std::fabs(right - left) <= 0.01 * size + 1e-6) return {};
    return "; the slope is " + format_number(left, 6) + " on the left and " +
           format_number(right, 6) + " on the right: a kink or a jump at this point?";
  }

 private:
  Subject& subject_;
  int order_;
  double fixed_step_;
};

class Checker {
 public:
  Checker(Subject& subject, const GradcheckOptions& options)
      : subject_(subject), options_(options), differences_(subject, options.order, options.step) {}

  GradcheckResult run() {
    middle_ = subject_.evaluate(options_.order - 1);
    const Values analytic = subject_.evaluate(options_.order);
    for (std::size_t k = 0; k < subject_.chosen().size(); ++k) {
      const std::size_t input = subject_.chosen()[k];
      if (options_.fast) {
        double along = 0;
        for (std::size_t i = 0; i < analytic[k].size(); ++i) {
          along += irregular(0, input, static_cast<std::int64_t>(i)) * analytic[k][i];
        }
        if (!analytic[k].empty()) compare({input, -1}, along);
        continue;
      }
      for (std::size_t i = 0; i < analytic[k].size(); ++i) {
        compare({input, static_cast<std::int64_t>(i)}, analytic[k][i]);
      }
    }
    if (!result_.passed) explain();
    return result_;
  }

 private:
  double ratio(double analytic, double numeric) const {
    const double tolerance =
        options_.absolute + options_.relative * std::fmax(std::fabs(analytic), std::fabs(numeric));
    const double error = std::fabs(analytic - numeric);
    if (error == 0) return 0;
    return std::isfinite(error) ? error / tolerance : std::numeric_limits<double>::infinity();
  }

  void compare(const Line& line, double analytic) {
    constexpr int kRetries = 32;  // a wrong gradient need not be refuted everywhere so carefully
    double numeric = differences_.six_points(line, middle_);
    double r = ratio(analytic, numeric);
    if (r > 1 && failures_ < kRetries && options_.step == 0) {
      numeric = differences_.ridders(line, middle_);
      r = ratio(analytic, numeric);
    }
    if (r > 1) ++failures_;
    ++result_.checked;
    result_.worst_error = std::fmax(result_.worst_error, std::fabs(analytic - numeric));
    if (result_.input >= 0 && r <= result_.worst_ratio) return;
    result_.passed = r <= 1;
    result_.worst_ratio = r;
    result_.input = static_cast<int>(line.input);
    result_.element = line.element;
    result_.analytic = analytic;
    result_.numeric = numeric;
    result_.tolerance =
        options_.absolute + options_.relative * std::fmax(std::fabs(analytic), std::fabs(numeric));
  }

  void explain() {
    const Line line{static_cast<std::size_t>(result_.input), result_.element};
    const Tensor& x = subject_.input(line.input);
    std::string text = "order " + std::to_string(options_.order) + ", input " +
                       std::to_string(result_.input) + " " + to_string(x.dtype(), x.shape());
    text += line.element < 0 ? " along a direction"
                             : ", element " + std::to_string(line.element) +
                                   " (x = " + format_number(x.at(line.element), 17) + ")";
    text += ": analytic " + format_number(result_.analytic, 17) + ", numeric " +
            format_number(result_.numeric, 17) +
            (is_alone(middle_) ? "" : " (of a sum of the results with fixed irregular weights)") +
            ", error " + format_number(std::fabs(result_.analytic - result_.numeric)) +
            ", tolerance " + format_number(result_.tolerance) + "; " + std::to_string(failures_) +
            " of " + std::to_string(result_.checked) + " derivatives differ";
    if (subject_.uses_float32()) {
      text += "; float32 is in use, whose differences are noise: give float64 inputs";
    } else {
      text += differences_.kink_hint(line, middle_);
    }
    result_.message = std::move(text);
  }

  Subject& subject_;
  const GradcheckOptions& options_;
  Differences differences_;
  Values middle_;
  GradcheckResult result_;
  std::int64_t failures_ = 0;
};

}  // namespace

namespace detail {

GradcheckResult gradcheck(GradcheckFunction function, std::span<const Tensor> inputs,
                          const GradcheckOptions& options, std::source_location where) {
  if (options.order < 1 || !(options.step >= 0) || !std::isfinite(options.step)) {
    throw Error(ErrorKind::kValue, "gradcheck",
                "order " + std::to_string(options.order) + ", step " + format_number(options.step),
                "the order is at least 1, the step a number ≥ 0 (0: chosen)", where);
  }
  Subject subject(function, inputs, options.arguments);
  if (subject.chosen().empty()) {
    throw Error(ErrorKind::kDType, "gradcheck", "no input to differentiate by is floating",
                "give float64 tensors", where);
  }
  return Checker(subject, options).run();
}

}  // namespace detail

}  // namespace wengert
