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

struct Symlog {  // y = sign(x)·ln(1 + |x|), y' = exp(−|y|)
  static constexpr int reads = kY;
  static auto value(auto x) -> decltype(x) { return sign(x) * log1p(abs(x)); }
  static auto partial(auto, auto y) -> decltype(y) { return exp(-abs(y)); }
};

Var symlog(const Var& x, std::source_location where = std::source_location::current()) {
  static const OpDef& op = elementwise_op<Symlog>("symlog", {"Symlog.", "y = ±ln(1 + |x|)"});
  return apply(op, x, where);
}

int main() {
  (void)symlog(0.5);  // the first call registers it
  testing::OpTests tests = testing::unary_tests(
      symlog, [](double x) { return std::log1p(x); }, 0.1, 3);
  tests.exempt = "takes every floating tensor";
  const testing::CheckReport report = testing::check_op(*find_op("symlog"), tests, {.order = 2});
  ParameterSet parameters(1);
  optim::Adam adam({.rate = 0.05});
  const Tensor x = testing::spread({64, 1}, -2, 2), target = sin(x).value();
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Var h = symlog(linear(parameters, "hidden", x, 16));
    const Var loss = mean_squared_error(linear(parameters, "out", h, 1), target);
    GradientFlow flow;
    adam.step(parameters, backward(loss, {.retain = true, .observer = &flow}));
    if (step < 299) continue;
    std::printf("%d failures, loss %.5f\n%s", report.failures, loss.scalar_value(),
                to_dot(graph_view(tape, {.gradients = &flow.record()})).c_str());
  }
}
