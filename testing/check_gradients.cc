#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/checker.h"

namespace wengert::testing {
namespace {

/// Elements of all arguments beyond which differences follow one direction per argument.
constexpr std::int64_t kManyElements = 2000, kManyElementsHigher = 64;

/// Every non-empty subset; of more than four arguments the single ones, each left out, and all.
std::vector<std::uint32_t> subsets(const std::vector<std::size_t>& arguments) {
  std::vector<std::uint32_t> result;
  const std::size_t n = arguments.size();
  std::uint32_t all = 0;
  for (const std::size_t i : arguments) all |= 1u << (i < 31 ? i : 31);
  if (n <= 4) {
    for (std::uint32_t pick = 1; pick < (1u << n); ++pick) {
      std::uint32_t subset = 0;
      for (std::size_t k = 0; k < n; ++k) {
        if (pick >> k & 1) subset |= 1u << arguments[k];
      }
      result.push_back(subset);
    }
    return result;
  }
  for (const std::size_t i : arguments) {
    result.push_back(1u << (i < 31 ? i : 31));
    result.push_back(all & ~result.back());
  }
  result.push_back(all);
  return result;
}

std::string describe_subset(std::uint32_t subset) {
  std::string text;
  for (int i = 0; i < 32; ++i) {
    if (subset >> i & 1) text += (text.empty() ? "" : ",") + std::to_string(i);
  }
  return "arguments {" + text + "}";
}

Tensor zero_tensor_like(const Var& y) { return Tensor::zeros(y.shape(), y.dtype()); }

std::vector<Var> zero_tensor_like(const std::vector<Var>& ys) {
  std::vector<Var> result;
  for (const Var& y : ys) result.push_back(zero_tensor_like(y));
  return result;
}

/// Those that depend on a variable, each with an irregular cotangent.
std::pair<std::vector<Var>, std::vector<Var>> differentiable(const std::vector<Var>& ys) {
  std::pair<std::vector<Var>, std::vector<Var>> result;
  int seed = 40;
  for (const Var& y : ys) {
    if (!y.requires_grad()) continue;
    result.first.push_back(y);
    result.second.push_back(cotangent_like(y, ++seed));
  }
  return result;
}

}  // namespace

void OpChecker::check_differences(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  std::int64_t elements = 0;
  for (const std::size_t i : wanted) elements += sample.inputs[i].element_count();
  if (elements == 0) return;
  const auto call = [&](std::span<const Var> x) { return sample.call(x); };
  const int order = std::min(tests_.order, options_.order);
  for (int k = 1; k <= order; ++k) {
    GradcheckOptions options;
    options.order = k;
    options.fast = elements > (k == 1 ? kManyElements : kManyElementsHigher);
    if (tests_.linear) {
      options.step = 1;
      options.absolute = options.relative = 1e-12;
    }
    for (const std::uint32_t subset : subsets(wanted)) {
      options.arguments = subset;
      const GradcheckResult result = gradcheck(call, sample.inputs, options);
      expect(sample, describe_subset(subset), result.message);
      report_.worst_error = std::fmax(report_.worst_error, result.worst_error);
      report_.worst_ratio = std::fmax(report_.worst_ratio, result.worst_ratio);
    }
  }
}

void OpChecker::check_gradient_rules(const Sample& sample) {
  if (arguments(sample).empty()) return;
  check_zero_cotangent(sample);
  check_repeated(sample);
  check_outputs_apart(sample);
  check_two_uses(sample);
  check_same_variable(sample);
  check_float32_gradient(sample);
}

void OpChecker::check_zero_cotangent(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  Tape tape;
  const Recorded r = record(sample, sample.inputs, wanted);
  if (r.outputs.empty()) return;
  const std::vector<Var> zeros = zero_tensor_like(r.outputs);
  const auto expect_zeros = [&](const std::string& what, const std::vector<Var>& gradients) {
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      expect(sample, what + ", argument " + std::to_string(wanted[k]),
             not_zero(gradients[k].value()));
    }
  };
  expect_zeros("zero cotangent", grad(r.outputs, r.arguments, zeros, {.retain = true}));
  // Recorded: the gradient is 0 wherever the inputs are, so its own derivative is 0 too.
  const auto at_zero = grad(r.outputs, r.arguments, zeros, {.create_graph = true});
  expect_zeros("zero cotangent, recorded", at_zero);
  const auto [roots, cotangents] = differentiable(at_zero);
  expect_zeros("derivative of the gradient at a zero cotangent",
               grad(roots, r.arguments, cotangents, {.retain = true}));
  const auto gradients = grad(r.outputs, r.arguments, r.cotangents, {.create_graph = true});
  const std::vector<Var> again = differentiable(gradients).first;
  expect_zeros("zero cotangent of the gradient",
               grad(again, r.arguments, zero_tensor_like(again), {.retain = true}));
}

