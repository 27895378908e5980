#include <gtest/gtest.h>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/wengert.h"

// What grad(ys, xs) leaves out because it does not lead to xs.
namespace wengert {
namespace {

TEST(Restricted, NothingIsAskedOfWhatOnlyIndicesLeadTo) {
  Tape tape;
  const Var x = variable(Tensor::from({1.0, 3.0, 2.0}, {3}));
  const Var w = variable(Tensor::from({4.0, 5.0, 6.0}, {3}));
  const Var taken = take(w, argmax(x));
  const Var y = square(taken);
  GradientFlow flow;
  EXPECT_EQ(grad(y, x, {.retain = true, .observer = &flow}).value().to_vector<double>(),
            (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(flow.node(tape.id_of(taken, "test")), nullptr);
  // Towards w the same way is open.
  EXPECT_EQ(grad(y, w, {.observer = &flow}).value().to_vector<double>(),
            (std::vector<double>{0, 10, 0}));
  EXPECT_NE(flow.node(tape.id_of(taken, "test")), nullptr);
}

}  // namespace
}  // namespace wengert
