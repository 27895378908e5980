#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/ops.h"
#include "wengert/testing/checker.h"

namespace wengert::testing {
namespace {

/// Whether float32 has this number as a normal one, zero, infinity or NaN.
bool in_float32(double x, bool exactly) {
  if (!std::isfinite(x) || x == 0) return true;
  if (std::fabs(x) < 0x1p-126 || std::fabs(x) > 0x1.fffffep127) return false;
  return !exactly || static_cast<double>(static_cast<float>(x)) == x;
}

bool representable(const Special& special, DType dtype) {
  if (dtype == DType::kFloat64) return true;
  for (const double x : special.inputs) {
    if (!in_float32(x, true)) return false;
  }
  for (const double g : special.gradients) {
    if (!in_float32(g, false)) return false;
  }
  return in_float32(special.value, false);
}

std::string describe(const Special& special) {
  std::string text = "special point (";
  for (std::size_t i = 0; i < special.inputs.size(); ++i) {
    text += (i == 0 ? "" : ", ") + format_number(special.inputs[i], 17);
  }
  return text + ")";
}

/// Every element near `expected`, zeros with its sign.
std::string off(const Tensor& actual, double expected, double ulps, double scale, bool signs) {
  const Tensor wanted = Tensor::full(actual.shape(), expected, DType::kFloat64);
  std::string problem = difference(actual, wanted, {ulps, scale, actual.dtype()});
  if (!problem.empty() || !signs || expected != 0) return problem;
  for (std::int64_t i = 0; i < actual.element_count(); ++i) {
    if (actual.at(i) == 0 && std::signbit(actual.at(i)) != std::signbit(expected)) {
      return std::string("the zero has the wrong sign, expected ") +
             (std::signbit(expected) ? "-0" : "+0");
    }
  }
  return {};
}

constexpr const char* kAccepted = "was accepted";

/// What every error tells beside what is wrong.
std::string missing_parts(const Error& error) {
  if (error.op().empty()) return std::string("the error names no op: ") + error.what();
  if (error.file().empty() || error.line() == 0) {
    return std::string("the error names no line: ") + error.what() +
           " (pass on std::source_location)";
  }
  return {};
}

}  // namespace

void OpChecker::check_empty_inputs(const Sample& sample) {
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    std::vector<Var> inputs(sample.inputs.begin(), sample.inputs.end());
    inputs[i] = Var();
    std::string problem = kAccepted;
    try {
      sample.call(inputs);
    } catch (const Error& error) {
      problem = missing_parts(error);
      if (problem.empty() && (error.kind() != ErrorKind::kGraph ||
                              error.message().find("empty Var") == std::string::npos)) {
        problem = std::string("threw ") + error.what();
      }
    }
    // An input that a call may leave out is left out by an empty Var.
    if (op_.is_optional(static_cast<int>(i)) && problem == kAccepted) problem.clear();
    expect("empty Var as input " + std::to_string(i), problem);
  }
}

void OpChecker::check_special(const Special& special) {
  if (tests_.samples.empty()) return;
  const Sample& call = tests_.samples.front();
  if (special.inputs.size() != call.inputs.size()) {
    expect(describe(special), std::to_string(special.inputs.size()) + " inputs, the op takes " +
                                  std::to_string(call.inputs.size()));
    return;
  }
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    if (!representable(special, dtype)) continue;
    check_special_at(special, call, dtype, -1);
    // Whole vectors and their rest go through other code than single elements.
    if (op_.elementwise != nullptr) check_special_at(special, call, dtype, 19);
  }
}

