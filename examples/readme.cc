#include <wengert/wengert.h>

#include <cstdio>

using namespace wengert;

int main() {
  Tape tape;                                    // records what follows, frees it at the end
  Var x = variable(0.5);                        // a differentiable input, float64
  Var y = tanh(x * x + 1 / x);                  // ordinary C++ computes and records
  Var dy = grad(y, x, {.create_graph = true});  // the derivative is recorded too …
  Var ddy = grad(dy, x);                        // … and can be differentiated again
  std::printf("y = %.6f  y' = %.6f  y'' = %.6f\n", y.item<double>(), dy.item<double>(),
              ddy.item<double>());
  try {
    Var product = matmul(zeros({2, 3}), zeros({4, 3}));
  } catch (const Error& e) {
    std::printf("%s\n", e.what());
  }
}
