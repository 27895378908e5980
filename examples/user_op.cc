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

struct Isru {  // y = x/√(1 + x²), y' = √(1 − y²)³
  static constexpr int reads = kY;
  static auto value(auto x) -> decltype(x) { return x / sqrt(1.0 + square(x)); }
  static auto partial(auto, auto y) -> decltype(y) {
    const auto rest = 1.0 - square(y);
    return rest * sqrt(rest);
  }
};

Var isru(const Var& x, std::source_location where = std::source_location::current()) {
  static const OpDef& op =
      elementwise_op<Isru>("isru", {"Inverse square root unit.", "y = x/√(1 + x²)"});
  return apply(op, x, where);
}

int main() {
  (void)isru(0.5);  // the first call registers it
  testing::OpTests tests = testing::unary_tests(
      isru, [](double x) { return x / std::sqrt(1 + x * x); }, 0.1, 3);
  tests.exempt = "takes every floating tensor";
  const testing::CheckReport report = testing::check_op(*find_op("isru"), tests, {.order = 2});
  ParameterSet parameters(1);
  optim::Adam adam({.rate = 0.05});
  const Tensor x = testing::spread({64, 1}, -2, 2), target = sin(x).value();
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Var h = isru(linear(parameters, "hidden", x, 16));
    const Var loss = mean_squared_error(linear(parameters, "out", h, 1), target);
    GradientFlow flow;
    adam.step(parameters, backward(loss, {.retain = true, .observer = &flow}));
    if (step < 299) continue;
    std::printf("%d failures, loss %.5f\n%s", report.failures, loss.scalar_value(),
                to_dot(graph_view(tape, {.gradients = &flow.record()})).c_str());
  }
}
