#pragma once

// Private to the library.

#include <functional>

#include "wengert/ops/testing.h"

// References of shape and indexing ops: every element by its index.
namespace wengert::testing {

/// The element at an index.
inline double element(const Tensor& tensor, const Dims& index) {
  std::int64_t position = 0;
  for (int d = 0; d < tensor.rank(); ++d) position = position * tensor.shape()[d] + index[d];
  return tensor.at(position);
}

/// A float64 tensor (or one of `dtype`) with f(index) everywhere.
inline Tensor by_index(const Shape& shape, const std::function<double(const Dims&)>& f,
                       DType dtype = DType::kFloat64) {
  std::vector<double> values;
  const std::int64_t count = element_count(shape);
  for (std::int64_t i = 0; i < count; ++i) {
    Dims index;
    index.resize(shape.size());
    std::int64_t rest = i;
    for (int d = shape.size() - 1; d >= 0; --d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    values.push_back(f(index));
  }
  return Tensor::from(values, shape).to(dtype);
}

/// Adds a sample with one result that is linear in its floating inputs.
inline void add_sample(OpTests& tests, std::string name, std::vector<Tensor> inputs,
                       std::function<Var(std::span<const Var>)> call,
                       std::function<Tensor(std::span<const Tensor>)> reference) {
  Sample sample;
  sample.name = std::move(name);
  sample.inputs = std::move(inputs);
  sample.call = [call](std::span<const Var> x) { return std::vector<Var>{call(x)}; };
  sample.reference = [reference](std::span<const Tensor> x) {
    return std::vector<Tensor>{reference(x)};
  };
  sample.scale = 1;
  tests.samples.push_back(std::move(sample));
}

/// Tests of an op that only moves elements: exact, linear, differentiable twice.
inline OpTests moving_tests() {
  OpTests tests;
  tests.order = 2;
  tests.linear = true;
  return tests;
}

inline Tensor zeros32(const Shape& shape) { return Tensor::zeros(shape, DType::kFloat32); }

}  // namespace wengert::testing
