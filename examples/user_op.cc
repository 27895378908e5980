#include "wengert/ops/user_op.h"

#include <cstdio>

#include "wengert/autodiff/gradient_flow.h"
#include "wengert/graph/export/dot.h"
#include "wengert/nn/linear.h"
#include "wengert/optim/optimizer.h"
#include "wengert/testing/check_op.h"
#include "wengert/wengert.h"
using namespace wengert;

struct Softsign {  // y = x/(1 + |x|), y' = (1 − |y|)²
  static constexpr int reads = kY;
  static auto value(auto x) { return x / (1.0 + abs(x)); }
  static auto partial(auto, auto y) { return square(1.0 - abs(y)); }
};
const OpDef& op = elementwise_op<Softsign>("softsign", {"Softsign.", "y = x/(1 + |x|)"});
Var softsign(const Var& x, std::source_location where) { return apply(op, x, where); }

int main() {
  const auto reference = [](double x) { return x < 0 ? x / (1 - x) : x / (1 + x); };
  auto samples = testing::unary_tests(softsign, reference, 0.1, 3);
  samples.exempt = "takes every floating tensor";
  std::printf("%s\n", testing::check_op(op, samples, {.order = 2}).str().c_str());
  ParameterSet parameters(1);
  optim::Adam adam({.rate = 0.05});
  const Tensor x = testing::spread({64, 1}, 0.1, 3);
  for (int step = 0; step < 300; ++step) {  // learns log x
    Tape tape;
    const Var h = softsign(linear(parameters, "hidden", x, 16), std::source_location::current());
    const Var loss = mean_squared_error(linear(parameters, "out", h, 1), log(x));
    GradientFlow flow;
    adam.step(parameters, backward(loss, {.retain = true, .observer = &flow}));
    if (step < 299) continue;
    const std::string picture = to_dot(graph_view(tape, {.gradients = &flow.record()}));
    std::printf("loss %.5f\n%s", loss.scalar_value(), picture.c_str());
  }
}
