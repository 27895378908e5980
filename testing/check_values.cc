#include <cmath>
#include <optional>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/testing/checker.h"

namespace wengert::testing {
namespace {

std::vector<Tensor> values_of(const Sample& sample, std::span<const Tensor> inputs) {
  const std::vector<Var> vars(inputs.begin(), inputs.end());
  std::vector<Tensor> values;
  for (const Var& y : sample.call(vars)) values.push_back(y.value());
  return values;
}

}  // namespace

std::string OpChecker::compare_all(const std::vector<Tensor>& actual,
                                   const std::vector<Tensor>& expected,
                                   const Sample& sample) const {
  if (actual.size() != expected.size()) {
    return std::to_string(actual.size()) + " outputs, the reference gives " +
           std::to_string(expected.size());
  }
  for (std::size_t k = 0; k < actual.size(); ++k) {
    const DType dtype = actual[k].dtype();
    std::string problem;
    if (is_floating(dtype) != is_floating(expected[k].dtype()) ||
        (!is_floating(dtype) && dtype != expected[k].dtype())) {
      problem = "the dtype is " + std::string(name_of(dtype)) + ", the reference gives " +
                std::string(name_of(expected[k].dtype()));
    } else if (is_floating(dtype)) {
      const double ulps = dtype == DType::kFloat32 ? tests_.ulps32 : tests_.ulps64;
      problem = difference(actual[k], expected[k], {ulps, sample.scale, dtype});
    } else {
      problem = bit_difference(actual[k], expected[k]);
    }
    if (!problem.empty()) return "output " + std::to_string(k) + ": " + problem;
  }
  return {};
}

void OpChecker::check_values(const Sample& sample) {
  if (!sample.reference) {
    expect(sample, "value", "the sample has no reference");
    return;
  }
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    // float32 inputs are rounded first, so that the reference sees what the op sees.
    const std::vector<Tensor> inputs = in_dtype(sample.inputs, dtype);
    const std::vector<Tensor> exact = in_dtype(inputs, DType::kFloat64);
    const std::vector<Tensor> expected = sample.reference(exact);
    const std::string what = std::string(name_of(dtype)) + " value";
    const std::vector<Tensor> actual = values_of(sample, inputs);
    expect(sample, what, compare_all(actual, expected, sample));
    Tape tape;  // recording must not change what is computed
    const std::vector<Tensor> recorded = values_of(sample, inputs);
    std::string problem;
    for (std::size_t k = 0; k < actual.size() && problem.empty(); ++k) {
      problem = bit_difference(recorded[k], actual[k]);
    }
    expect(sample, what + " under a tape", problem);
  }
  check_views(sample);
}

void OpChecker::check_views(const Sample& sample) {
  const std::vector<Tensor> expected = sample.reference(sample.inputs);
  const std::vector<std::size_t> wanted = arguments(sample);
  for (const Layout layout :
       {Layout::kTransposed, Layout::kRotated, Layout::kStrided, Layout::kReversed}) {
    std::vector<Tensor> viewed;
    for (const Tensor& input : sample.inputs) viewed.push_back(with_layout(input, layout));
    const std::string what = name_of_layout(layout);
    if (layout == Layout::kTransposed || layout == Layout::kRotated) {
      check_order(sample, viewed, what);
    }
    expect(sample, "value of " + what, compare_all(values_of(sample, viewed), expected, sample));
    if (wanted.empty()) continue;
    Tape tape;
    const Recorded dense = record(sample, sample.inputs, wanted);
    const Recorded strided = record(sample, viewed, wanted);
    if (dense.outputs.empty()) continue;
    const auto from_dense = grad(dense.outputs, dense.arguments, dense.cotangents);
    const auto from_strided = grad(strided.outputs, strided.arguments, strided.cotangents);
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      const Tensor& g = from_dense[k].value();
      expect(sample, "gradient of argument " + std::to_string(wanted[k]) + " from " + what,
             difference(
                 from_strided[k].value(), g,
                 {tests_.ulps64, std::fmax(largest_magnitude(g), sample.scale), DType::kFloat64}));
    }
  }
}

namespace {

/// Whether values of one shape lie in one order, axes of size 1 aside.
bool same_order(const TensorView& a, const TensorView& b) {
  const Strides first = a.resolved_strides(), second = b.resolved_strides();
  for (int d = 0; d < a.rank; ++d) {
    if (a.sizes[d] != 1 && first[d] != second[d]) return false;
  }
  return true;
}

/// How a node's value lies, or lay until its data was given back.
TensorView layout_of(const Tape& tape, std::uint32_t id) {
  return detail::view_of(tape.node(id).value);
}

/// What output `id` of a call should lie like: the first operand of its shape, none of which has
/// gaps here; null where none has its shape.
std::optional<TensorView> order_giver(const Tape& tape, std::uint32_t id) {
  for (const std::uint32_t input : tape.inputs(id - tape.node(id).output)) {
    if (tape.shape(input) == tape.shape(id)) return layout_of(tape, input);
  }
  return std::nullopt;
}

}  // namespace

void OpChecker::check_order(const Sample& sample, std::span<const Tensor> viewed,
                            const std::string& what) {
  if (op_.keeps_order == 0 && !op_.gradients_keep_order) return;
  Tape tape;
  const std::vector<Var> inputs(viewed.begin(), viewed.end());
  (void)sample.call(inputs);
  std::string copies, results;
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const detail::Node& node = tape.node(id);
    if (node.op->name == "contiguous") copies = "there are copies";
    if (node.op != &op_ || !detail::in_set(op_.keeps_order, node.output)) continue;
    const std::optional<TensorView> like = order_giver(tape, id);
    if (like && !same_order(layout_of(tape, id), *like)) {
      results = "output " + std::to_string(node.output) + " lies in another order";
    }
  }
  expect(sample, "no copies of " + what, copies);
  expect(sample, "results in the order of " + what, results);
  if (!op_.gradients_keep_order) return;
  const Recorded recorded = record(sample, viewed, arguments(sample));
  if (recorded.outputs.empty()) return;
  const auto gradients = grad(recorded.outputs, recorded.arguments, recorded.cotangents);
  std::string problem;
  for (std::size_t k = 0; k < gradients.size(); ++k) {
    const Var &gradient = gradients[k], &argument = recorded.arguments[k];
    if (same_order(detail::view_of(gradient.get()), detail::view_of(argument.get()))) continue;
    problem = "that of argument " + std::to_string(k) + " lies in another order";
  }
  expect(sample, "gradients in the order of " + what, problem);
}

}  // namespace wengert::testing
