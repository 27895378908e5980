#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Backward has short ways for single elements and small operands and a general one that an observer
// asks for. On random programs they give the same bits, and the recorded derivative the same
// values.
namespace wengert {
namespace {

/// A program of `length` calls over values of one shape, chosen by `seed`.
Var random_program(std::vector<Var> values, const Shape& shape, unsigned seed, int length) {
  std::mt19937 random(seed);
  const auto pick = [&]() -> const Var& {
    // Mostly recent values, so that the program is deep; old ones are shared by many.
    const std::size_t n = values.size();
    return values[random() % 3 == 0 ? random() % n
                                    : n - 1 - random() % std::min<std::size_t>(n, 3)];
  };
  for (int i = 0; i < length; ++i) {
    const Var a = pick(), b = pick();
    const unsigned choice = random() % 10;
    if (choice == 0) values.push_back(a + b);
    if (choice == 1) values.push_back(tanh(a) * b);
    if (choice == 2) values.push_back(a - tanh(b));
    if (choice == 3) values.push_back(sin(a));
    if (choice == 4) values.push_back(-a);
    if (choice == 5) values.push_back(relu(a + 0.25));
    if (choice == 6) values.push_back(tanh(a) / (b * b + 1));
    if (choice == 7) values.push_back(maximum(a, b));
    if (choice == 8) values.push_back(a * 0.5);
    if (choice == 9) {
      const bool square = shape.size() == 2 && shape[0] == shape[1];
      values.push_back(tanh(square ? matmul(a, b) : a * a));
    }
  }
  Var total = values.back() + values[0] * values[3];
  for (std::size_t i = values.size() - 4; i + 1 < values.size(); ++i) total = total + values[i];
  return total;
}

template <class T>
void compare(const Shape& shape, unsigned seed, bool intermediate) {
  SCOPED_TRACE(to_string(dtype_of<T>, shape) + ", seed " + std::to_string(seed));
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::mt19937 random(seed + 1000);
  const auto operand = [&] {
    std::vector<T> data(count);
    for (T& x : data) x = static_cast<T>(random() % 2001) / 1000 - 1;
    return Tensor::from(data, shape);
  };
  const Tensor x_value = operand(), z_value = operand(), constant = operand(),
               seed_value = operand();
  // Each way on a tape of its own: nothing is retained, so that what was saved is given back too.
  const auto gradients = [&](const BackwardOptions& options) {
    Tape tape;
    const Var x = variable(x_value), z = variable(z_value);
    const Var middle = sin(x) * z;
    const Var y = random_program({x, z, constant, middle}, shape, seed, 40);
    const Var ys[] = {y}, cotangents[] = {seed_value};
    std::vector<Var> xs = {x, z};
    if (intermediate) xs = {middle, z};
    std::vector<Tensor> result;
    for (const Var& g : grad(ys, xs, cotangents, options)) result.push_back(g.value());
    return result;
  };
  GradientObserver observer;
  const auto quick = gradients({});
  const auto observed = gradients({.observer = &observer});
  const auto recorded = gradients({.create_graph = true});
  for (std::size_t k = 0; k < quick.size(); ++k) {
    ASSERT_EQ(quick[k].shape(), shape);
    for (std::size_t i = 0; i < count; ++i) {
      const double g = quick[k].at(static_cast<std::int64_t>(i));
      ASSERT_TRUE(std::isfinite(g));
      ASSERT_EQ(g, observed[k].at(static_cast<std::int64_t>(i))) << "gradient " << k;
      const double tolerance = sizeof(T) == 4 ? 2e-4 : 1e-11;
      ASSERT_NEAR(g, recorded[k].at(static_cast<std::int64_t>(i)), tolerance * (1 + std::fabs(g)));
    }
  }
}

TEST(Sweeps, AgreeOnRandomPrograms) {
  const Shape shapes[] = {{}, {1}, {1, 1}, {1, 1, 1}, {2}, {3, 3}, {4, 5}};
  for (const Shape& shape : shapes) {
    for (unsigned seed = 0; seed < 40; ++seed) {
      compare<float>(shape, seed, seed % 2 == 1);
      compare<double>(shape, seed, seed % 2 == 1);
      if (HasFatalFailure()) return;
    }
  }
}

/// Values of one element, but of different ranks or dtypes beside each other.
TEST(Sweeps, MeetOnSingleElementsOfSeveralRanks) {
  const auto gradients = [](const BackwardOptions& options) {
    Tape tape;
    const Var scalar = variable(0.5), row = variable(Tensor::from({0.25}, {1})),
              matrix = variable(Tensor::from({-0.75}, {1, 1}));
    const Var product = matmul(matrix, tanh(matrix)) * scalar;
    const Var narrow = cast(sin(product) * row, DType::kFloat32);
    const Var y = sum(cast(narrow * narrow, DType::kFloat64) + scalar * row);
    std::vector<double> result;
    const Gradients all = backward(y, options);
    for (const Var& leaf : {scalar, row, matrix}) result.push_back(all[leaf].scalar_value());
    return result;
  };
  GradientObserver observer;
  const auto quick = gradients({});
  EXPECT_EQ(quick, gradients({.observer = &observer}));
  // y = (sin(m·tanh(m)·s)·r)² + s·r, whose derivative by s is 2·sin·cos·(m·tanh m)·r² + r.
  const double m = -0.75, s = 0.5, r = 0.25, p = m * std::tanh(m);
  EXPECT_NEAR(quick[0], 2 * std::sin(p * s) * std::cos(p * s) * p * r * r + r, 1e-7);
}

TEST(Sweeps, AProductOfSingleElementsIsStillAMatrixProduct) {
  Tape tape;
  const Var row = variable(Tensor::from({1.0, 2.0, 3.0}, {1, 3}));
  const Var column = variable(Tensor::from({4.0, 5.0, 6.0}, {3, 1}));
  const Var one = variable(Tensor::from({2.0}, {1, 1}));
  const Var y = matmul(one, matmul(row, column));  // the inner one gives [1,1] of longer operands
  EXPECT_EQ(y.shape(), (Shape{1, 1}));
  EXPECT_EQ(y.scalar_value(), 64);
  const Gradients gradients = backward(y);
  EXPECT_EQ(gradients[one].scalar_value(), 32);
  EXPECT_EQ(gradients[row].value().at(1), 10);
  EXPECT_EQ(gradients[column].value().at(2), 6);
  EXPECT_EQ(tape.node(tape.id_of(y, "test")).op->name, "matmul");
}

}  // namespace
}  // namespace wengert