void OpChecker::check_repeated(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  Tape tape;
  const Recorded r = record(sample, sample.inputs, wanted);
  if (r.outputs.empty()) return;
  const auto first = grad(r.outputs, r.arguments, r.cotangents, {.retain = true});
  const auto second = grad(r.outputs, r.arguments, r.cotangents, {.retain = true});
  const auto recorded = grad(r.outputs, r.arguments, r.cotangents, {.create_graph = true});
  const auto last = grad(r.outputs, r.arguments, r.cotangents);
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const std::string argument = "argument " + std::to_string(wanted[k]);
    const Tensor g = first[k].value();
    expect(sample, "second backward, " + argument, bit_difference(second[k].value(), g));
    expect(sample, "last backward, " + argument, bit_difference(last[k].value(), g));
    expect(sample, "recorded and fused gradient, " + argument,
           difference(recorded[k].value(), g,
                      {std::fmax(4, tests_.ulps64), std::fmax(largest_magnitude(g), sample.scale),
                       DType::kFloat64}));
  }
}

/// A loss may depend on any one of an op's results: what each alone sends back adds up to what all
/// send together.
void OpChecker::check_outputs_apart(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  Tape tape;
  const Recorded r = record(sample, sample.inputs, wanted);
  if (r.outputs.size() < 2) return;
  const auto whole = grad(r.outputs, r.arguments, r.cotangents, {.retain = true});
  for (const bool recorded : {false, true}) {
    std::vector<Tensor> totals;
    for (const Var& g : whole) totals.push_back(zero_tensor_like(g));
    double scale = sample.scale;
    for (std::size_t j = 0; j < r.outputs.size(); ++j) {
      const auto part = grad({r.outputs[j]}, r.arguments, {r.cotangents[j]},
                             {.create_graph = recorded, .retain = true});
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        const Tensor parts[] = {totals[k], part[k].value()};
        scale = std::fmax(scale, largest_magnitude(parts[1]));
        totals[k] = map(parts, [](std::span<const double> v) { return v[0] + v[1]; });
      }
    }
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      expect(sample,
             "one output at a time" + std::string(recorded ? ", recorded" : "") + ", argument " +
                 std::to_string(wanted[k]),
             difference(whole[k].value(), totals[k],
                        {std::fmax(4, tests_.ulps64), scale, DType::kFloat64}));
    }
  }
}

