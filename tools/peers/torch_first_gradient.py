"""The smallest PyTorch program with a gradient: dy/dx of tanh(x x + 3 x) at x = 0.1."""
import torch

x = torch.tensor(0.1, requires_grad=True)
y = torch.tanh(x * x + 3 * x)
y.backward()
print(f"{x.grad.item():.6f}", flush=True)
