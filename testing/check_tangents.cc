#include <cmath>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/jvp.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/checker.h"

// Forward mode beside reverse mode and differences, and what records say of their linearity.
namespace wengert::testing {
namespace {

/// Σ uᵢ·vᵢ and Σ |uᵢ·vᵢ| over all tensors.
struct InnerProduct {
  double sum = 0, magnitude = 0;
  void add(const Var& a, const Var& b) {
    const std::vector<double> u = a.value().to_vector<double>(), v = b.value().to_vector<double>();
    for (std::size_t i = 0; i < u.size(); ++i) {
      sum += u[i] * v[i];
      magnitude += std::fabs(u[i] * v[i]);
    }
  }
};

std::string unlike(const InnerProduct& a, const InnerProduct& b) {
  const double allowed = 1e-10 * (a.magnitude + b.magnitude) + 1e-14;
  if (a.sum == b.sum || std::fabs(a.sum - b.sum) <= allowed) return {};
  if (std::isnan(a.sum) && std::isnan(b.sum)) return {};
  return "⟨u, Jv⟩ = " + std::to_string(a.sum) + ", ⟨Jᵀu, v⟩ = " + std::to_string(b.sum);
}

/// Tangents of the arguments, irregular.
std::vector<Var> directions(const std::vector<Var>& arguments) {
  std::vector<Var> result;
  int seed = 70;
  for (const Var& x : arguments) result.emplace_back(cotangent_like(x, ++seed));
  return result;
}

/// a·x + b·y in float64.
Tensor combined(double a, const Tensor& x, double b, const Tensor& y) {
  const Tensor parts[] = {x.to(DType::kFloat64), y.to(DType::kFloat64)};
  return map(parts, [&](std::span<const double> v) { return a * v[0] + b * v[1]; });
}

}  // namespace

void OpChecker::check_tangents(const Sample& sample) {
  const std::vector<std::size_t> wanted = arguments(sample);
  std::int64_t elements = 0;
  for (const std::size_t i : wanted) elements += sample.inputs[i].element_count();
  if (elements == 0) return;  // nothing moves
  Tape tape;
  const Recorded r = record(sample, sample.inputs, wanted);
  if (r.outputs.empty()) return;
  const std::vector<Var> v = directions(r.arguments);
  const std::vector<Var> forward = jvp(r.outputs, r.arguments, v);
  const std::vector<Var> recorded = jvp(r.outputs, r.arguments, v, {.create_graph = true});
  const auto backward = grad(r.outputs, r.arguments, r.cotangents, {.create_graph = true});
  InnerProduct outside, inside;
  double scale = sample.scale;
  for (std::size_t k = 0; k < forward.size(); ++k) {
    outside.add(r.cotangents[k], forward[k]);
    scale = std::fmax(scale, largest_magnitude(forward[k].value()));
  }
  for (std::size_t i = 0; i < v.size(); ++i) inside.add(backward[i], v[i]);
  expect(sample, "forward and reverse mode", unlike(outside, inside));
  for (std::size_t k = 0; k < forward.size(); ++k) {
    const std::string output = ", output " + std::to_string(k);
    expect(sample, "recorded tangent" + output,
           difference(recorded[k].value(), forward[k].value(),
                      {std::fmax(4, tests_.ulps64), scale, forward[k].dtype()}));
  }
  check_tangents_of_order_two(sample, r, v, recorded, backward);
  if (sample.smooth) check_tangent_differences(sample, r, v, forward);
}

/// What either mode recorded has the same derivatives: ∂⟨u, Jv⟩ = ∂⟨Jᵀu, v⟩.
void OpChecker::check_tangents_of_order_two(const Sample& sample, const Recorded& r,
                                            const std::vector<Var>& v,
                                            const std::vector<Var>& recorded,
                                            const std::vector<Var>& backward) {
  if (tests_.order < 2) return;
  const auto derivative = [&](const std::vector<Var>& ys, const std::vector<Var>& cotangents) {
    return grad(ys, r.arguments, cotangents, {.retain = true});
  };
  std::vector<Var> results[2];
  for (int mode = 0; mode < 2; ++mode) {
    const std::vector<Var>& all = mode == 0 ? recorded : backward;
    const std::vector<Var>& weights = mode == 0 ? r.cotangents : v;
    std::vector<Var> ys, cotangents;
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (!all[k].requires_grad()) continue;  // of a linear function
      ys.push_back(all[k]);
      cotangents.push_back(weights[k]);
    }
    results[mode] = derivative(ys, cotangents);
  }
  for (std::size_t i = 0; i < r.arguments.size(); ++i) {
    const Tensor forward = results[0][i].value(), reverse = results[1][i].value();
    const double scale = std::fmax(std::fmax(1, sample.scale), largest_magnitude(reverse));
    expect(sample, "derivative of the tangent by argument " + std::to_string(i),
           difference(forward, reverse, {1e4, scale, DType::kFloat64}));
  }
}

