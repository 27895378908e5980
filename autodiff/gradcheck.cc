#include "wengert/autodiff/gradcheck.h"

#include <cmath>
#include <limits>

#include "wengert/autodiff/gradcheck_subject.h"
#include "wengert/graph/call_site.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"

namespace wengert::detail {

GradcheckResult Checker::run() {
  middle_ = subject_.evaluate(options_.order - 1);
  analytic_ = subject_.evaluate(options_.order, graph_);
  for (std::size_t k = 0; k < subject_.chosen().size(); ++k) {
    const std::size_t input = subject_.chosen()[k];
    if (options_.fast) {
      double along = 0;
      for (std::size_t i = 0; i < analytic_[k].size(); ++i) {
        along += irregular(0, input, static_cast<std::int64_t>(i)) * analytic_[k][i];
      }
      if (!analytic_[k].empty()) compare({input, -1}, along);
      continue;
    }
    for (std::size_t i = 0; i < analytic_[k].size(); ++i) {
      compare({input, static_cast<std::int64_t>(i)}, analytic_[k][i]);
    }
  }
  return result_;
}

double Checker::ratio(double analytic, double numeric) const {
  const double tolerance =
      options_.absolute + options_.relative * std::fmax(std::fabs(analytic), std::fabs(numeric));
  const double error = std::fabs(analytic - numeric);
  if (error == 0) return 0;
  return std::isfinite(error) ? error / tolerance : std::numeric_limits<double>::infinity();
}

void Checker::compare(const Line& line, double analytic) {
  constexpr int kRetries = 32;  // a wrong gradient need not be refuted everywhere so carefully
  const Differences::Slopes slopes = differences_.six_points(line, middle_);
  double numeric = slopes.middle;
  double r = ratio(analytic, numeric);
  if (r > 1 && failures_ < kRetries && options_.step == 0) {
    numeric = differences_.ridders(line, middle_);
    r = ratio(analytic, numeric);
  } else if (options_.step == 0 && slopes.differ(1e-3)) {
    // The mean of both slopes is no derivative: |x| at 0.
    r = std::numeric_limits<double>::infinity();
  }
  if (r > 1) ++failures_;
  ++result_.checked;
  result_.worst_error = std::fmax(result_.worst_error, std::fabs(analytic - numeric));
  if (result_.input >= 0 && r <= result_.worst_ratio) return;
  worst_ = line;
  result_.passed = r <= 1;
  result_.worst_ratio = r;
  result_.input = static_cast<int>(line.input);
  result_.element = line.element;
  result_.analytic = analytic;
  result_.numeric = numeric;
  result_.tolerance =
      options_.absolute + options_.relative * std::fmax(std::fabs(analytic), std::fabs(numeric));
}

namespace {

std::string element_text(const Values& values, std::size_t k, std::size_t i, const char* what) {
  std::string text = "element " + std::to_string(i);
  return values.size() == 1 ? text : text + " of " + what + " " + std::to_string(k);
}

/// "two calls differ: …" where the function gives something else for the same inputs.
std::string nondeterminism(Subject& subject, int level, const Values& before) {
  const Values again = subject.evaluate(level);
  for (std::size_t k = 0; k < before.size() && k < again.size(); ++k) {
    for (std::size_t i = 0; i < before[k].size() && i < again[k].size(); ++i) {
      const double a = before[k][i], b = again[k][i];
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      return "two calls differ: " + element_text(before, k, i, "result") + " is " +
             format_number(a, 17) + " and then " + format_number(b, 17) +
             "; the function must do the same each time: draw its random numbers outside";
    }
  }
  return {};
}

std::string not_finite(const Values& values, const char* what) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    for (std::size_t i = 0; i < values[k].size(); ++i) {
      if (std::isfinite(values[k][i])) continue;
      return std::string(std::isnan(values[k][i]) ? "NaN" : "infinity") + " at " +
             element_text(values, k, i, what);
    }
  }
  return {};
}

/// "NaN at element 1 of the gradient by input 0 …" where something is not finite.
std::string non_finite(Subject& subject, const Checker& checker, int order) {
  if (std::string text = not_finite(checker.middle(), "result"); !text.empty()) {
    Tape tape;
    tape.detect_non_finite(true);
    (void)subject.record(order - 1, false);
    text += order == 1 ? " in the function's value" : " in the derivative below this order";
    if (tape.first_non_finite() == Tape::kNoNode) return text;
    return text + ", first in " + tape.describe(tape.first_non_finite());
  }
  for (std::size_t k = 0; k < checker.analytic().size(); ++k) {
    const std::string text = not_finite({checker.analytic()[k]}, "");
    if (text.empty()) continue;
    return text + " of the gradient by " + subject.name_of_input(subject.chosen()[k]);
  }
  return {};
}

/// The numbers, and what is known of the cause.
void explain(GradcheckResult& result, Subject& subject, Checker& checker,
             const GradcheckOptions& options) {
  const Tensor& x = subject.input(checker.worst().input);
  std::string text = "order " + std::to_string(options.order) + ", " +
                     subject.name_of_input(checker.worst().input);
  text += result.element < 0 ? " along a direction"
                             : ", element " + std::to_string(result.element) +
                                   " (x = " + format_number(x.at(result.element), 17) + ")";
  text += ": analytic " + format_number(result.analytic, 17) + ", numeric " +
          format_number(result.numeric, 17) +
          (is_alone(checker.middle()) ? ""
                                      : " (of a sum of the results with fixed irregular weights)") +
          ", error " + format_number(std::fabs(result.analytic - result.numeric)) + ", tolerance " +
          format_number(result.tolerance) + "; " + std::to_string(checker.failures()) + " of " +
          std::to_string(result.checked) + " derivatives differ";
  result.fault = nondeterminism(subject, options.order - 1, checker.middle());
  if (result.fault.empty()) result.fault = non_finite(subject, checker, options.order);
  if (!result.fault.empty()) {
    text += "; " + result.fault;
  } else if (subject.uses_float32()) {
    text += "; float32 is in use, whose differences are noise: give float64 inputs";
  } else {
    result.fault = find_fault(subject, options, checker.worst(), checker.step());
    text += result.fault.empty() ? checker.kink_hint() : "; " + result.fault;
  }
  result.message = std::move(text);
}

GradcheckResult check(Subject subject, const GradcheckOptions& options,
                      std::source_location where) {
  if (subject.chosen().empty()) {
    throw Error(ErrorKind::kDType, "gradcheck", "no input to differentiate by is floating",
                "give float64 tensors, or parameters that are trained", where);
  }
  Checker checker(subject, options);
  GradcheckResult result = checker.run();
  if (!result.passed) explain(result, subject, checker, options);
  return result;
}

void check_options(const GradcheckOptions& options, std::source_location where) {
  if (options.order >= 1 && options.step >= 0 && std::isfinite(options.step)) return;
  throw Error(ErrorKind::kValue, "gradcheck",
              "order " + std::to_string(options.order) + ", step " + format_number(options.step),
              "the order is at least 1, the step a number ≥ 0 (0: chosen)", where);
}

}  // namespace

GradcheckResult gradcheck(GradcheckFunction function, std::span<const Tensor> inputs,
                          const GradcheckOptions& options, std::source_location where) {
  const CallSite site(where);
  check_options(options, where);
  return check(Subject(function, inputs, options.arguments), options, where);
}

GradcheckResult gradcheck(GradcheckFunction function, ParameterSet& parameters,
                          const GradcheckOptions& options, std::source_location where) {
  const CallSite site(where);
  check_options(options, where);
  return check(Subject(function, parameters, options.arguments), options, where);
}

}  // namespace wengert::detail
