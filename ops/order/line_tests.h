#pragma once

// Private to the library.

#include "wengert/ops/reduction/reduction_tests.h"

// Samples of ops along one axis for the testing library.
namespace wengert::testing {

struct LineCase {
  Shape shape;
  int axis;
};

inline std::vector<LineCase> line_cases() {
  return {{{1}, 0},        {{6}, -1}, {{3, 4}, 0}, {{3, 4}, -1}, {{2, 3, 2}, 1},
          {{2, 3, 2}, -3}, {{0}, 0},  {{3, 0}, 0}, {{0, 3}, 1}};
}

/// Long lines side by side, and many short ones.
inline std::vector<LineCase> long_line_cases() { return {{kLongColumns, 0}, {kLongColumns, 1}}; }

using LineInputs = std::vector<std::vector<double>>;

/// Applies f to every line along `axis` of tensors of one shape; f may change the line's length.
inline Tensor map_lines(std::span<const Tensor> inputs, int axis,
                        const std::function<std::vector<double>(const LineInputs&)>& f,
                        DType dtype = DType::kFloat64) {
  const Shape shape = inputs[0].shape();
  const int at = axis < 0 ? axis + shape.size() : axis;
  std::int64_t outer = 1, inner = 1;
  for (int d = 0; d < at; ++d) outer *= shape[d];
  for (int d = at + 1; d < shape.size(); ++d) inner *= shape[d];
  std::vector<std::vector<double>> results, values;
  for (const Tensor& input : inputs) values.push_back(input.to_vector<double>());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      LineInputs lines;
      for (const std::vector<double>& input : values) {
        lines.emplace_back();
        for (std::int64_t k = 0; k < shape[at]; ++k) {
          lines.back().push_back(input[static_cast<std::size_t>((o * shape[at] + k) * inner + i)]);
        }
      }
      results.push_back(f(lines));
    }
  }
  Shape result = shape;
  if (results.empty())
    results.push_back(
        f(LineInputs(inputs.size(), std::vector<double>(static_cast<std::size_t>(shape[at])))));
  result[at] = static_cast<std::int64_t>(results[0].size());
  std::vector<double> out(static_cast<std::size_t>(element_count(result)));
  for (std::int64_t l = 0; l < outer * inner; ++l) {
    for (std::int64_t k = 0; k < result[at]; ++k) {
      out[static_cast<std::size_t>((l / inner * result[at] + k) * inner + l % inner)] =
          results[static_cast<std::size_t>(l)][static_cast<std::size_t>(k)];
    }
  }
  return Tensor::from(out, result).to(dtype);
}

/// A sample of an op of one input that works line by line.
inline Sample line_sample(std::string name, Tensor x, int axis, std::function<Var(const Var&)> call,
                          std::function<std::vector<double>(const std::vector<double>&)> reference,
                          DType dtype = DType::kFloat64) {
  Sample sample;
  sample.name =
      std::move(name) + " " + to_string(x.dtype(), x.shape()) + " along " + std::to_string(axis);
  sample.inputs = {std::move(x)};
  sample.call = [call](std::span<const Var> in) { return std::vector<Var>{call(in[0])}; };
  sample.reference = [axis, reference, dtype](std::span<const Tensor> in) {
    return std::vector<Tensor>{map_lines(
        in, axis, [&](const LineInputs& lines) { return reference(lines[0]); }, dtype)};
  };
  sample.scale = 1;
  sample.smooth = is_floating(dtype);
  return sample;
}

inline std::vector<Rejected> line_rejected(const std::function<Var(const Var&, int)>& call) {
  const auto zeros = [](const Shape& shape) { return Var(Tensor::zeros(shape, DType::kFloat32)); };
  return {
      {"axis out of range",
       [=] {
         return call(zeros({2, 3}), 2);
       },
       ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
      {"scalar", [=] { return call(zeros({}), -1); }, ErrorKind::kAxis,
       "axis -1 is out of range for rank 0"},
      {"empty Var", [=] { return call(Var(), 0); }, ErrorKind::kGraph, "input 0 is an empty Var"}};
}

}  // namespace wengert::testing