void OpChecker::check_tangent_differences(const Sample& sample, const Recorded& r,
                                          const std::vector<Var>& v,
                                          const std::vector<Var>& forward) {
  constexpr double kStep = 1e-5, kTolerance = 1e-6;
  const std::vector<std::size_t> wanted = arguments(sample);
  std::vector<Tensor> values[2];
  for (int side = 0; side < 2; ++side) {
    std::vector<Tensor> inputs = sample.inputs;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      inputs[wanted[i]] = combined(1, inputs[wanted[i]], side == 0 ? kStep : -kStep, v[i].value());
    }
    const Tape tape;
    const Recorded moved = record(sample, inputs, wanted);
    for (const Var& y : moved.outputs) values[side].push_back(y.value());
  }
  for (std::size_t k = 0; k < forward.size(); ++k) {
    if (r.outputs[k].dtype() != DType::kFloat64) continue;  // rounding hides the difference
    const Tensor numeric = combined(0.5 / kStep, values[0][k], -0.5 / kStep, values[1][k]);
    const double scale =
        std::fmax(1, std::fmax(largest_magnitude(numeric), largest_magnitude(values[0][k])));
    expect(sample, "tangent and differences, output " + std::to_string(k),
           difference(forward[k].value(), numeric,
                      {kTolerance / ulp_of(1, DType::kFloat64), scale, DType::kFloat64}));
  }
}

namespace {

/// A recorded call whose operands can be replaced.
struct Call {
  const Tape& tape;
  std::uint32_t id;
  std::vector<Tensor> operands;
  std::vector<int> arguments;  ///< floating inputs that gradients flow into

  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const {
    const detail::Node& node = tape.node(id);
    const std::vector<Var> vars(inputs.begin(), inputs.end());
    std::vector<const Var*> pointers;
    for (const Var& var : vars) pointers.push_back(&var);
    std::vector<Tensor> results;
    const NoGrad off;
    for (const Var& y : apply_all(*node.op, pointers, node.attributes, node.where)) {
      results.push_back(y.value());
    }
    return results;
  }
  std::uint32_t all() const {
    std::uint32_t set = 0;
    for (const int i : arguments) set |= 1u << (i < 31 ? i : 31);
    return set;
  }
};

/// The calls of `op` that a sample makes, where everything that they take is still there.
std::vector<Call> calls_of(const OpDef& op, const Tape& tape) {
  std::vector<Call> calls;
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const detail::Node& node = tape.node(id);
    if (node.op != &op || node.output > 0 || !node.value->has(detail::Value::kRequiresGrad)) {
      continue;
    }
    Call call{tape, id, {}, {}};
    bool whole = true;
    for (int i = 0; i < node.input_count; ++i) {
      const std::uint32_t input = node.inputs()[i];
      whole = whole && tape.has_value(input);
      if (!whole) break;
      call.operands.push_back(tape.var(input).value());
      if (is_floating(tape.dtype(input)) && op.is_differentiable(i)) call.arguments.push_back(i);
    }
    if (whole) calls.push_back(std::move(call));
  }
  return calls;
}

/// Whether f(a·x + b·y) = a·f(x) + b·f(y) in the inputs of `set`, the others held; and whether
/// there was anything to compare.
struct Verdict {
  std::string problem;
  bool seen = false;
};
Verdict is_linear(const Call& call, std::uint32_t set) {
  constexpr double a = 2.5, b = -1.25;
  std::vector<Tensor> x = call.operands, y = x, mixed = x;
  std::int64_t elements = 0;
  for (const int i : call.arguments) {
    if (!detail::in_set(set, i)) continue;
    const auto at = static_cast<std::size_t>(i);
    y[at] = cotangent_like(x[at], 90 + i);
    mixed[at] = combined(a, x[at], b, y[at]).to(x[at].dtype());
    elements += x[at].element_count();
  }
  if (elements == 0) return {};
  Verdict verdict;
  std::vector<Tensor> of_x, of_y, of_mixed;
  try {
    of_x = call(x), of_y = call(y), of_mixed = call(mixed);
  } catch (const Error& error) {  // outside the op's domain
    return {error.what(), true};
  }
  for (std::size_t k = 0; k < of_x.size(); ++k) {
    const DType dtype = of_x[k].dtype();
    if (!is_floating(dtype) || of_x[k].element_count() == 0) continue;
    verdict.seen = true;
    const double scale = 1 + largest_magnitude(of_x[k]) + largest_magnitude(of_y[k]);
    const std::string problem =
        difference(of_mixed[k], combined(a, of_x[k], b, of_y[k]).to(dtype), {1e4, scale, dtype});
    if (!problem.empty()) verdict.problem = "output " + std::to_string(k) + ": " + problem;
  }
  return verdict;
}

