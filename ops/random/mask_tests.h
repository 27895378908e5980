#pragma once

// Private to the library.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wengert/graph/mode.h"
#include "wengert/graph/tape.h"
#include "wengert/graph/text.h"
#include "wengert/ops/random/random_tests.h"

// What holds of every op that drops elements under a mask, for the testing library.
namespace wengert::testing {

struct MaskedOp {
  std::function<Var(const Var&, double p, RandomStream&)> call;
  std::function<Shape(const Shape&)> numbers;  ///< the shape that the mask is drawn in
  /// The number of the mask that element i of such an x belongs to.
  std::function<std::int64_t(const Shape&, std::int64_t i)> number_of =
      [](const Shape&, std::int64_t i) { return i; };
  std::function<double(double x, double p)> kept = [](double x, double p) { return x / (1 - p); };
  std::function<double(double p)> dropped = [](double) { return 0.0; };
  std::function<double(double x, double p)> in_inference = [](double x, double) { return x; };
  int least_rank = 0;
  double scale = 0;              ///< of the terms, where they cancel
  Shape many_numbers = {70001};  ///< of which the mask has many
  bool linear = true;            ///< and then p = 1 is allowed
};

inline RandomStream held_stream() {
  RandomStream stream(7, "drop");
  stream.set_counter(5);
  return stream;
}

/// Training with a mask that is held: the same draw in every call.
inline Sample masked_sample(const MaskedOp& op, const Shape& shape, double p) {
  Sample sample;
  sample.name = "p = " + format_number(p) + " of " + to_string(shape);
  sample.inputs = {spread(shape, -2, 2)};
  sample.scale = op.scale;
  sample.call = [op, p](std::span<const Var> x) {
    std::optional<Tape> tape;
    if (Tape::current() == nullptr) tape.emplace();
    RandomStream stream = held_stream();
    return std::vector<Var>{op.call(x[0], p, stream)};
  };
  sample.reference = [op, p](std::span<const Tensor> x) {
    const Shape shape = x[0].shape();
    RandomStream stream = held_stream();
    const Tensor drops = random_bernoulli(stream, op.numbers(shape), p, DType::kBool).value();
    std::vector<double> y;
    for (std::int64_t i = 0; i < x[0].element_count(); ++i) {
      y.push_back(drops.at(op.number_of(shape, i)) != 0 ? op.dropped(p) : op.kept(x[0].at(i), p));
    }
    return std::vector<Tensor>{Tensor::from(y, shape)};
  };
  return sample;
}

inline OpTests mask_tests(const MaskedOp& op) {
  OpTests tests;
  for (const double p : {0.0, 0.3, 0.9, 1.0}) {
    if (p == 1 && !op.linear) continue;
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{2, 0}}) {
      if (shape.size() < op.least_rank) continue;
      tests.samples.push_back(masked_sample(op, shape, p));
    }
  }
  for (const Shape& shape :
       {Shape{3, 24001}, Shape{24041, 3}, Shape{5, 3, 5001}, op.many_numbers}) {
    tests.samples.push_back(masked_sample(op, shape, 0.5));
  }
  tests.samples.push_back(holds_sample("inference", [op] {
    if (current_mode() == Mode::kTraining) return true;  // it is also called on a tape
    RandomStream stream(7, "drop");
    const Tensor x = spread({3, 5}, -2, 2);
    const Tensor y = op.call(x, 0.25, stream).value();
    for (std::int64_t i = 0; i < x.element_count(); ++i) {
      if (y.at(i) != op.in_inference(x.at(i), 0.25)) return false;
    }
    return stream.counter() == 0;
  }));
  tests.samples.push_back(holds_sample("a rejected call takes no draw", [op] {
    RandomStream stream(7, "drop");
    try {
      (void)op.call(Tensor::zeros({3, 5}), -1, stream);
    } catch (const Error&) {
      return stream.counter() == 0;
    }
    return false;
  }));
  const auto bad = [op](double p, DType dtype = DType::kFloat32) {
    return [=] {
      RandomStream stream(1);
      (void)op.call(Tensor::zeros({2, 3}, dtype), p, stream);
    };
  };
  const std::string range = op.linear ? "p must lie in [0, 1], got " : "p must lie in [0, 1), got ";
  tests.rejected = {{"above 1", bad(1.5), ErrorKind::kValue, range + "1.5"},
                    {"negative", bad(-0.5), ErrorKind::kValue, range + "-0.5"},
                    {"NaN", bad(kNan), ErrorKind::kValue, range + "nan"},
                    {"integers", bad(0.5, DType::kInt64), ErrorKind::kDType,
                     "needs float32 or float64, got i64[2,3]"}};
  tests.linear = true;  // in x, but for a number
  return tests;
}

}  // namespace wengert::testing
