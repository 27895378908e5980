// A derivative of one's own without a record: weights that are −1, 0 or 1 are trained by the
// straight-through estimator, and a stable form of log(1 + eˣ) is checked to order 2.
#include <wengert/autodiff/custom_gradient.h>
#include <wengert/autodiff/gradcheck.h>
#include <wengert/graph/export/dot.h>
#include <wengert/optim/optimizer.h>
#include <wengert/testing/check_op.h>
#include <wengert/wengert.h>

#include <cstdio>

using namespace wengert;

Var round_through(
    const Var& w) {  // its true derivative is 0 nearly everywhere: nothing would learn
  const auto forward = [](const Var& x) { return round(clip(x, -1, 1)); };
  const auto backward = [](const Var& x, const Var&, const Var& g) {
    return where(abs(x) <= 1.0, g, 0.0);
  };
  return custom_gradient(forward, backward, w, "round_through");
}

Var soft_plus(const Var& v) {  // log(1 + eˣ), y' = 1/(1 + e⁻ˣ), in forms that never overflow
  const auto forward = [](const Var& x) { return maximum(x, 0.0) + log1p(exp(-abs(x))); };
  const auto backward = [](const Var& x, const Var&, const Var& g) { return g * sigmoid(x); };
  return custom_gradient(forward, backward, v, "soft_plus");
}

int main() {
  const std::vector<Tensor> at = {Tensor::from({-900.0, -0.5, 0.25, 3.0, 900.0}, {5})};
  const auto checked = [](std::span<const Var> x) { return soft_plus(x[0]); };
  const bool right = gradcheck(checked, at) && gradcheck(checked, at, {.order = 2});
  ParameterSet parameters;
  Parameter& weight = parameters.add("weight", Tensor::full({4, 1}, 0.1, DType::kFloat32));
  const Tensor x = testing::spread({64, 4}, -2, 2).to(DType::kFloat32);
  const Tensor hidden = Tensor::from({1.0f, -1.0f, 0.0f, 1.0f}, {4, 1});
  const Tensor target = matmul(x, hidden).value();
  optim::Sgd sgd({.rate = 0.1});
  for (int step = 0; step < 100; ++step) {
    Tape tape;
    const Var loss = mean_squared_error(matmul(x, round_through(weight)), target);
    sgd.step(parameters, backward(loss));
    if (step < 99) continue;
    std::printf("%s, loss %.5f\n%s", right ? "right" : "wrong", loss.scalar_value(),
                to_dot(graph_view(tape)).c_str());
  }
}
