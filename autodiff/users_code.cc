#include "wengert/autodiff/users_code.h"

#include <cstring>
#include <string>

namespace wengert::detail {

void ComputedOutputs::take(std::span<const Var> given, const char* op) {
  for (std::size_t k = 0; k < given.size(); ++k) {
    const Var& y = given[k];
    if (!y.has_value()) {
      throw Error(ErrorKind::kGraph, op,
                  given.size() == 1 ? "the function gave an empty Var"
                                    : "value " + std::to_string(k) + " of the function is empty");
    }
    values.push_back(y.value());
    outputs.push_back({.dtype = y.dtype(), .shape = y.shape(), .strides = {}});
  }
  if (outputs.empty()) throw Error(ErrorKind::kValue, op, "the function gave no value");
}

void ComputedOutputs::infer(InferContext& call) const {
  for (const auto& output : outputs) call.output(output.dtype, output.shape);
}

void ComputedOutputs::evaluate(EvalContext& call) {
  for (int k = 0; k < call.output_count(); ++k) {
    const Tensor value = values[static_cast<std::size_t>(k)].contiguous();
    const TensorView to = call.output(k);
    if (to.count() == 0) continue;
    std::memcpy(to.data, value.data(), static_cast<std::size_t>(to.count()) * size_of(to.dtype));
  }
  values.clear();
}

std::vector<Var> constants_of(const EvalContext& call) {
  std::vector<Var> constants;
  for (int i = 0; i < call.input_count(); ++i) {
    const TensorView from = call.input(i);
    Tensor copy = Tensor::empty(call.shape(i), from.dtype);
    copy_elements(from.dtype, from.data, from.resolved_strides(), from.dtype, copy.storage()->data,
                  dense_strides(copy.shape()), copy.shape());
    constants.emplace_back(copy);
  }
  return constants;
}

void require_inputs(std::span<const Var> inputs, const char* op) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].has_value()) continue;
    throw Error(ErrorKind::kGraph, op, "input " + std::to_string(i) + " is an empty Var",
                "assign the result of an op to it first");
  }
}

}  // namespace wengert::detail
