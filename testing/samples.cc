#include <algorithm>

#include "wengert/testing/checker.h"

namespace wengert::testing {

Tensor spread(const Shape& shape, double low, double high, int seed) {
  const std::int64_t count = element_count(shape);
  std::vector<double> values(static_cast<std::size_t>(count));
  // Multiples of the golden ratio modulo 1 are evenly spread and never repeat.
  constexpr double kGolden = 0.61803398874989485;
  for (std::int64_t i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) * kGolden + seed * 0.137;
    values[static_cast<std::size_t>(i)] = low + (high - low) * (0.01 + 0.98 * (t - std::floor(t)));
  }
  return Tensor::from(values, shape);
}

Tensor map(std::span<const Tensor> inputs, const std::function<double(std::span<const double>)>& f,
           DType result) {
  Shape shape;
  for (const Tensor& input : inputs) {
    while (shape.size() < input.rank()) shape.insert(0, 1);
    const int lead = shape.size() - input.rank();
    for (int d = 0; d < input.rank(); ++d) {
      if (shape[lead + d] == 1) shape[lead + d] = input.shape()[d];
    }
  }
  const std::int64_t count = element_count(shape);
  std::vector<double> out, arguments(inputs.size());
  std::vector<std::vector<double>> values;
  for (const Tensor& input : inputs) values.push_back(input.to_vector<double>());
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Tensor& input = inputs[k];
      if (input.shape() == shape) {
        arguments[k] = values[k][static_cast<std::size_t>(i)];
        continue;
      }
      std::int64_t rest = i, position = 0, step = 1;
      for (int d = shape.size() - 1; d >= 0; --d) {
        const std::int64_t index = rest % shape[d];
        rest /= shape[d];
        const int at = d - (shape.size() - input.rank());
        if (at < 0) continue;
        if (input.shape()[at] != 1) position += index * step;
        step *= input.shape()[at];
      }
      arguments[k] = values[k][static_cast<std::size_t>(position)];
    }
    out.push_back(f(arguments));
  }
  return Tensor::from(out, shape).to(result);
}

bool Sample::large() const {
  std::int64_t count = 0;
  for (const Tensor& input : inputs) count += input.element_count();
  return count > kLargeElements;
}

Tensor resampled(const Tensor& tensor, const Shape& shape, int seed) {
  const std::vector<double> from = tensor.to_vector<double>();
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    const std::uint64_t mixed = static_cast<std::uint64_t>(i + seed) * 0x9e3779b97f4a7c15u;
    values.push_back(from[(mixed >> 32) % from.size()]);
  }
  return Tensor::from(values, shape).to(tensor.dtype());
}

std::vector<Sample> tiled(const Sample& sample) {
  const Shape* shape = nullptr;
  for (const Tensor& input : sample.inputs) {
    if (input.rank() == 0) continue;
    if (shape != nullptr && !(*shape == input.shape())) return {};
    shape = &input.shape();
  }
  if (!sample.smooth || shape == nullptr || element_count(*shape) == 0) return {};
  std::vector<Sample> result;
  for (const Shape& to : {kLongVector, kLongColumns}) {
    Sample large = sample;
    large.name += " tiled to " + to_string(to);
    for (Tensor& input : large.inputs) {
      if (input.rank() > 0) input = resampled(input, to);
    }
    result.push_back(std::move(large));
  }
  return result;
}

OpTests unary_tests(Var (*op)(const Var&, std::source_location), double (*reference)(double),
                    double low, double high) {
  OpTests tests;
  int seed = 0;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{37}, Shape{3, 5}, Shape{2, 1, 4}, Shape{0},
                             Shape{2, 0, 3}, kLongVector, kLongColumns}) {
    Sample sample;
    sample.name = to_string(shape);
    sample.inputs = {spread(shape, low, high, ++seed)};
    sample.call = [op](std::span<const Var> x) {
      return std::vector<Var>{op(x[0], std::source_location::current())};
    };
    sample.reference = [reference](std::span<const Tensor> x) {
      return std::vector<Tensor>{
          map(x, [reference](std::span<const double> v) { return reference(v[0]); })};
    };
    tests.samples.push_back(std::move(sample));
  }
  return tests;
}

void add_range(OpTests& tests, Var (*op)(const Var&, std::source_location),
               double (*reference)(double), double low, double high) {
  for (Sample& sample : unary_tests(op, reference, low, high).samples) {
    if (!sample.large()) tests.samples.push_back(std::move(sample));
  }
}

void add_values(OpTests& tests, Var (*op)(const Var&, std::source_location),
                double (*reference)(double), double low, double high) {
  for (Sample& sample : unary_tests(op, reference, low, high).samples) {
    if (sample.inputs[0].element_count() < 2) continue;
    sample.name += " across";
    sample.smooth = false;
    tests.samples.push_back(std::move(sample));
  }
}

void alternate_signs(OpTests& tests) {
  for (Sample& sample : tests.samples) {
    std::vector<double> values = sample.inputs[0].to_vector<double>();
    for (std::size_t i = 1; i < values.size(); i += 2) values[i] = -values[i];
    sample.inputs[0] = Tensor::from(values, sample.inputs[0].shape());
  }
}

OpTests binary_tests(Var (*op)(const Var&, const Var&, std::source_location),
                     double (*reference)(double, double), double low_a, double high_a, double low_b,
                     double high_b) {
  OpTests tests;
  const std::pair<Shape, Shape> patterns[] = {{{}, {}},
                                              {{4, 5}, {4, 5}},
                                              {{3, 4}, {}},
                                              {{}, {3, 4}},
                                              {{3, 4}, {4}},
                                              {{4}, {3, 4}},
                                              {{3, 1}, {1, 4}},
                                              {{3, 1}, {3, 4}},
                                              {{2, 3, 1}, {3, 5}},
                                              {{1}, {19}},
                                              {{0, 3}, {3}},
                                              {{2, 0}, {1, 1}},
                                              {kLongVector, kLongVector},
                                              {{24001, 1}, {1, 3}},
                                              {{2, kLongVector[0]}, kLongVector},
                                              {kManyWideRows, {kManyWideRows[0], 1}},
                                              {{200, 700}, {200, 700}},
                                              {kManyColumns, {kManyColumns[1]}}};
  int seed = 0;
  for (const auto& [a, b] : patterns) {
    Sample sample;
    sample.name = to_string(a) + " with " + to_string(b);
    sample.inputs = {spread(a, low_a, high_a, ++seed), spread(b, low_b, high_b, seed + 100)};
    sample.call = [op](std::span<const Var> x) {
      return std::vector<Var>{op(x[0], x[1], std::source_location::current())};
    };
    sample.reference = [reference](std::span<const Tensor> x) {
      return std::vector<Tensor>{
          map(x, [reference](std::span<const double> v) { return reference(v[0], v[1]); })};
    };
    tests.samples.push_back(std::move(sample));
  }
  return tests;
}

}  // namespace wengert::testing
