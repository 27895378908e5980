// The smallest libtorch program with a gradient: dy/dx of tanh(x x + 3 x) at x = 0.1.
#include <torch/torch.h>

#include <cstdio>

int main() {
  torch::Tensor x = torch::tensor(0.1f, torch::requires_grad());
  torch::Tensor y = torch::tanh(x * x + 3 * x);
  y.backward();
  std::printf("%.6f\n", x.grad().item<float>());
}
