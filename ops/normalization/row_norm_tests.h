#pragma once

// Private to the library.

#include <functional>

#include "wengert/ops/normalization/norm_tests.h"

namespace wengert::testing {

using RowNormCall = std::function<Var(std::span<const Var>, int first_axis, double epsilon)>;

inline Sample row_norm_sample(const RowNormCall& call, bool centered, const Shape& shape,
                              int first_axis, int operands, double epsilon = 1e-5, double low = -2,
                              double high = 3) {
  const int first = first_axis < 0 ? first_axis + shape.size() : first_axis;
  Shape part;
  for (int d = first; d < shape.size(); ++d) part.push_back(shape[d]);
  const std::int64_t n = element_count(part);
  Sample sample;
  sample.name = to_string(shape) + " from axis " + std::to_string(first_axis) + ", " +
                std::to_string(operands) + " operands";
  sample.inputs = norm_operands(shape, part, operands, low, high);
  sample.call = [=](std::span<const Var> x) {
    return std::vector<Var>{call(x, first_axis, epsilon)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    std::vector<double> y;
    for (std::int64_t r = 0; n > 0 && r < x[0].element_count() / n; ++r) {
      long double mean = 0, squares = 0;
      for (std::int64_t j = 0; centered && j < n; ++j) mean += x[0].at(r * n + j);
      mean /= static_cast<long double>(n);
      for (std::int64_t j = 0; j < n; ++j) {
        const long double d = x[0].at(r * n + j) - mean;
        squares += d * d / static_cast<long double>(n);
      }
      for (std::int64_t j = 0; j < n; ++j) {
        const long double hat = (x[0].at(r * n + j) - mean) / std::sqrt(squares + epsilon);
        y.push_back(static_cast<double>(hat * (x.size() > 1 ? x[1].at(j) : 1) +
                                        (x.size() > 2 ? x[2].at(j) : 0)));
      }
    }
    return std::vector<Tensor>{Tensor::from(y, x[0].shape())};
  };
  sample.scale = 4;
  return sample;
}

inline OpTests row_norm_tests(const RowNormCall& call, bool centered, int most) {
  OpTests tests;
  for (int operands = 1; operands <= most; ++operands) {
    for (const auto& [shape, first] : std::vector<std::pair<Shape, int>>{
             {{5, 7}, -1}, {{3, 2, 5}, 1}, {{2, 3, 4}, 0}, {{2, 3, 4}, -1}, {{6}, 0}}) {
      tests.samples.push_back(row_norm_sample(call, centered, shape, first, operands));
    }
  }
  for (const auto& [shape, first] : std::vector<std::pair<Shape, int>>{{{0, 3}, -1},
                                                                       {{3, 0}, -1},
                                                                       {{130, 70}, -1},
                                                                       {{3, 300}, -1},
                                                                       {{20, 30, 40}, 1},
                                                                       {kLongColumns, -1},
                                                                       {kLongRows, -1}}) {
    tests.samples.push_back(row_norm_sample(call, centered, shape, first, most));
  }
  tests.samples.push_back(holds_sample("a mean that is large beside the deviation", [=] {
    const Sample far = row_norm_sample(call, centered, {4, 30}, -1, 1, 1e-5, 9999, 10001);
    const Tensor x = far.inputs[0].to(DType::kFloat32);
    const Var operand = x;
    return near(call({&operand, 1}, -1, 1e-5).value(), far.reference({&x, 1})[0], 1e-6);
  }));
  tests.samples.push_back(holds_sample("a mean between two numbers", [=] {
    const Tensor x = Tensor::from({16777216.f, 16777218.f}, {1, 2});
    const Var operand = x;
    const Sample any = row_norm_sample(call, centered, {1, 2}, -1, 1);
    return near(call({&operand, 1}, -1, 1e-5).value(), any.reference({&x, 1})[0], 1e-6);
  }));
  tests.samples.push_back(holds_sample("squares beyond the range", [call] {
    const Var x = Tensor::from({1e200, -1e200}, {1, 2});
    const Tensor y = call({&x, 1}, -1, 1e-5).value();
    return y.at(0) == 1 && y.at(1) == -1;
  }));
  tests.samples.push_back(
      fixed_sample("zeros", {Tensor::from({0., 0., 0.}, {1, 3})},
                   [call](std::span<const Var> x) { return std::vector<Var>{call(x, -1, 1e-5)}; },
                   {Tensor::from({0., 0., 0.}, {1, 3})}));
  const auto bad = [call](const Shape& x, const Shape& gain, int axis, double epsilon,
                          DType dtype = DType::kFloat32) {
    return [=] {
      const Var operands[] = {Tensor::zeros(x, dtype), Tensor::zeros(gain, dtype)};
      (void)call(operands, axis, epsilon);
    };
  };
  tests.rejected = {
      {"gain", bad({4, 3}, {4}, -1, 1e-5), ErrorKind::kShape,
       "the gain is f32[4] where x is f32[4,3]"},
      {"gain of more axes", bad({4, 3, 2}, {2}, 1, 1e-5), ErrorKind::kShape,
       "the gain is f32[2] where x is f32[4,3,2]"},
      {"axis", bad({4, 3}, {3}, 2, 1e-5), ErrorKind::kAxis, "axis 2 is out of range for rank 2"},
      {"epsilon", bad({4, 3}, {3}, -1, 0), ErrorKind::kValue,
       "epsilon must lie in [1e-30, 1e30], got 0"},
      {"integers", bad({4, 3}, {3}, -1, 1e-5, DType::kInt32), ErrorKind::kDType,
       "needs float32 or float64, got i32[4,3]"},
      {"scalar", bad({}, {3}, 0, 1e-5), ErrorKind::kShape, "x is a scalar f32[]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

}  // namespace wengert::testing
