#pragma once

// Private to the library.

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "wengert/ops/testing.h"

// The tests of ops that make tensors, for the testing library; part of creation.cc.
namespace {

using namespace wengert;
using namespace wengert::testing;

/// A sample without inputs whose result is written down.
Sample made(std::string name, std::function<Var()> call, Tensor expected) {
  Sample sample;
  sample.name = std::move(name);
  sample.call = [call](std::span<const Var>) { return std::vector<Var>{call()}; };
  sample.reference = [expected](std::span<const Tensor>) { return std::vector<Tensor>{expected}; };
  sample.smooth = false;
  return sample;
}

const DType kAllDTypes[] = {DType::kFloat32, DType::kFloat64, DType::kInt32,
                            DType::kInt64,   DType::kUint8,   DType::kBool};

using FillCall = std::function<Var(const Shape&, DType)>;

OpTests fill_tests(const FillCall& call, double value) {
  OpTests tests;
  for (DType dtype : kAllDTypes) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0}, Shape{3, 0, 2}}) {
      const std::vector<double> values(static_cast<std::size_t>(element_count(shape)), value);
      tests.samples.push_back(made(
          to_string(dtype, shape), [=] { return call(shape, dtype); },
          Tensor::from(values, shape).to(dtype)));
    }
  }
  const std::int64_t huge = std::int64_t{1} << 40;
  tests.rejected = {
      {"negative size",
       [=] {
         return call({2, -1}, DType::kFloat32);
       },
       ErrorKind::kShape, "negative size in [2,-1]"},
      {"overflow",
       [=] {
         return call({huge, huge}, DType::kFloat32);
       },
       ErrorKind::kShape, "the product of [1099511627776,1099511627776] overflows 64 bits"},
      {"overflow of bytes", [=] { return call({std::int64_t{1} << 60}, DType::kFloat64); },
       ErrorKind::kShape, "f64[1152921504606846976] needs more than 2⁶³ − 1 bytes"}};
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

