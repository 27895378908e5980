#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/autodiff/process.h"
#include "wengert/autodiff/backward.h"
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

// Graphs of millions of nodes on a stack of 256 KiB: nothing may recurse along the graph.
namespace wengert {
namespace {

constexpr std::size_t kSmallStack = std::size_t{256} << 10;
constexpr int kDeep = kSanitized ? 200'000 : 10'000'000;
constexpr int kLarge = kSanitized ? 50'000 : 1'000'000;
/// Tape, value and gradient of a one-element node may take this much.
constexpr double kBytesPerNode = 128;

TEST(LargeGraphs, AChainOfTenMillionNodes) {
  with_stack(kSmallStack, [] {
    const std::int64_t before = resident_bytes();
    {
      Tape tape;
      const Var x = variable(0.5);  // float32 moves by less than its roundings at the end
      Var y = x;
      for (int i = 0; i < kDeep; ++i) y = tanh(y);
      EXPECT_GE(tape.size(), static_cast<std::uint32_t>(kDeep));
      // tanh iterated n times goes as √(3/2n).
      EXPECT_NEAR(y.scalar_value() / std::sqrt(1.5 / kDeep), 1, 0.01);
      const double g = backward(y, {.retain = true})[x].scalar_value();
      EXPECT_GT(g, 0);
      EXPECT_LT(g, 1e-6);
      const Tape::Statistics statistics = tape.statistics();
      EXPECT_EQ(statistics.nodes, tape.size());
      EXPECT_EQ(statistics.live_values, tape.size());
      const double bytes = static_cast<double>(resident_bytes() - before) / kDeep;
      if (!kSanitized) {
        EXPECT_LE(bytes, kBytesPerNode) << "resident bytes per node";
      }
      EXPECT_EQ(backward(y)[x].scalar_value(), g);
      EXPECT_LT(tape.statistics().live_values, 10u);  // given back on the way
    }
    // The memory itself goes back too.
    if (!kSanitized) {
      EXPECT_LT(resident_bytes() - before, kDeep * 20LL);
    }
  });
}

TEST(LargeGraphs, AChainOfAMillionTwice) {
  with_stack(kSmallStack, [] {
    Tape tape;
    const Var x = variable(1.0);
    Var y = x;
    // y = x·cⁿ·… with factors near 1, so that nothing dies out: y = x^2 · Π c
    for (int i = 0; i < kLarge; ++i) y = y * (i % 2 == 0 ? 1.0 + 0x1p-20 : 1.0 / (1.0 + 0x1p-20));
    y = y * x;
    const Var g = grad(y, x, {.create_graph = true});
    EXPECT_NEAR(g.scalar_value(), 2, 1e-9);
    EXPECT_NEAR(grad(g, x).scalar_value(), 2, 1e-9);
    EXPECT_GT(tape.size(), static_cast<std::uint32_t>(2 * kLarge));
  });
}

/// The next number of a linear congruential generator below `bound`.
std::uint32_t next_below(std::uint64_t& state, std::size_t bound) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<std::uint32_t>((state >> 33) % bound);
}

struct Dag {
  std::vector<int> op, first, second;
};

Dag random_dag(int nodes) {
  Dag dag;
  std::uint64_t state = 42;
  for (int i = 0; i < nodes; ++i) {
    const auto known = static_cast<std::size_t>(i) + 1;  // node 0 is the input
    dag.op.push_back(static_cast<int>(next_below(state, 3)));
    dag.first.push_back(static_cast<int>(next_below(state, known)));
    dag.second.push_back(static_cast<int>(next_below(state, known)));
  }
  return dag;
}

/// Value and derivative by the sum of all nodes, on plain arrays.
std::pair<double, double> by_hand(const Dag& dag, double x) {
  const std::size_t n = dag.op.size();
  std::vector<double> v = {x}, g(n + 1, 1.0);
  double total = x;
  for (std::size_t i = 0; i < n; ++i) {
    const double a = v[static_cast<std::size_t>(dag.first[i])];
    const double b = v[static_cast<std::size_t>(dag.second[i])];
    v.push_back(dag.op[i] == 0 ? (a + b) * 0.5 : dag.op[i] == 1 ? std::tanh(a) : a * b);
    total += v.back();
  }
  for (std::size_t i = n; i-- > 0;) {
    const auto a = static_cast<std::size_t>(dag.first[i]);
    const auto b = static_cast<std::size_t>(dag.second[i]);
    const double u = g[i + 1];
    if (dag.op[i] == 0) g[a] += 0.5 * u, g[b] += 0.5 * u;
    if (dag.op[i] == 1) g[a] += u * (1 - v[i + 1] * v[i + 1]);
    if (dag.op[i] == 2) {
      const double va = v[a], vb = v[b];
      g[a] += u * vb;
      g[b] += u * va;
    }
  }
  return {total, g[0]};
}

TEST(LargeGraphs, ARandomDagOfAMillionNodes) {
  const Dag dag = random_dag(kLarge);
  const auto [value, derivative] = by_hand(dag, 0.7);
  with_stack(kSmallStack, [&] {
    Tape tape;
    std::vector<Var> v = {variable(0.7)};
    for (std::size_t i = 0; i < dag.op.size(); ++i) {
      const Var& a = v[static_cast<std::size_t>(dag.first[i])];
      const Var& b = v[static_cast<std::size_t>(dag.second[i])];
      v.push_back(dag.op[i] == 0 ? (a + b) * 0.5 : dag.op[i] == 1 ? tanh(a) : a * b);
    }
    Var total = v[0];
    for (std::size_t i = 1; i < v.size(); ++i) total = total + v[i];
    EXPECT_NEAR(total.scalar_value(), value, 1e-9 * std::fabs(value));
    const double g = backward(total, {.retain = true})[v[0]].scalar_value();
    EXPECT_NEAR(g, derivative, 1e-9 * std::fabs(derivative));
    // Recorded, the same gradient comes out.
    const Var recorded = grad(total, v[0], {.create_graph = true});
    EXPECT_NEAR(recorded.scalar_value(), derivative, 1e-9 * std::fabs(derivative));
    EXPECT_GT(tape.statistics().nodes, static_cast<std::uint64_t>(2 * kLarge));
  });
}

TEST(LargeGraphs, HandlesInAnyOrderFreeDeepGraphs) {
  with_stack(kSmallStack, [] {
    std::vector<Var> kept;
    {
      Tape tape;
      Var y = variable(1.0);
      for (int i = 0; i < kLarge / 4; ++i) kept.push_back(y = y + 1.0);
    }
    for (std::size_t i = 0; i < kept.size(); i += 2) kept[i] = Var();
    EXPECT_EQ(kept.back().scalar_value(), kLarge / 4 + 1.0);
  });
}

}  // namespace
}  // namespace wengert