void OpChecker::check_special_at(const Special& special, const Sample& call, DType dtype,
                                 std::int64_t count) {
  const Shape shape = count < 0 ? Shape{} : Shape{count};
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < special.inputs.size(); ++i) {
    const DType own = call.inputs[i].dtype();
    inputs.push_back(Tensor::full(shape, special.inputs[i], is_floating(own) ? dtype : own));
  }
  const std::string at = describe(special) + " as " + to_string(dtype, shape);
  const double ulps = dtype == DType::kFloat32 ? tests_.ulps32 : tests_.ulps64;
  {
    const std::vector<Var> plain(inputs.begin(), inputs.end());
    expect(at + ", value", off(call.call(plain)[0].value(), special.value, ulps, 0, true));
  }
  const std::vector<std::size_t> wanted = arguments(call);
  if (wanted.empty()) return;
  Tape tape;
  const Recorded r = record(call, inputs, wanted);
  if (r.outputs.empty()) return;
  std::vector<Var> ones, zeros;
  for (const Var& y : r.outputs) {
    ones.push_back(Tensor::full(y.shape(), 1, y.dtype()));
    zeros.push_back(Tensor::zeros(y.shape(), y.dtype()));
  }
  const auto fused = grad(r.outputs, r.arguments, ones, {.retain = true});
  const auto recorded = grad(r.outputs, r.arguments, ones, {.create_graph = true});
  const auto none = grad(r.outputs, r.arguments, zeros, {.retain = true});
  const auto none_recorded = grad(r.outputs, r.arguments, zeros, {.create_graph = true});
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const std::string argument = ", gradient of argument " + std::to_string(wanted[k]);
    if (wanted[k] < special.gradients.size()) {
      const double g = special.gradients[wanted[k]];
      const double scale = dtype == DType::kFloat32 ? 1 : 0x1p-1000;
      const double allowed = kGradientUlpsFactor * ulps;
      expect(at + argument, off(fused[k].value(), g, allowed, scale, false));
      expect(at + argument + ", recorded", off(recorded[k].value(), g, allowed, scale, false));
    }
    expect(at + argument + " at a zero cotangent", not_zero(none[k].value()));
    expect(at + argument + " at a zero cotangent, recorded", not_zero(none_recorded[k].value()));
  }
  std::vector<Var> roots, ones_again, zeros_again, of_ones;
  for (const Var& g : none_recorded) {
    if (!g.requires_grad()) continue;
    roots.push_back(g);
    ones_again.push_back(Tensor::full(g.shape(), 1, g.dtype()));
  }
  for (const Var& g : recorded) {
    if (!g.requires_grad()) continue;
    of_ones.push_back(g);
    zeros_again.push_back(Tensor::zeros(g.shape(), g.dtype()));
  }
  const auto second = grad(roots, r.arguments, ones_again, {.retain = true});
  const auto second_zero = grad(of_ones, r.arguments, zeros_again, {.retain = true});
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const std::string argument = ", argument " + std::to_string(wanted[k]);
    expect(at + argument + ", second order at a zero cotangent", not_zero(second[k].value()));
    expect(at + argument + ", zero cotangent of the gradient", not_zero(second_zero[k].value()));
  }
}

void OpChecker::check_rejected(const Rejected& rejected) {
  const std::string what = "rejected input \"" + rejected.name + "\"";
  for (const bool recording : {false, true}) {
    const auto attempt = [&]() -> std::string {
      try {
        rejected.call();
      } catch (const Error& error) {
        if (error.kind() != rejected.kind) {
          return "threw a " + std::string(name_of(error.kind())) + " error, expected " +
                 std::string(name_of(rejected.kind)) + ": " + error.what();
        }
        if (error.message() != rejected.message) {
          return "the message is \"" + error.message() + "\", expected \"" + rejected.message +
                 "\"";
        }
        return missing_parts(error);
      } catch (const std::exception& error) {
        return std::string("threw something other than Error: ") + error.what();
      }
      return kAccepted;
    };
    if (!recording) {
      expect(what, attempt());
      continue;
    }
    Tape tape;
    const Var x = variable(3.0);
    const Var y = square(x);
    expect(what + " under a tape", attempt());
    try {
      const double g = backward(mul(y, x))[x].scalar_value();
      expect(what + ", the tape afterwards",
             g == 27 ? "" : "d(x³)/dx at 3 is " + format_number(g, 17));
    } catch (const std::exception& error) {
      expect(what + ", the tape afterwards", std::string("backward threw ") + error.what());
    }
  }
}

}  // namespace wengert::testing
