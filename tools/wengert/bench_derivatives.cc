#include <cmath>
#include <cstdio>

#include "tools/wengert/bench.h"
#include "wengert/graph/text.h"
#include "wengert/wengert.h"

// All n partial derivatives of one function: by one backward pass, and by 2n evaluations.
namespace wengert::tools {
namespace {

/// A scalar of n variables: Σ tanh(xᵢ)·xᵢ² + e^(−xᵢ).
Var function_of(const Var& x) {
  const Var t = tanh(x);
  return sum(t * square(x) + exp(-x));
}

}  // namespace

void bench_derivatives(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("derivatives", false)) return;
  for (const std::int64_t n : {10, 100, 1000, 10000, 100000}) {
    const std::string name = "derivatives/" + std::to_string(n);
    if (!selection.wants(name)) continue;
    std::vector<double> start(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      start[static_cast<std::size_t>(i)] = std::sin(static_cast<double>(i)) * 0.9;
    }
    Tensor point = Tensor::from(start, {n});
    double value = 0;
    Tensor gradient;
    const auto evaluate = [&] { value = function_of(point).scalar_value(); };
    const auto differentiate = [&] {
      Tape tape;
      const Var x = variable(point);
      gradient = grad(function_of(x), x).value();
    };
    const int repeats = n <= 1000 ? 200 : 20;
    BenchRow row = compare(name, "µs", 1000, repeats, differentiate, evaluate);
    // Central differences: all coordinates up to a thousand, beyond that a thousand of them.
    const std::int64_t probed = std::min<std::int64_t>(n, 1000);
    double worst = 0;
    const double numeric = nanoseconds([&] {
      for (std::int64_t i = 0; i < probed; ++i) {
        const double h = 6e-6;
        double ends[2];
        for (int side = 0; side < 2; ++side) {
          {
            const WriteGuard guard(point, "bench");
            guard.span<double>()[static_cast<std::size_t>(i)] =
                start[static_cast<std::size_t>(i)] + (side == 0 ? h : -h);
          }
          evaluate();
          ends[side] = value;
        }
        {
          const WriteGuard guard(point, "bench");
          guard.span<double>()[static_cast<std::size_t>(i)] = start[static_cast<std::size_t>(i)];
        }
        worst = std::fmax(worst, std::fabs((ends[0] - ends[1]) / (2 * h) - gradient.at(i)));
      }
    });
    const double all = numeric / 1000 * static_cast<double>(n) / static_cast<double>(probed);
    row.note = "one evaluation and all derivatives: " + fixed_number(row.floor_ratio, 2) +
               " × one evaluation; " + std::to_string(2 * n) +
               " evaluations: " + format_number(all) + " µs" +
               (probed < n ? " (from 1000 coordinates)" : "") + ", differ by " +
               format_number(worst, 2);
    rows.push_back(std::move(row));
  }
}

}  // namespace wengert::tools
