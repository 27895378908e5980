#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "wengert/autodiff/gradcheck.h"

// What gradcheck differentiates, by backward and by differences. Private to the library.
namespace wengert::detail {

/// Results of a function, or their derivatives: one list each.
using Values = std::vector<std::vector<double>>;

/// ±[0.5, 1.5], irregular, the same in every run.
double irregular(int level, std::size_t tensor, std::int64_t element);

inline bool is_alone(const Values& values) { return values.size() == 1 && values[0].size() == 1; }

/// What an output's element counts in the sum that is differentiated: one that is alone counts as
/// it is, so that messages show its own derivative.
inline double weight(bool alone, int level, std::size_t tensor, std::int64_t element) {
  return alone ? 1 : irregular(level, tensor, element);
}

/// The function, what it is differentiated by, and its derivatives of any order by backward. Level
/// 0 is the function; level k is the gradient of ⟨weights k, level k−1⟩ by the chosen inputs.
class Subject {
 public:
  /// A function of tensors, which are copied.
  Subject(GradcheckFunction function, std::span<const Tensor> inputs, std::uint32_t arguments);
  /// A function of the trained parameters of a set, which it creates at its first call.
  Subject(GradcheckFunction function, ParameterSet& parameters, std::uint32_t arguments);

  const std::vector<std::size_t>& chosen() const { return chosen_; }
  const Tensor& input(std::size_t i) const { return inputs_[i]; }
  bool uses_float32() const { return single_; }
  /// "input 1 f64[3]", "parameter 'fc/weight' f64[4,3]"
  std::string name_of_input(std::size_t i) const;

  void write(std::size_t input, std::int64_t element, double value);
  /// Level `level` recorded on the live tape; the last derivative too where `graph` says so.
  std::vector<Var> record(int level, bool graph);
  /// The leaves that the latest record() began with, one for each that is chosen.
  const std::vector<Var>& leaves() const { return leaves_; }
  /// The values of level `level`, on a tape of its own. `graph`: by the recorded form of the rules.
  Values evaluate(int level, bool graph = false);

 private:
  std::vector<Var> call();

  GradcheckFunction function_;
  std::vector<Tensor> inputs_;
  std::vector<Parameter*> parameters_;  ///< that the inputs are, if they are
  std::vector<std::size_t> chosen_;
  std::vector<Var> leaves_;
  bool single_ = false;
};

/// A line through the inputs: one element, or a whole argument along its projection.
struct Line {
  std::size_t input;
  std::int64_t element;  ///< −1: all, along irregular directions
};

/// A subject's input somewhere else on a line, while this lives; also where the function throws:
/// the memory may be a parameter's.
class Moved {
 public:
  [[nodiscard]] Moved(Subject& subject, const Line& line, double distance);
  ~Moved();
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

 private:
  Subject& subject_;
  std::size_t input_;
  std::int64_t first_;
  std::vector<double> kept_;
};

/// Slopes of a level of a subject along lines.
class Differences {
 public:
  Differences(Subject& subject, int level, double step)
      : subject_(subject), level_(level), fixed_step_(step) {}

  /// Σ u·(level) at `distance` along the line, relative to the value at the middle: small
  /// differences of large outputs keep their digits.
  double at(const Line& line, double distance, const Values& middle);
  /// A power of two, so that x ± k·step is exact.
  double step(const Line& line) const;

  struct Slopes {
    double middle, left, right;
    /// Whether the function has a kink or a jump there: a hundredth of the larger one apart, and
    /// more than what curvature does to one-sided differences.
    bool differ(double curvature) const;
  };
  Slopes six_points(const Line& line, const Values& middle);
  /// Central differences at shrinking steps, extrapolated to step 0; picks the estimate whose own
  /// error estimate is least, without looking at what it will be compared with.
  double ridders(const Line& line, const Values& middle);
  /// "…: a kink?" where the slopes on both sides differ.
  std::string kink_hint(const Line& line, const Values& middle);

 private:
  Subject& subject_;
  int level_;
  double fixed_step_;
};

/// Compares the derivatives of a subject with its differences.
class Checker {
 public:
  /// `graph`: the recorded form of the last derivative is checked, else the fused one.
  Checker(Subject& subject, const GradcheckOptions& options, bool graph = false)
      : subject_(subject),
        options_(options),
        graph_(graph),
        differences_(subject, options.order - 1, options.step) {}

  GradcheckResult run();
  /// What to say of a failure where nothing else is known.
  std::string kink_hint() { return differences_.kink_hint(worst_, middle_); }
  const Line& worst() const { return worst_; }
  const Values& middle() const { return middle_; }
  const Values& analytic() const { return analytic_; }
  std::int64_t failures() const { return failures_; }
  /// The step that the differences took there.
  double step() const { return differences_.step(worst_); }

 private:
  double ratio(double analytic, double numeric) const;
  void compare(const Line& line, double analytic);

  Subject& subject_;
  const GradcheckOptions& options_;
  bool graph_;
  Differences differences_;
  Values middle_, analytic_;
  Line worst_{0, -1};
  GradcheckResult result_;
  std::int64_t failures_ = 0;
};

/// Where a failed check goes wrong: the op with the wrong rule, or the place where the graph was
/// cut; empty when neither is found.
std::string find_fault(Subject& subject, const GradcheckOptions& options, const Line& line,
                       double step);

}  // namespace wengert::detail
