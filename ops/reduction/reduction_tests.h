#pragma once

// Private to the library.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/testing.h"

// Samples of reductions for the testing library: many shapes and axes, one reference over the
// values that go into one result.
namespace wengert::testing {

using ReductionCall = std::function<Var(const Var& x, const Axes& axes, bool keepdims)>;
using RowReference = std::function<double(const std::vector<double>& values)>;

struct ReductionCase {
  Shape shape;
  Axes axes;
  bool keepdims = false;
};

/// Every kind of axes: all, one, several, negative, kept; sizes 1 and long rows.
inline std::vector<ReductionCase> reduction_cases() {
  return {{{}, {}},
          {{7}, {}},
          {{3, 5}, {}},
          {{3, 5}, {0}},
          {{3, 5}, {1}},
          {{3, 5}, {-1}, true},
          {{3, 5}, {-2}, true},
          {{2, 3, 4}, {1}},
          {{2, 3, 4}, {0, 2}},
          {{2, 3, 4}, {-1, 0}, true},
          {{2, 3, 4}, {}, true},
          {{2, 1, 3}, {1}},
          {{2, 70}, {1}},
          {{5, 2, 2, 3}, {0, 2}}};
}

/// Beyond one task of rows, few long rows, and rows that lie across memory.
inline std::vector<ReductionCase> long_reduction_cases() {
  return {{kLongSum, {}},    {kLongColumns, {0}},  {kLongColumns, {1}},
          {kLongRows, {-1}}, {kManyWideRows, {1}}, {kManyColumns, {0}}};
}

/// The textbook reduction: walks the input and collects what belongs to each result.
inline Tensor reduce_reference(const Tensor& x, const ReductionCase& c, const RowReference& f,
                               DType dtype = DType::kFloat64) {
  std::vector<bool> reduced(static_cast<std::size_t>(x.rank()), c.axes.empty());
  for (std::int64_t a : c.axes) {
    reduced[static_cast<std::size_t>(a < 0 ? a + x.rank() : a)] = true;
  }
  Shape shape;
  std::int64_t results = 1;
  for (int d = 0; d < x.rank(); ++d) {
    if (!reduced[static_cast<std::size_t>(d)]) {
      shape.push_back(x.shape()[d]);
      results *= x.shape()[d];
    } else if (c.keepdims) {
      shape.push_back(1);
    }
  }
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(results));
  const std::vector<double> values = x.to_vector<double>();
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    std::int64_t rest = i, group = 0, step = 1;
    for (int d = x.rank() - 1; d >= 0; --d) {
      const std::int64_t index = rest % x.shape()[d];
      rest /= x.shape()[d];
      if (reduced[static_cast<std::size_t>(d)]) continue;
      group += index * step;
      step *= x.shape()[d];
    }
    groups[static_cast<std::size_t>(group)].push_back(values[static_cast<std::size_t>(i)]);
  }
  std::vector<double> out;
  for (const auto& group : groups) out.push_back(f(group));
  return Tensor::from(out, shape).to(dtype);
}

inline Sample reduction_sample(const ReductionCase& c, Tensor input, const ReductionCall& call,
                               const RowReference& reference, DType dtype = DType::kFloat64) {
  Sample sample;
  sample.name = to_string(input.dtype(), c.shape) + " over " +
                (c.axes.empty() ? "all" : to_string(c.axes.span())) + (c.keepdims ? " kept" : "");
  sample.inputs = {std::move(input)};
  sample.call = [call, c](std::span<const Var> x) {
    return std::vector<Var>{call(x[0], c.axes, c.keepdims)};
  };
  sample.reference = [c, reference, dtype](std::span<const Tensor> x) {
    return std::vector<Tensor>{reduce_reference(x[0], c, reference, dtype)};
  };
  sample.smooth = is_floating(dtype);
  return sample;
}

/// Samples over [low, high] for reduction_cases(), and over no elements if `empty` says so.
inline std::vector<Sample> reduction_samples(const ReductionCall& call,
                                             const RowReference& reference, double low, double high,
                                             bool empty, DType dtype = DType::kFloat64) {
  std::vector<Sample> samples;
  auto cases = reduction_cases();
  cases.push_back({{0, 3}, {1}});
  if (empty) {
    cases.push_back({{0}, {}});
    cases.push_back({{3, 0}, {1}, true});
  }
  int seed = 0;
  for (const ReductionCase& c : cases) {
    samples.push_back(
        reduction_sample(c, spread(c.shape, low, high, ++seed), call, reference, dtype));
  }
  return samples;
}

/// Samples over [low, high] for long_reduction_cases(); errors grow like the root of the length.
inline void add_long_samples(OpTests& tests, const ReductionCall& call,
                             const RowReference& reference, double low, double high, double scale,
                             double step = 1e-3, DType dtype = DType::kFloat64) {
  for (const ReductionCase& c : long_reduction_cases()) {
    tests.samples.push_back(
        reduction_sample(c, spread(c.shape, low, high), call, reference, dtype));
    tests.samples.back().scale = scale;
    tests.samples.back().step = step;
  }
}

/// Axis out of range, an axis twice, an empty Var: what every reduction rejects.
inline std::vector<Rejected> reduction_rejected(const ReductionCall& call) {
  const auto x = [] { return Var(Tensor::zeros({2, 3}, DType::kFloat32)); };
  return {{"axis out of range", [=] { return call(x(), {2}, false); }, ErrorKind::kAxis,
           "axis 2 is out of range for rank 2"},
          {"negative axis out of range", [=] { return call(x(), {-3}, false); }, ErrorKind::kAxis,
           "axis -3 is out of range for rank 2"},
          {"axis twice",
           [=] {
             return call(x(), {1, -1}, false);
           },
           ErrorKind::kAxis, "axis -1 is named twice in [1,-1]"},
          {"empty", [=] { return call(Var(), {}, false); }, ErrorKind::kGraph,
           "input 0 is an empty Var"}};
}

/// A sample with inputs and results written down: kinks, infinities, zeros, integers.
inline Sample fixed_sample(std::string name, std::vector<Tensor> inputs,
                           std::function<std::vector<Var>(std::span<const Var>)> call,
                           std::vector<Tensor> expected, bool smooth = false) {
  Sample sample;
  sample.name = std::move(name);
  sample.inputs = std::move(inputs);
  sample.call = std::move(call);
  sample.reference = [expected](std::span<const Tensor>) { return expected; };
  sample.smooth = smooth;
  return sample;
}

/// A sample whose one result is ∂(Σ call(x))/∂x at x: gradients that are written down.
inline Sample gradient_sample(std::string name, Tensor x, std::function<Var(const Var&)> call,
                              std::vector<double> expected) {
  const Shape shape = x.shape();
  return fixed_sample("gradient " + std::move(name), {std::move(x)},
                      [call](std::span<const Var> in) {
                        Tape tape;
                        const Var point = variable(in[0].value());
                        return std::vector<Var>{grad(sum(call(point)), point).value()};
                      },
                      {Tensor::from(expected, shape)});
}

}  // namespace wengert::testing
