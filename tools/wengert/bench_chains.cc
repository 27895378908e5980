#include "tools/wengert/bench.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/gemm.h"
#include "wengert/wengert.h"

// Recording and backward per op: chains of 1000. At 16×16 the floor is the bare kernel on
// preallocated memory; the row "above" is what the tape adds to it.
namespace wengert::tools {
namespace {

constexpr int kLength = 1000;
constexpr int kRepeats = 200;

struct Chain {
  const char* op;
  Var (*next)(const Var& y, const Var& x);
  bool matrix;  ///< one element is [1,1]
};

const Chain kChains[] = {
    {"add", [](const Var& y, const Var& x) { return y + x; }, false},
    {"mul", [](const Var& y, const Var& x) { return y * x; }, false},
    {"tanh", [](const Var& y, const Var&) { return tanh(y); }, false},
    {"matmul", [](const Var& y, const Var& x) { return matmul(y, x); }, true},
};

/// x of the chain: its powers and products stay finite and away from denormals.
Tensor operand(const Chain& chain, std::int64_t side) {
  const Shape shape = side > 1 ? Shape{side, side} : chain.matrix ? Shape{1, 1} : Shape{};
  if (!chain.matrix || side == 1) return Tensor::full(shape, 1.0001, DType::kFloat32);
  // A cyclic permutation is orthogonal: its powers neither grow nor fade.
  Tensor rotation = Tensor::zeros(shape, DType::kFloat32);
  const WriteGuard guard(rotation, "bench");
  for (std::int64_t i = 0; i < side; ++i) {
    guard.span<float>()[static_cast<std::size_t>(i * side + (i + 1) % side)] = 1;
  }
  return rotation;
}

/// The bare kernels of a chain, forward and backward, over preallocated memory.
struct Bare {
  const Chain& chain;
  std::int64_t side;
  std::vector<float> x, values, gradient, total;
  Bare(const Chain& c, std::int64_t s)
      : chain(c),
        side(s),
        x(static_cast<std::size_t>(s * s), 1.0001f),
        values(static_cast<std::size_t>((kLength + 1) * s * s), 0.5f),
        gradient(static_cast<std::size_t>(2 * s * s), 1.0f),
        total(static_cast<std::size_t>(s * s), 0.0f) {}

  void forward() {
    const std::int64_t n = side * side;
    const OpDef& op = *find_op(chain.op);
    for (int i = 0; i < kLength; ++i) {
      const float* y = values.data() + i * n;
      float* to = values.data() + (i + 1) * n;
      if (chain.matrix) {
        kernels::gemm(false, false, side, side, side, y, side, x.data(), side, 0, to, side);
      } else {
        const void* in[] = {y, x.data()};
        op.elementwise->kernels->forward[0](in, to, n, nullptr);
      }
    }
  }

  void backward() {
    const std::int64_t n = side * side;
    const OpDef& op = *find_op(chain.op);
    const bool binary = op.max_inputs == 2;
    float* g = gradient.data();
    for (int i = kLength; i-- > 0;) {
      const float* y = values.data() + i * n;
      const float* result = values.data() + (i + 1) * n;
      const void* in[] = {y, x.data()};
      if (chain.matrix) {
        float* other = gradient.data() + (g == gradient.data() ? n : 0);
        kernels::gemm(true, false, side, side, side, y, side, g, side, 1, total.data(), side);
        kernels::gemm(false, true, side, side, side, g, side, x.data(), side, 0, other, side);
        g = other;
        continue;
      }
      if (binary)
        op.elementwise->kernels->backward[1][0](g, in, result, total.data(), n, nullptr, true);
      if ((op.elementwise->passes & 1) == 0) {
        op.elementwise->kernels->backward[0][0](g, in, result, g, n, nullptr, false);
      }
    }
  }
};

void run_chain(const Chain& chain, std::int64_t side, const BenchSelection& selection,
               std::vector<BenchRow>& rows) {
  const std::string size = side > 1 ? std::to_string(side) + "x" + std::to_string(side) : "1";
  const std::string record = std::string("record/") + chain.op + "/" + size;
  const std::string reverse = std::string("backward/") + chain.op + "/" + size;
  if (!selection.wants(record) && !selection.wants(reverse)) return;
  const Tensor x_value = operand(chain, side);
  Bare bare(chain, side);
  std::vector<double> forward_times, backward_times, bare_forward, bare_backward;
  for (int repeat = 0; repeat < kRepeats + 5; ++repeat) {
    Tape tape;
    const Var x = variable(x_value);
    Var y = x;
    const double forward = nanoseconds([&] {
      for (int i = 0; i < kLength; ++i) y = chain.next(y, x);
    });
    const Var ones = Tensor::full(x_value.shape(), 1.0, DType::kFloat32);
    std::array<Var, 1> gradients;
    const double backward_time = nanoseconds([&] { gradients = grad({y}, {x}, {ones}); });
    const double floor_forward = side > 1 ? nanoseconds([&] { bare.forward(); }) : 0;
    const double floor_backward = side > 1 ? nanoseconds([&] { bare.backward(); }) : 0;
    if (repeat < 5) continue;
    forward_times.push_back(forward / kLength);
    backward_times.push_back(backward_time / kLength);
    bare_forward.push_back(floor_forward / kLength);
    bare_backward.push_back(floor_backward / kLength);
  }
  const auto add = [&](const std::string& name, std::vector<double> times,
                       std::vector<double> floors) {
    if (!selection.wants(name)) return;
    BenchRow row = summarize(name, "ns", std::move(times));
    if (side > 1) {
      row.floor = summarize("", "", std::move(floors)).median;
      row.floor_ratio = row.median / row.floor;
      row.note = fixed_number(row.median - row.floor, 1) + " ns above the bare kernel";
    }
    rows.push_back(std::move(row));
  };
  add(record, std::move(forward_times), std::move(bare_forward));
  add(reverse, std::move(backward_times), std::move(bare_backward));
}

}  // namespace

void bench_chains(const BenchSelection& selection, std::vector<BenchRow>& rows) {
  if (!selection.wants_group("record", true) && !selection.wants_group("backward", true)) return;
  for (const std::int64_t side : {1, 16}) {
    for (const Chain& chain : kChains) run_chain(chain, side, selection, rows);
  }
}

}  // namespace wengert::tools
