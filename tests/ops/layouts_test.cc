#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/wengert.h"

// Elementwise ops give the bits that they give for dense operands of one shape, whatever the
// layouts and at any number of threads; so do their derivatives.
namespace wengert {
namespace {

/// Numbers of both signs, different at each place.
Tensor numbers(DType dtype, const Shape& shape, double phase) {
  Tensor x = Tensor::empty(shape, DType::kFloat64);
  {
    const WriteGuard guard(x, "numbers");
    double at = phase;
    for (double& value : guard.span<double>()) value = std::sin(at += 0.7) * 3;
  }
  return x.to(dtype);
}

struct Layout {
  const char* name;
  Var (*view)(const Tensor& dense);  ///< of the shape, or one that broadcasts to it
};

/// The same elements in memory of another order.
Var transposed(const Tensor& dense) {
  return transpose(Var(contiguous(transpose(Var(dense))).value()));
}
Var padded(const Tensor& dense) {
  const Shape shape(dense.shape());
  return slice(Var(pad(Var(dense), {0, 2}, {1, 3}).value()), {0, 2}, {shape[0], 2 + shape[1]});
}
Var reversed(const Tensor& dense) { return flip(Var(flip(Var(dense), {0, 1}).value()), {0, 1}); }
Var dense(const Tensor& x) { return Var(x); }
Var row(const Tensor& x) { return slice(Var(x), {0}, {1}, {0}); }
Var column(const Tensor& x) { return slice(Var(x), {0}, {1}, {1}); }
Var number(const Tensor& x) { return reshape(slice(Var(x), {0, 0}, {1, 1}, {0, 1}), {}); }

const Layout kLayouts[] = {
    {"dense", dense}, {"transposed", transposed}, {"padded", padded}, {"reversed", reversed},
    {"row", row},     {"column", column},         {"number", number}};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.is_dense() && b.is_dense() &&
         std::memcmp(a.data(), b.data(),
                     static_cast<std::size_t>(a.element_count()) * size_of(a.dtype())) == 0;
}

Tensor spread_out(const Var& x, const Shape& shape) {
  return contiguous(broadcast_to(x, shape)).value();
}

const Shape kShapes[] = {{3, 5},   {64, 512},  {512, 64},  {1030, 3}, {3, 1030},
                         {33, 65}, {20000, 2}, {2, 40000}, {300, 200}};

class LayoutsTest : public testing::TestWithParam<DType> {
 protected:
  void TearDown() override { kernels::set_thread_count(0); }
};

TEST_P(LayoutsTest, ForwardHasTheBitsOfDenseOperands) {
  int threads = 0;
  for (const Shape& shape : kShapes) {
    const Tensor a = numbers(GetParam(), shape, 0), b = numbers(GetParam(), shape, 1);
    for (const Layout& first : kLayouts) {
      for (const Layout& second : kLayouts) {
        kernels::set_thread_count(1 + threads++ % 3);
        const Var x = first.view(a), y = second.view(b);
        const Tensor dx = spread_out(x, shape), dy = spread_out(y, shape);
        const auto expect = [&](const Var& got, const Var& right, const char* op) {
          const Tensor value = spread_out(got, shape);  // two small operands: a small result
          EXPECT_TRUE(same_bits(value, right.value()))
              << op << " of " << first.name << " and " << second.name << " " << to_string(shape);
        };
        expect(x * y, Var(dx) * Var(dy), "mul");
        expect(x / y, Var(dx) / Var(dy), "div");
        expect(less(x, y), less(Var(dx), Var(dy)), "less");
        expect(tanh(x), tanh(Var(dx)), "tanh");
        expect(where(less(x, 0.5), x, y), where(less(Var(dx), 0.5), Var(dx), Var(dy)), "where");
      }
    }
  }
}

TEST_P(LayoutsTest, BackwardHasTheBitsOfDenseOperands) {
  for (const Shape& shape : kShapes) {
    const Tensor a = numbers(GetParam(), shape, 0), b = numbers(GetParam(), shape, 1);
    const Tensor weights = numbers(GetParam(), shape, 2);
    // A gradient by a leaf that is used through a view, and one through a cotangent of any layout.
    for (const Layout& first : kLayouts) {
      const auto gradient = [&](const Tensor& y) {
        Tape tape;
        const Var x = variable(a);
        const Var loss = sum(tanh(x) * Var(y) * transpose(transpose(Var(weights))));
        return grad(loss, x).value();
      };
      const Var y = first.view(b);
      EXPECT_TRUE(same_bits(gradient(y.value()), gradient(spread_out(y, shape))))
          << first.name << " " << to_string(shape);
    }
    Tape tape;
    const Var x = variable(a);
    // The cotangent of tanh arrives transposed.
    const Var turned = sum(transpose(tanh(x)) * transpose(Var(weights)));
    const Var plain = sum(tanh(x) * Var(weights));
    EXPECT_TRUE(same_bits(grad(turned, x).value(), grad(plain, x).value())) << to_string(shape);
  }
}

INSTANTIATE_TEST_SUITE_P(, LayoutsTest, testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace wengert