OpTests like_tests(const std::function<Var(const Var&)>& call, double value) {
  OpTests tests;
  for (DType dtype : kAllDTypes) {
    for (const Shape& shape : {Shape{}, Shape{2, 3}, Shape{0, 2}}) {
      Sample sample;
      sample.name = to_string(dtype, shape);
      sample.inputs = {spread(shape, 0, 9).to(dtype)};
      sample.call = [call](std::span<const Var> x) { return std::vector<Var>{call(x[0])}; };
      const std::vector<double> values(static_cast<std::size_t>(element_count(shape)), value);
      const Tensor expected = Tensor::from(values, shape).to(dtype);
      sample.reference = [expected](std::span<const Tensor>) {
        return std::vector<Tensor>{expected};
      };
      sample.smooth = false;
      tests.samples.push_back(std::move(sample));
    }
  }
  tests.rejected = {
      {"empty", [call] { return call(Var()); }, ErrorKind::kGraph, "input 0 is an empty Var"}};
  tests.exempt = "every tensor is accepted";
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(constant) {
  OpTests tests;
  for (DType dtype : kAllDTypes) {
    const Tensor value = spread({2, 3}, 0, 3).to(dtype);
    tests.samples.push_back(made(
        to_string(dtype, value.shape()), [=] { return constant(value); }, value));
  }
  tests.exempt = "every tensor is accepted";
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

WENGERT_OP_TESTS(zeros) {
  return fill_tests([](const Shape& shape, DType dtype) { return zeros(shape, dtype); }, 0);
}

WENGERT_OP_TESTS(ones) {
  return fill_tests([](const Shape& shape, DType dtype) { return ones(shape, dtype); }, 1);
}

WENGERT_OP_TESTS(full) {
  OpTests tests =
      fill_tests([](const Shape& shape, DType dtype) { return full(shape, 1, dtype); }, 1);
  tests.samples.push_back(made(
      "-1.5", [] { return full({2}, -1.5); }, Tensor::from({-1.5f, -1.5f}, {2})));
  tests.samples.push_back(made(
      "NaN", [] { return full({}, kNan); }, Tensor::scalar(static_cast<float>(kNan))));
  tests.samples.push_back(made(
      "lowest", [] { return full({}, -0x1p63, DType::kInt64); },
      Tensor::scalar(std::numeric_limits<std::int64_t>::min())));
  const auto bad = [](double value, DType dtype) {
    return [=] { return full({2}, value, dtype); };
  };
  tests.rejected.push_back(
      {"fraction", bad(1.5, DType::kInt32), ErrorKind::kValue, "value 1.5 is no int32"});
  tests.rejected.push_back(
      {"too large", bad(256, DType::kUint8), ErrorKind::kValue, "value 256 is no uint8"});
  tests.rejected.push_back(
      {"2 as bool", bad(2, DType::kBool), ErrorKind::kValue, "value 2 is no bool"});
  tests.rejected.push_back(
      {"NaN as integer", bad(kNan, DType::kInt64), ErrorKind::kValue, "value nan is no int64"});
  return tests;
}

WENGERT_OP_TESTS(arange) {
  OpTests tests;
  const auto add = [&](double start, double stop, double step, DType dtype,
                       std::vector<double> expected) {
    const Shape shape = {static_cast<std::int64_t>(expected.size())};
    tests.samples.push_back(made(
        std::to_string(start) + " to " + std::to_string(stop) + " by " + std::to_string(step),
        [=] { return arange(start, stop, step, dtype); }, Tensor::from(expected, shape).to(dtype)));
  };
  add(0, 4, 1, DType::kFloat32, {0, 1, 2, 3});
  add(0, 1, .25, DType::kFloat64, {0, .25, .5, .75});
  add(0, 1.1, .25, DType::kFloat64, {0, .25, .5, .75, 1});
  add(3, 0, -1, DType::kInt32, {3, 2, 1});
  add(5, 0, -2, DType::kInt64, {5, 3, 1});
  add(250, 256, 2, DType::kUint8, {250, 252, 254});
  add(2, 2, 1, DType::kFloat32, {});
  add(0, 4, -1, DType::kInt32, {});
  const auto bad = [](double start, double stop, double step, DType dtype = DType::kFloat32) {
    return [=] { return arange(start, stop, step, dtype); };
  };
  tests.rejected = {
      {"step 0", bad(0, 1, 0), ErrorKind::kValue, "step must be finite and not 0, got 0"},
      {"step NaN", bad(0, 1, kNan), ErrorKind::kValue, "step must be finite and not 0, got nan"},
      {"infinite", bad(0, kInfinity, 1), ErrorKind::kValue, "ends must be finite, got 0 and inf"},
      {"too many", bad(0, 1, 1e-300), ErrorKind::kValue,
       "too many elements: from 0 to 1 by 1e-300"},
      {"fraction", bad(0, 4, .5, DType::kInt32), ErrorKind::kValue, "step 0.5 is not whole"},
      {"too large", bad(250, 260, 1, DType::kUint8), ErrorKind::kValue,
       "the last element 259 is no uint8"},
      {"bool", bad(0, 2, 1, DType::kBool), ErrorKind::kDType, "bool has no ranges"}};
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

WENGERT_OP_TESTS(linspace) {
  OpTests tests;
  const auto add = [&](double start, double stop, std::vector<double> expected, DType dtype) {
    const auto count = static_cast<std::int64_t>(expected.size());
    tests.samples.push_back(made(
        std::to_string(start) + " to " + std::to_string(stop),
        [=] { return linspace(start, stop, count, dtype); },
        Tensor::from(expected, {count}).to(dtype)));
  };
  for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
    add(0, 1, {0, .25, .5, .75, 1}, dtype);
    add(1, -1, {1, 0, -1}, dtype);
    add(0.1, 0.7, {0.1, 0.7}, dtype);
    add(3, 9, {3}, dtype);
    add(3, 9, {}, dtype);
    add(-1e308, 1e308, {-1e308, 0, 1e308}, DType::kFloat64);
  }
  tests.rejected = {
      {"negative", [] { return linspace(0, 1, -1); }, ErrorKind::kShape, "negative count -1"},
      {"infinite", [] { return linspace(0, kInfinity, 3); }, ErrorKind::kValue,
       "ends must be finite, got 0 and inf"},
      {"integers", [] { return linspace(0, 1, 3, DType::kInt32); }, ErrorKind::kDType,
       "the result must be float32 or float64, not int32"},
      {"too many", [] { return linspace(0, 1, INT64_MAX); }, ErrorKind::kShape,
       "f32[9223372036854775807] needs more than 2⁶³ − 1 bytes"}};
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

WENGERT_OP_TESTS(eye) {
  OpTests tests;
  for (DType dtype : kAllDTypes) {
    tests.samples.push_back(made(
        "square", [=] { return eye(2, -1, dtype); },
        Tensor::from({1., 0., 0., 1.}, {2, 2}).to(dtype)));
    tests.samples.push_back(made(
        "wide", [=] { return eye(2, 3, dtype); },
        Tensor::from({1., 0., 0., 0., 1., 0.}, {2, 3}).to(dtype)));
    tests.samples.push_back(made(
        "tall", [=] { return eye(3, 1, dtype); }, Tensor::from({1., 0., 0.}, {3, 1}).to(dtype)));
  }
  tests.samples.push_back(made(
      "empty", [] { return eye(0); }, Tensor::zeros({0, 0}, DType::kFloat32)));
  tests.rejected = {
      {"rows", [] { return eye(-1); }, ErrorKind::kShape, "negative size in [-1,-1]"},
      {"columns", [] { return eye(2, -2); }, ErrorKind::kShape, "negative size in [2,-2]"},
      {"overflow", [] { return eye(std::int64_t{1} << 40); }, ErrorKind::kShape,
       "the product of [1099511627776,1099511627776] overflows 64 bits"}};
  tests.order = 0;
  tests.small_only = "one loop over its results, without inputs to be large";
  return tests;
}

WENGERT_OP_TESTS(zeros_like) {
  return like_tests([](const Var& x) { return zeros_like(x); }, 0);
}

WENGERT_OP_TESTS(ones_like) {
  return like_tests([](const Var& x) { return ones_like(x); }, 1);
}