void OpChecker::check_two_uses(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  std::vector<Tensor> apart[2];
  for (int use = 0; use < 2; ++use) {
    Tape tape;
    const Recorded r = record(sample, sample.inputs, wanted, 1 + 10 * use);
    if (r.outputs.empty()) return;
    for (const Var& g : grad(r.outputs, r.arguments, r.cotangents)) {
      apart[use].push_back(g.value());
    }
  }
  Tape tape;
  Recorded r = record(sample, sample.inputs, wanted, 1);
  int seed = 11;
  for (const Var& y : sample.call(r.inputs)) {
    if (!is_floating(y.dtype()) || !y.requires_grad()) continue;
    r.outputs.push_back(y);
    r.cotangents.push_back(cotangent_like(y, seed++));
  }
  const auto fused = grad(r.outputs, r.arguments, r.cotangents, {.retain = true});
  const auto recorded = grad(r.outputs, r.arguments, r.cotangents, {.create_graph = true});
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const Tensor parts[] = {apart[0][k], apart[1][k]};
    const Tensor total = map(parts, [](std::span<const double> v) { return v[0] + v[1]; });
    const double scale = std::fmax(largest_magnitude(parts[0]), largest_magnitude(parts[1]));
    const Tolerance tolerance{std::fmax(4, tests_.ulps64), std::fmax(scale, sample.scale),
                              DType::kFloat64};
    const std::string argument = "argument " + std::to_string(wanted[k]);
    expect(sample, "two uses, " + argument, difference(fused[k].value(), total, tolerance));
    expect(sample, "two uses, recorded, " + argument,
           difference(recorded[k].value(), total, tolerance));
  }
}

void OpChecker::check_same_variable(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  for (std::size_t k = 1; k < wanted.size(); ++k) {
    const std::size_t a = wanted[k - 1], b = wanted[k];
    if (!(sample.inputs[a].shape() == sample.inputs[b].shape())) continue;
    std::vector<Tensor> inputs = sample.inputs;
    inputs[b] = inputs[a];
    Tape tape;
    Recorded apart;
    try {
      apart = record(sample, inputs, wanted);
    } catch (const Error&) {
      continue;  // these values are not in the domain of the other argument
    }
    if (apart.outputs.empty()) continue;
    const auto separate = grad(apart.outputs, apart.arguments, apart.cotangents);
    const Var x = variable(inputs[a]);
    std::vector<Var> same(inputs.begin(), inputs.end());
    same[a] = same[b] = x;
    std::vector<Var> outputs;
    for (const Var& y : sample.call(same)) {
      if (is_floating(y.dtype()) && y.requires_grad()) outputs.push_back(y);
    }
    std::vector<Var> cotangents;
    int seed = 1;
    for (const Var& y : outputs) cotangents.push_back(cotangent_like(y, seed++));
    const auto together = grad(outputs, {x}, cotangents);
    const Tensor parts[] = {separate[k - 1].value(), separate[k].value()};
    const Tensor total = map(parts, [](std::span<const double> v) { return v[0] + v[1]; });
    const double scale = std::fmax(largest_magnitude(parts[0]), largest_magnitude(parts[1]));
    expect(
        sample, "one variable as arguments " + std::to_string(a) + " and " + std::to_string(b),
        difference(together[0].value(), total,
                   {std::fmax(4, tests_.ulps64), std::fmax(scale, sample.scale), DType::kFloat64}));
  }
}

void OpChecker::check_float32_gradient(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  const std::vector<Tensor> single = in_dtype(sample.inputs, DType::kFloat32);
  std::vector<Tensor> gradients[2];
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    Tape tape;
    Recorded r = record(sample, in_dtype(single, dtype), wanted);
    if (r.outputs.empty()) return;
    for (Var& u : r.cotangents) u = u.value().to(DType::kFloat32).to(u.dtype());
    for (const Var& g : grad(r.outputs, r.arguments, r.cotangents)) {
      gradients[dtype == DType::kFloat64].push_back(g.value());
    }
  }
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const double scale = std::fmax(std::fmax(1, sample.scale), largest_magnitude(gradients[1][k]));
    expect(sample, "float32 gradient of argument " + std::to_string(wanted[k]),
           difference(gradients[0][k], gradients[1][k],
                      {kGradientUlpsFactor * tests_.ulps32, scale, DType::kFloat32}));
  }
}

}  // namespace wengert::testing