/// Whether the derivative along the inputs of `set` is the op itself there, as it is for a linear
/// op unless its rule leaves something out on purpose (a padding row that learns nothing).
std::string unlike_its_derivative(const Call& call, std::uint32_t set) {
  Tape tape;
  const detail::Node& node = call.tape.node(call.id);
  std::vector<Var> inputs(call.operands.begin(), call.operands.end()), moved, directions;
  std::vector<Tensor> along = call.operands;
  std::vector<const Var*> pointers;
  for (const int i : call.arguments) {
    if (!detail::in_set(set, i)) continue;
    const auto at = static_cast<std::size_t>(i);
    inputs[at] = variable(call.operands[at]);
    moved.push_back(inputs[at]);
    along[at] = cotangent_like(inputs[at], 90 + i);
    directions.emplace_back(along[at]);
  }
  for (const Var& input : inputs) pointers.push_back(&input);
  const std::vector<Var> outputs = apply_all(*node.op, pointers, node.attributes, node.where);
  const std::vector<Tensor> expected = call(along);
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad()) return "output " + std::to_string(k) + " has no derivative";
    const double scale = 1 + largest_magnitude(expected[k]);
    const Tensor tangent = jvp({outputs[k]}, moved, directions)[0].value();
    const std::string problem = difference(tangent, expected[k], {1e4, scale, expected[k].dtype()});
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string describe_inputs(std::uint32_t set) {
  std::string text;
  for (int i = 0; i < 32; ++i) {
    if (set >> i & 1) text += (text.empty() ? "" : ", ") + std::to_string(i);
  }
  return "{" + text + (set >> 31 ? " and all further ones}" : "}");
}

/// Sets to look at: of up to four arguments every one; of more the single ones and all.
std::vector<std::uint32_t> sets_of(const Call& call) {
  std::vector<std::uint32_t> sets;
  const std::uint32_t all = call.all();
  if (call.arguments.size() > 4) {
    for (const int i : call.arguments) sets.push_back(1u << (i < 31 ? i : 31));
    sets.push_back(all);
    return sets;
  }
  for (std::uint32_t set = all; set != 0; set = (set - 1) & all) sets.push_back(set);
  return sets;
}

}  // namespace

void OpChecker::look_at_linearity(const Sample& sample) {
  if (op_.elementwise != nullptr || op_.differentiable == 0) return;
  Tape tape;
  const Recorded r = record(sample, sample.inputs, arguments(sample));
  for (const Call& call : calls_of(op_, tape)) {
    for (const std::uint32_t declared : op_.linear) {
      const std::uint32_t present = declared & call.all();
      if (present == 0) continue;
      expect(sample, "linear in inputs " + describe_inputs(present),
             is_linear(call, present).problem);
    }
    for (const std::uint32_t set : sets_of(call)) {
      Verdict verdict = is_linear(call, set);
      if (!verdict.seen) continue;
      if (verdict.problem.empty()) verdict.problem = unlike_its_derivative(call, set);
      const auto known = linearity_.try_emplace(set, true).first;
      known->second = known->second && verdict.problem.empty();
    }
  }
}

void OpChecker::check_linear() {
  if (op_.elementwise != nullptr) {
    expect("linear inputs", op_.linear[0] == 0 ? "" : "an elementwise op's formula says it");
    return;
  }
  for (const auto& [set, linear] : linearity_) {
    bool declared = false;
    for (const std::uint32_t known : op_.linear) declared |= (set & ~known) == 0;
    expect("linear inputs",
           declared || !linear
               ? ""
               : "every sample is linear in inputs " + describe_inputs(set) +
                     ", which `linear` does not say; state it, or a sample that is not");
  }
}

}  // namespace wengert::testing
