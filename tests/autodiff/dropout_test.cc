#include <gtest/gtest.h>

#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace wengert {
namespace {

/// (m·x)² has the gradient 2m²x and the second derivative 2m², m the mask of the value.
TEST(Dropout, KeepsItsMaskInEveryOrder) {
  RandomStream stream(3, "drop");
  Tape tape;
  std::vector<double> values;
  for (int i = 0; i < 64; ++i) values.push_back(0.05 * (i + 1));
  const Var x = variable(Tensor::from(values, {64}));
  const Var y = dropout(x, 0.5, stream);
  const Tensor mask = (y / x).value();
  const Var first = grad(sum(square(y)), x, {.create_graph = true});
  const Tensor second = grad(sum(first), x).value();
  int kept = 0;
  for (int i = 0; i < 64; ++i) {
    const double m = mask.at(i) != 0 ? 2 : 0;
    kept += m != 0;
    EXPECT_DOUBLE_EQ(first.value().at(i), 2 * m * m * values[static_cast<std::size_t>(i)]);
    EXPECT_EQ(second.at(i), 2 * m * m);
  }
  EXPECT_GT(kept, 10);
  EXPECT_LT(kept, 54);
}

}  // namespace
}  // namespace wengert
