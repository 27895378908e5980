#include <wengert/wengert.h>

#include <memory>

// What a host that knows nothing of the library calls.
using namespace wengert;

extern "C" {

/// d/dx tanh(x²) at x, or NaN after an error.
double differentiate(double at) {
  Tape tape;
  const Var x = variable(at);
  return grad(tanh(x * x), x).item<double>();
}

/// A product large enough for the worker threads: the sum of its gradient, 256 · 256 · 256.
double differentiate_in_parallel() {
  Tape tape;
  const Var ones = variable(Tensor::full({256, 256}, 1, DType::kFloat64));
  const Var left = Tensor::full({256, 256}, 1, DType::kFloat64);
  return sum(grad(sum(matmul(left, ones)), ones)).item<double>();
}

/// Whether a tape is live on this thread as this copy of the library sees it.
int has_tape() { return Tape::current() != nullptr ? 1 : 0; }

void* begin_tape() { return new Tape; }
void end_tape(void* tape) { delete static_cast<Tape*>(tape); }
}
