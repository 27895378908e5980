#pragma once

// Private to the library.

#include <algorithm>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "wengert/ops/loss/class_options.h"
#include "wengert/ops/loss/loss_tests.h"
#include "wengert/ops/reduction/reduction_tests.h"

// Samples of losses over classes for the testing library.
namespace wengert::testing {

/// A loss over classes, and the scores h of a row as textbooks say them, in long double.
struct ClassLoss {
  using Call = Var (*)(const Var&, const Var&, Reduction, const ClassOptions&,
                       std::source_location);
  Call call;
  std::vector<long double> (*scores)(std::span<const double> row);
  double low, high;  ///< what rows are drawn from
};

/// The losses of the rows, −Σ q·h, and what each counts in the mean.
struct RowLosses {
  std::vector<double> losses, counted;
};
inline RowLosses row_losses(const ClassLoss& f, const Tensor& x, const Tensor& t,
                            const ClassOptions& options) {
  const std::int64_t classes = x.size(-1);
  RowLosses rows;
  const auto class_weight = [&](std::int64_t j) {
    return options.class_weights.has_value() ? options.class_weights.value().at(j) : 1;
  };
  const double kept = 1 - options.label_smoothing;
  for (std::int64_t r = 0; r < x.element_count() / std::max<std::int64_t>(1, classes); ++r) {
    const bool floats = is_floating(t.dtype());
    if (!floats && options.ignore_index && t.at(r) == static_cast<double>(*options.ignore_index)) {
      rows.losses.push_back(0);
      rows.counted.push_back(0);
      continue;
    }
    long double loss = 0;
    std::vector<double> row;
    for (std::int64_t j = 0; j < classes; ++j) row.push_back(x.at(r * classes + j));
    const std::vector<long double> scores = f.scores(row);
    for (std::int64_t j = 0; j < classes; ++j) {
      const double stated = floats ? t.at(r * classes + j) : (t.at(r) == static_cast<double>(j));
      const double weight = class_weight(j) * (kept * stated + options.label_smoothing /
                                                                   static_cast<double>(classes));
      if (weight != 0) loss -= weight * scores[static_cast<std::size_t>(j)];
    }
    rows.losses.push_back(static_cast<double>(loss));
    rows.counted.push_back(floats ? 1 : class_weight(static_cast<std::int64_t>(t.at(r))));
  }
  return rows;
}

inline Sample class_loss_sample(const ClassLoss& f, const Tensor& x, const Tensor& t,
                                Reduction reduction, const ClassOptions& options = {},
                                const std::string& told = {}) {
  Sample sample;
  sample.name = to_string(x.shape()) + " at " + to_string(t.dtype(), t.shape()) + " " +
                std::string(name_of(reduction)) + told;
  sample.inputs = {x, t};
  sample.call = [=](std::span<const Var> in) {
    ClassOptions given = options;
    for (Var* weights : {&given.class_weights, &given.weights}) {
      if (weights->has_value()) *weights = weights->value().to(in[0].dtype());
    }
    return std::vector<Var>{
        f.call(in[0], in[1], reduction, given, std::source_location::current())};
  };
  sample.reference = [=](std::span<const Tensor> in) {
    Shape batch = in[0].shape();
    batch.erase(batch.size() - 1);
    const RowLosses rows = row_losses(f, in[0], in[1], options);
    std::vector<double> weights;
    if (options.weights.has_value()) weights = options.weights.value().to_vector<double>();
    return std::vector<Tensor>{reduced(rows.losses, batch, reduction, weights, rows.counted)};
  };
  sample.scale = 8;
  return sample;
}

/// Every way to tell the loss more, alone and together.
inline void add_told_samples(OpTests& tests, const ClassLoss& f) {
  const Shape shape{5, 4};
  const Tensor x = spread(shape, f.low, f.high, 91), probabilities = spread(shape, 0, 1, 92);
  const Tensor classes = Tensor::from<std::int64_t>({2, 0, 3, -7, 2}, {5});
  const Tensor unmasked = Tensor::from<std::int64_t>({2, 0, 3, 1, 2}, {5});
  const Tensor of_classes = Tensor::from({0.5, 2., 0., 1.5}, {4});
  const Tensor of_rows = Tensor::from({1., 0., 2., 0.25, 3.}, {5});
  for (Reduction reduction : kReductions) {
    const auto add = [&](const Tensor& t, const ClassOptions& options, const std::string& told) {
      tests.samples.push_back(class_loss_sample(f, x, t, reduction, options, told));
    };
    for (const double smoothing : {0.0, 0.2}) {
      const std::string smooth = smoothing == 0 ? "" : " smoothed";
      add(classes, {.ignore_index = -7, .label_smoothing = smoothing}, " ignoring" + smooth);
      add(unmasked, {.class_weights = of_classes, .label_smoothing = smoothing},
          " weighing classes" + smooth);
      add(unmasked, {.weights = of_rows, .label_smoothing = smoothing}, " weighing rows" + smooth);
      add(classes,
          {.class_weights = of_classes,
           .weights = of_rows,
           .ignore_index = -7,
           .label_smoothing = smoothing},
          " told all" + smooth);
      add(probabilities,
          {.class_weights = of_classes, .weights = of_rows, .label_smoothing = smoothing},
          " told all" + smooth);
    }
  }
  const Tensor many = spread(kLongColumns, f.low, f.high, 93);
  tests.samples.push_back(class_loss_sample(
      f, many, spread({kLongColumns[0]}, 0, 3, 94).to(DType::kInt64), Reduction::kMean,
      {.weights = spread({kLongColumns[0]}, 0.5, 2, 95), .ignore_index = 1, .label_smoothing = 0.1},
      " told all"));
}

/// Every dtype of classes, probabilities, every reduction and everything that such a loss may be
/// told; and what it rejects.
inline OpTests class_loss_tests(const ClassLoss& f) {
  OpTests tests;
  int seed = 0;
  for (const Shape& shape :
       {Shape{5}, Shape{1, 1}, Shape{20, 3}, Shape{2, 3, 4}, Shape{2, 70}, Shape{0, 3}}) {
    Shape batch = shape;
    batch.erase(batch.size() - 1);
    const auto classes = static_cast<double>(shape[shape.size() - 1]);
    for (Reduction reduction : kReductions) {
      const Tensor x = spread(shape, f.low, f.high, ++seed);
      for (DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
        tests.samples.push_back(
            class_loss_sample(f, x, spread(batch, 0, classes, seed).to(dtype), reduction));
      }
      tests.samples.push_back(class_loss_sample(f, x, spread(shape, 0, 1, seed + 50), reduction));
    }
  }
  for (const Shape& shape : {kLongColumns, Shape{150, 70}, kLongRows}) {
    const Tensor x = spread(shape, f.low, f.high);
    const Tensor classes = spread({shape[0]}, 0, static_cast<double>(shape[1])).to(DType::kInt64);
    tests.samples.push_back(class_loss_sample(f, x, classes, Reduction::kMean));
    tests.samples.push_back(class_loss_sample(f, x, spread(shape, 0, 1, 50), Reduction::kNone));
  }
  add_told_samples(tests, f);
  const auto here = [] { return std::source_location::current(); };
  const auto call = f.call;
  const auto at = [](std::initializer_list<std::int32_t> t) {
    return Tensor::from<std::int32_t>(t, {static_cast<std::int64_t>(t.size())});
  };
  const auto bad = [=](const Tensor& t, DType dtype = DType::kFloat32) {
    return [=] { (void)call(Tensor::zeros({2, 3}, dtype), t, Reduction::kMean, {}, here()); };
  };
  const auto told = [=](const ClassOptions& options) {
    return [=] {
      (void)call(Tensor::zeros({2, 3}), at({0, 1}), Reduction::kMean, options, here());
    };
  };
  tests.rejected = {
      {"class too large", bad(at({0, 3})), ErrorKind::kIndex, "target 3 in row 1 is no class of 3"},
      {"negative class", bad(at({-1, 0})), ErrorKind::kIndex,
       "target -1 in row 0 is no class of 3"},
      {"shape", bad(at({0, 1, 2})), ErrorKind::kShape,
       "logits are f32[2,3] but targets are i32[3]"},
      {"probabilities' shape", bad(Tensor::zeros({2}, DType::kFloat32)), ErrorKind::kShape,
       "logits are f32[2,3] but targets are f32[2]"},
      {"bool", bad(Tensor::zeros({2}, DType::kBool)), ErrorKind::kDType,
       "targets must be class indices or probabilities, got bool[2]"},
      {"integer logits", bad(at({0, 1}), DType::kInt32), ErrorKind::kDType,
       "needs float32 or float64, got i32[2,3]"},
      {"class weights", told({.class_weights = Tensor::zeros({2}, DType::kFloat32)}),
       ErrorKind::kShape, "the class weights are f32[2] for logits f32[2,3]"},
      {"row weights", told({.weights = Tensor::zeros({3}, DType::kFloat32)}), ErrorKind::kShape,
       "the weights are f32[3] for losses of shape [2]"},
      {"smoothing", told({.label_smoothing = 1.5}), ErrorKind::kValue,
       "label_smoothing 1.5 lies outside [0, 1]"},
      {"ignored probabilities",
       [=] {
         (void)call(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}), Reduction::kMean,
                    {.ignore_index = 1}, here());
       },
       ErrorKind::kValue, "ignore_index 1 with probabilities as targets"},
      {"scalar",
       [=] { (void)call(Tensor::scalar(1.f), Tensor::scalar(0), Reduction::kMean, {}, here()); },
       ErrorKind::kShape, "logits must have a class axis, got f32[]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}

}  // namespace wengert::testing
