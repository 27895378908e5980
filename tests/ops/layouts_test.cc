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

// A permuted operand stays so through elementwise work and back, on the quick ways and the general
// ones: nothing is copied, and the leaf's gradient lies as the leaf does.
TEST_P(LayoutsTest, AChainKeepsTheOrderOfItsOperand) {
  for (const Shape& shape : kShapes) {
    const Tensor a = numbers(GetParam(), shape, 0), b = numbers(GetParam(), shape, 1);
    const auto run = [&](bool turned, bool twice, std::vector<Tensor>& results) {
      Tape tape;
      const Var x = variable(a), w = variable(b);
      const Var v = turned ? transpose(x) : x, u = turned ? transpose(w) : w;
      Var y = tanh(v) * u;
      if (twice) y = y + v * 0.5;
      const auto gradients = grad(std::vector<Var>{sum(y)}, std::vector<Var>{x, w});
      for (std::uint32_t id = 0; id < tape.size(); ++id) {
        EXPECT_NE(tape.node(id).op->name, "contiguous") << to_string(shape);
      }
      for (const Var& r : {turned ? transpose(y) : y, gradients[0], gradients[1]}) {
        results.push_back(r.value());
      }
    };
    for (const bool twice : {false, true}) {
      std::vector<Tensor> turned, plain;
      run(true, twice, turned);
      run(false, twice, plain);
      // Row-major again as soon as they are turned back.
      for (std::size_t k = 0; k < plain.size(); ++k) {
        EXPECT_TRUE(same_bits(turned[k], plain[k])) << k << " " << to_string(shape);
      }
    }
  }
}

// What lies in two orders meets: the result has the first one's, a gradient that of its operand.
TEST_P(LayoutsTest, TwoOrdersMeet) {
  for (const Shape& shape : kShapes) {
    const Tensor a = numbers(GetParam(), shape, 0), b = numbers(GetParam(), shape, 1);
    Tape tape;
    const Var x = variable(transposed(a).value()), y = variable(b);
    const Var first = x * y, second = y * x;
    EXPECT_EQ(first.value().strides(), x.value().strides());
    EXPECT_TRUE(second.value().is_dense());
    const auto gradients = grad(std::vector<Var>{sum(first + second)}, std::vector<Var>{x, y});
    EXPECT_EQ(gradients[0].value().strides(), x.value().strides()) << to_string(shape);
    EXPECT_TRUE(same_bits(spread_out(gradients[0], shape), (Var(b) * 2.0).value()));
    EXPECT_TRUE(gradients[1].value().is_dense());
    EXPECT_TRUE(same_bits(gradients[1].value(), (Var(a) * 2.0).value()));
  }
}

TEST(Packing, IsToldFromSizesAndStrides) {
  const auto of = [](const Shape& sizes, const Dims& strides) {
    return packing_of(sizes, strides.span());
  };
  EXPECT_EQ(of({2, 3}, {3, 1}), Packing::kRowMajor);
  EXPECT_EQ(of({2, 3}, {1, 2}), Packing::kPermuted);
  EXPECT_EQ(of({2, 3, 4}, {1, 8, 2}), Packing::kPermuted);
  EXPECT_EQ(of({2, 3, 4}, {1, 2, 8}), Packing::kLoose);  // 8 where 6 follows
  EXPECT_EQ(of({2, 3}, {4, 1}), Packing::kLoose);        // gaps
  EXPECT_EQ(of({2, 3}, {0, 1}), Packing::kLoose);        // repeated
  EXPECT_EQ(of({2, 3}, {-3, 1}), Packing::kLoose);       // backwards
  EXPECT_EQ(of({5, 1}, {1, 77}),
            Packing::kRowMajor);  // where one element has its axis is no matter
  EXPECT_EQ(of({1, 1}, {9, 9}), Packing::kRowMajor);
  EXPECT_EQ(of({0, 3}, {9, 9}), Packing::kRowMajor);
  EXPECT_EQ(of({}, {}), Packing::kRowMajor);
}

INSTANTIATE_TEST_SUITE_P(, LayoutsTest, testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace wengert
