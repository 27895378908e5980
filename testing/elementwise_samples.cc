#include <utility>

#include "wengert/ops/testing.h"

namespace wengert::testing {
namespace {

constexpr DType kIntegers[] = {DType::kInt32, DType::kInt64, DType::kUint8};

Var call(UnaryCall op, const Var& x) { return op(x, std::source_location::current()); }
Var call(BinaryCall op, const Var& a, const Var& b) {
  return op(a, b, std::source_location::current());
}

Sample value_sample(std::string name, std::vector<Tensor> inputs) {
  Sample sample;
  sample.name = std::move(name);
  sample.inputs = std::move(inputs);
  sample.smooth = false;
  return sample;
}

/// Numbers of both signs; for uint8 such that squares and sums wrap around.
Tensor integers(DType dtype) {
  if (dtype == DType::kUint8) return Tensor::from<std::uint8_t>({0, 1, 2, 3, 100, 254, 255}, {7});
  return Tensor::from<std::int64_t>({-7, -3, -1, 0, 1, 2, 1000}, {7}).to(dtype);
}

Tensor divisors(DType dtype) {
  if (dtype == DType::kUint8) return Tensor::from<std::uint8_t>({1, 2, 3, 7, 255}, {5, 1});
  return Tensor::from<std::int64_t>({-5, -2, -1, 1, 3}, {5, 1}).to(dtype);
}

/// The two operands of a comparison in one dtype: every pair of its telling values.
std::vector<Tensor> telling_pairs(DType dtype) {
  Tensor row;
  if (dtype == DType::kBool) {
    row = Tensor::from<bool>({false, true}, {2});
  } else if (dtype == DType::kUint8) {
    row = integers(dtype);
  } else if (is_floating(dtype)) {
    row = Tensor::from<double>({-kInfinity, -1.5, -0.0, 0.0, 1.5, kInfinity, kNan}, {7}).to(dtype);
  } else {
    row = integers(dtype);
  }
  return {row, row.reshaped({row.element_count(), 1})};
}

}  // namespace

void add_integer_samples(OpTests& tests, UnaryCall op, double (*reference)(double)) {
  for (DType dtype : kIntegers) {
    Sample sample = value_sample(std::string(name_of(dtype)), {integers(dtype)});
    sample.call = [op](std::span<const Var> x) { return std::vector<Var>{call(op, x[0])}; };
    sample.reference = [reference, dtype](std::span<const Tensor> x) {
      const auto f = [reference](std::span<const double> v) { return reference(v[0]); };
      return std::vector<Tensor>{map(x, f, DType::kInt64).to(dtype)};
    };
    tests.samples.push_back(sample);
    sample.name += " long";
    sample.inputs[0] = resampled(sample.inputs[0], kLongVector);
    tests.samples.push_back(std::move(sample));
  }
}

void add_integer_samples(OpTests& tests, BinaryCall op, double (*reference)(double, double)) {
  for (DType dtype : kIntegers) {
    Sample sample = value_sample(std::string(name_of(dtype)), {integers(dtype), divisors(dtype)});
    sample.call = [op](std::span<const Var> x) { return std::vector<Var>{call(op, x[0], x[1])}; };
    sample.reference = [reference, dtype](std::span<const Tensor> x) {
      const auto f = [reference](std::span<const double> v) { return reference(v[0], v[1]); };
      return std::vector<Tensor>{map(x, f, DType::kInt64).to(dtype)};
    };
    tests.samples.push_back(sample);
    sample.name += " long";
    sample.inputs[0] = resampled(sample.inputs[0], kLongVector);
    sample.inputs[1] = resampled(sample.inputs[1], kLongVector, 7);
    tests.samples.push_back(std::move(sample));
  }
}

OpTests comparison_tests(BinaryCall op, bool (*reference)(double, double)) {
  const auto truth = [reference](std::span<const Tensor> x) {
    const auto f = [reference](std::span<const double> v) {
      return reference(v[0], v[1]) ? 1.0 : 0;
    };
    return std::vector<Tensor>{map(x, f, DType::kBool)};
  };
  const auto unused = [](double, double) { return 0.0; };
  OpTests tests = binary_tests(op, unused, -2.0, 2.0, -2.0, 2.0);
  tests.order = 0;
  for (Sample& sample : tests.samples) {
    sample.reference = truth;
    sample.smooth = false;
  }
  for (DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64, DType::kUint8,
                      DType::kBool}) {
    Sample sample = value_sample("pairs of " + std::string(name_of(dtype)), telling_pairs(dtype));
    sample.call = [op](std::span<const Var> x) { return std::vector<Var>{call(op, x[0], x[1])}; };
    sample.reference = truth;
    tests.samples.push_back(sample);
    sample.name += " long";
    const Tensor row = sample.inputs[0];
    sample.inputs = {resampled(row, kLongVector), resampled(row, kLongVector, 7)};
    tests.samples.push_back(std::move(sample));
  }
  tests.rejected = broadcast_rejections(op);
  return tests;
}

std::vector<Rejected> float_rejections(UnaryCall op) {
  return {{"int32",
           [op] {
             return call(op, Tensor::from({1, 2}, {2}));
           },
           ErrorKind::kDType, "not defined for i32[2]"},
          {"bool", [op] { return call(op, Tensor::full({3}, 1, DType::kBool)); }, ErrorKind::kDType,
           "not defined for bool[3]"},
          {"empty Var", [op] { return call(op, Var()); }, ErrorKind::kGraph,
           "input 0 is an empty Var"}};
}

std::vector<Rejected> number_rejections(UnaryCall op) {
  return {{"bool", [op] { return call(op, Tensor::full({3}, 1, DType::kBool)); }, ErrorKind::kDType,
           "not defined for bool[3]"},
          {"bool without elements",
           [op] {
             return call(op, Tensor::zeros({2, 0}, DType::kBool));
           },
           ErrorKind::kDType, "not defined for bool[2,0]"},
          {"empty Var", [op] { return call(op, Var()); }, ErrorKind::kGraph,
           "input 0 is an empty Var"}};
}

std::vector<Rejected> broadcast_rejections(BinaryCall op) {
  const Tensor two = Tensor::full({2}, 1, DType::kFloat32);
  return {{"sizes",
           [=] {
             return call(op, two, Tensor::full({3, 3}, 1, DType::kFloat32));
           },
           ErrorKind::kShape, "shapes do not broadcast: f32[2] and f32[3,3] (2 vs 3)"},
          {"mixed dtypes", [=] { return call(op, two, Tensor::full({2}, 1, DType::kFloat64)); },
           ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"},
          {"first operand empty", [=] { return call(op, Var(), two); }, ErrorKind::kGraph,
           "input 0 is an empty Var"},
          {"second operand empty", [=] { return call(op, two, Var()); }, ErrorKind::kGraph,
           "input 1 is an empty Var"}};
}

std::vector<Rejected> number_rejections(BinaryCall op) {
  std::vector<Rejected> all = broadcast_rejections(op);
  const Tensor bools = Tensor::full({3}, 1, DType::kBool);
  all.push_back({"bool", [=] { return call(op, bools, bools); }, ErrorKind::kDType,
                 "not defined for bool[3]"});
  return all;
}

std::vector<Rejected> float_rejections(BinaryCall op) {
  std::vector<Rejected> all = number_rejections(op);
  const Tensor integers = Tensor::from({1, 2}, {2});
  all.push_back({"int32", [=] { return call(op, integers, integers); }, ErrorKind::kDType,
                 "not defined for i32[2]"});
  return all;
}

}  // namespace wengert::testing
