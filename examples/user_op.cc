// An op of one's own: value, derivative and samples; checked to order 2, trained with, drawn.
#include <wengert/autodiff/gradient_flow.h>
#include <wengert/graph/export/dot.h>
#include <wengert/nn/linear.h>
#include <wengert/ops/user_op.h>
#include <wengert/optim/optimizer.h>
#include <wengert/testing/check_op.h>
#include <wengert/wengert.h>

#include <cmath>
#include <cstdio>

using namespace wengert;

struct Softsign {  // y = x/(1 + |x|), y' = (1 − |y|)²
  static constexpr int reads = kY;
  static auto value(auto x) -> decltype(x) { return x / (1.0 + abs(x)); }
  static auto partial(auto, auto y) -> decltype(y) { return square(1.0 - abs(y)); }
};

Var softsign(const Var& x, std::source_location where = std::source_location::current()) {
  static const OpDef& op = elementwise_op<Softsign>("softsign", {"Softsign.", "y = x/(1 + |x|)"});
  return apply(op, x, where);
}

int main() {
  (void)softsign(0.5);  // the first call registers it
  testing::OpTests tests = testing::unary_tests(
      softsign, [](double x) { return x / (1 + std::fabs(x)); }, 0.1, 3);
  tests.exempt = "takes every floating tensor";
  const testing::CheckReport report = testing::check_op(*find_op("softsign"), tests, {.order = 2});
  ParameterSet parameters(1);
  optim::Adam adam({.rate = 0.05});
  const Tensor x = testing::spread({64, 1}, -2, 2), target = sin(x).value();
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Var h = softsign(linear(parameters, "hidden", x, 16));
    const Var loss = mean_squared_error(linear(parameters, "out", h, 1), target);
    GradientFlow flow;
    adam.step(parameters, backward(loss, {.retain = true, .observer = &flow}));
    if (step < 299) continue;
    std::printf("%d failures, loss %.5f\n%s", report.failures, loss.scalar_value(),
                to_dot(graph_view(tape, {.gradients = &flow.record()})).c_str());
  }
}
