#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "tests/graph/errors.h"
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

/// Zeros with their signs, NaN as itself.
std::uint64_t bits(double x) { return std::bit_cast<std::uint64_t>(x); }

template <class T>
void compare(const Shape& shape, unsigned seed, bool intermediate) {
  SCOPED_TRACE(to_string(dtype_of<T>, shape) + ", seed " + std::to_string(seed));
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::mt19937 random(seed + 1000);
  const auto operand = [&] {
    std::vector<T> data(count);
    for (T& x : data) {
      const auto choice = random() % 12;  // zeros of both signs among them
      x = choice == 0 ? T(0) : choice == 1 ? -T(0) : static_cast<T>(random() % 2001) / 1000 - 1;
    }
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
  const Tensor held = seed_value.clone();
  const auto quick = gradients({});
  const auto observed = gradients({.observer = &observer});
  const auto recorded = gradients({.create_graph = true});
  for (std::size_t k = 0; k < quick.size(); ++k) {
    ASSERT_EQ(quick[k].shape(), shape);
    for (std::size_t i = 0; i < count; ++i) {
      const double g = quick[k].at(static_cast<std::int64_t>(i));
      ASSERT_TRUE(std::isfinite(g));
      ASSERT_EQ(bits(g), bits(observed[k].at(static_cast<std::int64_t>(i)))) << "gradient " << k;
      const double tolerance = sizeof(T) == 4 ? 2e-4 : 1e-11;
      ASSERT_NEAR(g, recorded[k].at(static_cast<std::int64_t>(i)), tolerance * (1 + std::fabs(g)));
    }
  }
  for (std::size_t i = 0; i < count; ++i) {  // what the caller holds is not written into
    const auto at = static_cast<std::int64_t>(i);
    ASSERT_EQ(bits(seed_value.at(at)), bits(held.at(at)));
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

TEST(Sweeps, AProductOfSingleElementsIsRefusedWhereOthersAre) {
  Tape tape;
  const Var whole = Var(Tensor::from({std::int32_t{3}}, {1, 1})) + 1;
  EXPECT_ERROR(matmul(whole, whole), kDType, "needs float32 or float64, got i32[1,1]");
  const Var scalar = variable(2.0);
  EXPECT_ERROR(matmul(scalar * 1.0, scalar * 1.0), kShape,
               "needs matrices: a is f64[], b is f64[]");
}

/// Infinities and zeros go through a product of [1,1] matrices as through any other.
TEST(Sweeps, AProductOfSingleElementsHasNoRuleOfItsOwn) {
  const double infinity = std::numeric_limits<double>::infinity();
  GradientObserver observer;
  for (const double b_value : {infinity, -3.0}) {
    std::vector<std::uint64_t> seen;
    for (const BackwardOptions& options :
         {BackwardOptions{}, BackwardOptions{.observer = &observer},
          BackwardOptions{.create_graph = true}}) {
      Tape tape;
      const Var a = variable(Tensor::from({2.0}, {1, 1}));
      const Var b = variable(Tensor::from({b_value}, {1, 1}));
      const Var ys[] = {matmul(a, b)}, xs[] = {a}, zero[] = {Tensor::from({0.0}, {1, 1})};
      seen.push_back(bits(grad(ys, xs, zero, options)[0].scalar_value()) << 1 >> 1);
    }
    EXPECT_EQ(seen[0], seen[1]) << b_value;
    EXPECT_EQ(seen[0], seen[2]) << b_value;
  }
}

TEST(Sweeps, ADifferenceOfSingleElementsKeepsTheSignOfZero) {
  for (const std::int64_t count : {1, 3}) {
    GradientObserver observer;
    for (const BackwardOptions& options :
         {BackwardOptions{}, BackwardOptions{.observer = &observer}}) {
      Tape tape;
      const Var a = variable(Tensor::full({count}, 2, DType::kFloat64));
      const Var b = variable(Tensor::full({count}, 1, DType::kFloat64));
      const Var ys[] = {a - b}, xs[] = {a, b};
      const Var seeds[] = {Tensor::full({count}, -0.0, DType::kFloat64)};
      EXPECT_TRUE(std::signbit(grad(ys, xs, seeds, options)[0].value().at(0))) << count;
    }
  }
}

/// Gradients of x and y through an op of which one input may not be differentiated.
std::vector<double> gradients_of_partial(const OpDef& op, std::int64_t count,
                                         const BackwardOptions& options) {
  Tape tape;
  const Var x = variable(Tensor::full({count}, 3, DType::kFloat64));
  const Var y = variable(Tensor::full({count}, 5, DType::kFloat64));
  const Var z = apply(op, x * 1.0, y * 1.0, std::source_location::current());
  const Gradients gradients = backward(sum(z), options);
  return {gradients[x].value().at(0), gradients[y].value().at(0)};
}

TEST(Sweeps, GiveNoGradientToAnInputThatIsNotDifferentiated) {
  GradientObserver observer;
  for (const char* name : {"mul", "add"}) {
    OpDef op = *find_op(name);
    op.differentiable = 1;
    const std::vector<double> wanted = {name[0] == 'm' ? 5.0 : 1.0, 0.0};
    for (const std::int64_t count : {1, 3}) {
      EXPECT_EQ(gradients_of_partial(op, count, {}), wanted) << name << count;
      EXPECT_EQ(gradients_of_partial(op, count, {.observer = &observer}), wanted) << name << count;
      EXPECT_EQ(gradients_of_partial(op, count, {.create_graph = true}), wanted) << name << count;
    }
  }
}

TEST(Sweeps, LeaveACotangentThatOthersHoldAlone) {
  const Tape tape;
  const Var x = variable(0.5);
  const Var y = tanh(sin(x));
  Var given;
  {
    const NoGrad off;
    given = Var(Tensor::scalar(1.5)) * 2.0;  // a result of its own, which backward could reuse
  }
  const Var g = grad(std::vector<Var>{y}, {x}, {given})[0];
  EXPECT_EQ(given.scalar_value(), 3);
  const double slope = 1 - std::tanh(std::sin(0.5)) * std::tanh(std::sin(0.5));
  EXPECT_NEAR(g.scalar_value(), 3 * slope * std::cos(0.5), 1e-15);
}

TEST(Sweeps, DoWithoutKernelsOfOneElement) {
  ElementwiseKernels kernels = *find_op("mul")->elementwise->kernels;
  kernels.backward_one_f32 = nullptr;
  kernels.backward_one_f64 = nullptr;
  const ElementwiseOp elementwise = {.kernels = &kernels};
  OpDef op = *find_op("mul");
  op.elementwise = op.single_element = &elementwise;
  EXPECT_EQ(gradients_of_partial(op, 1, {}), (std::vector<double>{5, 3}));
}

/// A derivative may hand on memory of the program's: it is read, never written into.
double constant_slope[] = {10};

TEST(Sweeps, LeaveMemoryOfTheUsersAlone) {
  static const double fixed[] = {10};
  OpDef op;
  op.name = "test_slope";
  op.differentiable = 1;
  op.infer = [](InferContext& call) { call.output(call.dtype(0), call.shape(0)); };
  op.evaluate = [](EvalContext& call) {
    *call.output().as<double>() = 10 * *call.input(0).as<double>();
  };
  for (const bool read_only : {false, true}) {
    op.vjp = read_only ? +[](VjpContext& c) { c.set(0, Tensor::view_of(fixed, {1})); }
                       : +[](VjpContext& c) { c.set(0, Tensor::view_of(constant_slope, {1})); };
    for (int sweep = 0; sweep < 3; ++sweep) {
      Tape tape;
      const Var x = variable(Tensor::from({0.5}, {1})), twice = x * 2.0;
      const Var y = twice * 3.0 + apply(op, twice, std::source_location::current()) + sin(twice);
      EXPECT_NEAR(grad(sum(y), x).scalar_value(), 2 * (3 + 10 + std::cos(1.0)), 1e-12);
      EXPECT_EQ(constant_slope[0], 10);
    }
  }
}

}  // namespace
}  // namespace wengert
