#pragma once

// Private to the library.

#include <cmath>
#include <functional>
#include <source_location>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wengert/ops/loss/loss_tests.h"

// Samples of losses of single elements for the testing library.
namespace wengert::testing {

using ElementLoss = std::function<Var(const Var& prediction, const Var& target, Reduction,
                                      const Var& weights, std::source_location)>;

/// An interval that samples are drawn from.
struct Interval {
  double low, high;
};

/// Every reduction, with weights and without, over predictions and targets in [low, high], beside
/// `loss` of one element; and what such a loss rejects.
inline OpTests loss_of_elements_tests(const ElementLoss& f,
                                      const std::function<double(double, double)>& loss, double low,
                                      double high, Interval predictions = {-3, 3}) {
  OpTests tests;
  int seed = 0;
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 4}, Shape{0, 2}, kLongVector}) {
    for (Reduction reduction : kReductions) {
      for (const bool weighted : {false, true}) {
        const bool is_long = element_count(shape) > 1000;  // takes time: one of the two
        if (is_long && weighted == (reduction == Reduction::kSum)) continue;
        const Tensor weights = weighted ? some_weights(shape, seed) : Tensor();
        Sample sample;
        sample.name = to_string(shape) + " " + std::string(name_of(reduction)) +
                      (weighted ? " weighted" : "");
        sample.inputs = {spread(shape, predictions.low, predictions.high, ++seed),
                         spread(shape, low, high, seed + 50)};
        sample.call = [=](std::span<const Var> x) {
          const Var w = weighted ? Var(weights.to(x[0].dtype())) : Var();
          return std::vector<Var>{f(x[0], x[1], reduction, w, std::source_location::current())};
        };
        sample.reference = [=](std::span<const Tensor> x) {
          std::vector<double> losses;
          for (std::int64_t i = 0; i < x[0].element_count(); ++i) {
            losses.push_back(loss(x[0].at(i), x[1].at(i)));
          }
          return std::vector<Tensor>{
              reduced(losses, x[0].shape(), reduction,
                      weighted ? weights.to_vector<double>() : std::vector<double>{})};
        };
        sample.scale = 1;
        tests.samples.push_back(std::move(sample));
      }
    }
  }
  const auto call = [f](const Tensor& a, const Tensor& b, const Var& weights = {}) {
    return [=] { (void)f(a, b, Reduction::kMean, weights, std::source_location::current()); };
  };
  const auto zeros = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Tensor::zeros(shape, dtype);
  };
  tests.rejected = {{"shapes", call(zeros({2, 3}), zeros({3})), ErrorKind::kShape,
                     "shapes differ: f32[2,3] and f32[3]"},
                    {"dtypes", call(zeros({2}), zeros({2}, DType::kFloat64)), ErrorKind::kDType,
                     "mixed dtypes: f32[2] and f64[2]"},
                    {"integers", call(zeros({2}, DType::kInt32), zeros({2}, DType::kInt32)),
                     ErrorKind::kDType, "needs float32 or float64, got i32[2]"},
                    {"weights' shape", call(zeros({2}), zeros({2}), zeros({3})), ErrorKind::kShape,
                     "the weights are f32[3] for losses of shape [2]"},
                    {"weights' dtype", call(zeros({2}), zeros({2}), zeros({2}, DType::kFloat64)),
                     ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

/// Marks samples in which some element lies within 0.02 of a kink: kink(prediction, target) is its
/// distance from there.
inline void mark_kinks(OpTests& tests, const std::function<double(double, double)>& kink) {
  for (Sample& sample : tests.samples) {
    for (std::int64_t i = 0; i < sample.inputs[0].element_count(); ++i) {
      const double distance = kink(sample.inputs[0].at(i), sample.inputs[1].at(i));
      if (std::fabs(distance) < 2e-2) sample.smooth = false;
    }
  }
}

}  // namespace wengert::testing
