#include <cmath>
#include <vector>

#include "wengert/autodiff/backward.h"
#include "wengert/autodiff/gradcheck.h"
#include "wengert/graph/error.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"
#include "wengert/tests/fuzz/target.h"

// Graphs of smooth ops with shared parts, views, reductions and broadcasts. First and second
// derivatives are computed by the fused rules, by the recorded ones and by differences.
namespace wengert::fuzz {
namespace {

constexpr std::int64_t kSide = 3;

/// One step of a graph: an op of values that are there, all [3,3] and in about [−2, 2].
Var grow(const std::vector<Var>& values, Input& input) {
  const auto pick = [&] { return values[static_cast<std::size_t>(input.byte()) % values.size()]; };
  const Var a = pick();
  switch (input.below(24)) {
    case 0:
      return a + pick();
    case 1:
      return a - pick();
    case 2:
      return a * pick();
    case 3:
      return a / (2.0 + square(pick()));
    case 4:
      return tanh(a);
    case 5:
      return sin(a);
    case 6:
      return exp(-square(a));
    case 7:
      return log(1.5 + square(a));
    case 8:
      return sqrt(1.0 + square(a));
    case 9:
      return matmul(a, pick()) * 0.3;
    case 10:
      return transpose(a) * pick();
    case 11:
      return softmax(a, input.below(2));
    case 12:
      return log_softmax(a, input.below(2)) * 0.3;
    case 13:
      return sum(a, {input.below(2)}, true) * pick() * 0.3;
    case 14:
      return a - mean(a, {input.below(2)}, true);
    case 15:
      return cumsum(a, input.below(2)) * 0.3;
    case 16:
      return concat({slice(a, {0}, {1}, {0}), slice(pick(), {1}, {3}, {0})}, 0);
    case 17:
      return flip(a, {input.below(2)}) + roll(pick(), 1, input.below(2));
    case 18:
      return reshape(transpose(a), {kSide, kSide});
    case 19:
      return sigmoid(a) * pick();
    case 20:
      return linear(a, pick(), reshape(slice(pick(), {0}, {1}, {0}), {kSide})) * 0.3;
    case 21:
      return logsumexp(a, {input.below(2)}, true) * 0.3 + pick();
    case 22:
      return index_select(a, Tensor::from(std::vector<std::int64_t>{2, 0, 2}, {3}), input.below(2));
    default:
      return tril(a) + triu(pick(), 1) * 0.5;
  }
}

bool close(const Var& a, const Var& b) {
  const auto x = a.value().to_vector<double>(), y = b.value().to_vector<double>();
  if (x.size() != y.size()) return false;
  double most = 1;
  for (const double each : x) most = std::max(most, std::fabs(each));
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(std::fabs(x[i] - y[i]) <= 1e-11 * most)) return false;
  }
  return true;
}

}  // namespace

FUZZ_TARGET(random_graphs) {
  const int order = input.below(2);
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < 2 * kSide * kSide; ++i) numbers.push_back(input.byte() / 80.0 - 1.6);
  const Tensor start = Tensor::from(numbers, {2, kSide, kSide});
  const Input program = input;
  const auto graph = [&](std::span<const Var> at) {
    Input steps = program;
    std::vector<Var> values = {at[0][0], at[0][1]};
    for (int i = 0; i < 12 && !steps.at_end(); ++i) values.push_back(grow(values, steps));
    return mean(values.back() * values[values.size() / 2]);
  };
  {
    const Tape tape;
    const Var x = variable(start);
    const Var at[] = {x};
    const Var y = graph(at);
    if (!(std::fabs(y.item<double>()) < 1e3)) return;  // too steep for differences
    const Var fused = grad(y, x, {.retain = true});
    const Var recorded = grad(y, x, {.create_graph = true});
    require(close(fused, recorded), "recorded and fused gradients differ");
    if (recorded.requires_grad()) {
      const Var weights = Tensor::from(numbers, {2, kSide, kSide});
      const Var along = sum(recorded * weights);
      const Var second = grad(along, x, {.retain = true});
      const Var again = grad(along, x, {.create_graph = true});
      require(close(second, again), "recorded and fused second derivatives differ");
    }
  }
  const Tensor inputs[] = {start};
  const GradcheckResult result = gradcheck(
      graph, inputs, {.order = 1 + order, .absolute = 1e-7, .relative = 1e-6, .fast = true});
  require(result.passed, result.message);
  accept();
}

}  // namespace wengert::fuzz
