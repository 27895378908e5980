#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/softmax.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/order/lines.h"

namespace wengert {
namespace ops {
namespace {

struct AxisAttributes {
  std::int64_t axis = -1;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("axis", self.axis);
  }
};

void infer_softmax(InferContext& call) {
  call.require_floating(0);
  call.canonical_axis(&AxisAttributes::axis, call.rank(0));
  call.output(call.dtype(0), call.shape(0));
}

constexpr std::int64_t kGroup = 64;  // rows a task: whole vectors of narrow rows at any level

/// Calls body(first, rows) for groups of lines, and gives each line-wise operand as dense rows:
/// in place where the axis is the last, gathered and put back otherwise.
template <class T, std::size_t kInputs, class Kernel>
void over_lines(const Lines& lines, const T* const (&in)[kInputs], T* out, bool reads_out,
                const Kernel& kernel) {
  if (lines.count == 0 || lines.length == 0) return;
  const std::int64_t n = lines.length;
  WENGERT_SPLIT(SoftmaxTasks, lines.count, kGroup);
  kernels::parallel_for((lines.count + kGroup - 1) / kGroup, [&](std::int64_t task) {
    const std::int64_t first = task * kGroup;
    const std::int64_t rows = std::min(lines.count - first, kGroup);
    const T* from[kInputs];
    if (lines.step == 1) {
      for (std::size_t k = 0; k < kInputs; ++k) from[k] = in[k] + first * n;
      kernel(from, rows, out + first * n);
      return;
    }
    std::vector<T> memory(static_cast<std::size_t>(rows * n) * (kInputs + 1));
    const auto copy = [&](std::int64_t operand, T* strided, bool back) {
      T* dense = memory.data() + operand * rows * n;
      for (std::int64_t r = 0; r < rows; ++r) {
        T* line = strided + lines.start(first + r);
        for (std::int64_t i = 0; i < n; ++i) {
          (back ? line[i * lines.step] : dense[r * n + i]) =
              back ? dense[r * n + i] : line[i * lines.step];
        }
      }
      return dense;
    };
    for (std::size_t k = 0; k < kInputs; ++k) {
      from[k] = copy(static_cast<std::int64_t>(k), const_cast<T*>(in[k]), false);
    }
    constexpr auto kOut = static_cast<std::int64_t>(kInputs);
    if (reads_out) copy(kOut, out, false);
    kernel(from, rows, memory.data() + kOut * rows * n);
    copy(kOut, out, true);
  });
}

template <bool kLog>
void evaluate_softmax(EvalContext& call) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const Lines lines(out, static_cast<int>(call.attributes<AxisAttributes>().axis));
  dispatch_floating(out.dtype, [&]<class T>(T) {
    const auto& kernels = kernels::softmax_kernels<T>();
    over_lines<T, 1>(lines, {x.view().as<T>()}, out.as<T>(), false,
                     [&](const T* const* in, std::int64_t rows, T* to) {
                       (kLog ? kernels.log_softmax : kernels.softmax)(in[0], rows, lines.length,
                                                                      to);
                     });
  });
}

template <bool kLog>
void backward_softmax(BackwardContext& c) {
  const TensorView g = c.cotangent(), y = c.output();
  const auto to = c.gradient(0);
  const Lines lines(y, static_cast<int>(c.attributes<AxisAttributes>().axis));
  dispatch_floating(y.dtype, [&]<class T>(T) {
    const auto& kernels = kernels::softmax_kernels<T>();
    over_lines<T, 2>(lines, {g.as<T>(), y.as<T>()}, to.view.as<T>(), to.accumulate,
                     [&](const T* const* in, std::int64_t rows, T* gx) {
                       (kLog ? kernels.log_softmax_backward : kernels.softmax_backward)(
                           in[0], in[1], rows, lines.length, gx, to.accumulate);
                     });
  });
}

void softmax_vjp(VjpContext& c) {
  const Axes axes = {c.attributes<AxisAttributes>().axis};
  const Var g = c.cotangent(), y = c.output();
  c.set(0, cotangent_product(g - sum(cotangent_product(g, y), axes, true), y));
}

void log_softmax_vjp(VjpContext& c) {
  const Axes axes = {c.attributes<AxisAttributes>().axis};
  const Var g = c.cotangent();
  c.set(0, g - cotangent_product(sum(g, axes, true), exp(c.output())));
}

constexpr std::string_view kSource =
    "P. Blanchard, D. Higham, N. Higham, Accurately computing the log-sum-exp and softmax "
    "functions, 2021";

}  // namespace

constinit const OpDef softmax_op = {
    .name = "softmax",
    .doc = {.summary = "Exponentials along an axis, scaled to sum 1, without overflow.",
            .formula = "y[i] = exp(x[i])/Σ exp(x[k])",
            .arguments = "x: float32 or float64; axis: negative from the back. −∞ gives 0; NaN "
                         "where all are −∞, at +∞ and along a line with NaN",
            .gradient = "y·(g − Σ g·y) along the axis",
            .source = kSource},
    .differentiable = 1,
    .reads = {kReadsOutputs},
    .infer = infer_softmax,
    .evaluate = evaluate_softmax<false>,
    .vjp = softmax_vjp,
    .backward = backward_softmax<false>,
    .attributes = &attribute_type<AxisAttributes>,
    .default_attributes = &default_attributes_of<AxisAttributes>,
};

constinit const OpDef log_softmax_op = {
    .name = "log_softmax",
    .doc = {.summary = "Logarithm of softmax along an axis, without overflow or cancellation.",
            .formula = "y[i] = x[i] − log Σ exp(x[k])",
            .arguments = "x: float32 or float64; axis: negative from the back. −∞ stays −∞; NaN "
                         "where all are −∞, at +∞ and along a line with NaN",
            .gradient = "g − exp(y)·Σ g along the axis",
            .source = kSource},
    .differentiable = 1,
    .reads = {kReadsOutputs},
    .infer = infer_softmax,
    .evaluate = evaluate_softmax<true>,
    .vjp = log_softmax_vjp,
    .backward = backward_softmax<true>,
    .attributes = &attribute_type<AxisAttributes>,
    .default_attributes = &default_attributes_of<AxisAttributes>,
};

}  // namespace ops

Var softmax(const Var& x, int axis, std::source_location where) {
  return apply(ops::softmax_op, {&x}, ops::AxisAttributes{axis}, where);
}

Var log_softmax(const Var& x, int axis, std::source_location where) {
  return apply(ops::log_softmax_op, {&x}, ops::AxisAttributes{axis}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/order/line_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

OpTests tests_of_softmax(const std::function<Var(const Var&, int)>& f, bool logarithm) {
  OpTests tests;
  const auto reference = [logarithm](const std::vector<double>& x) {
    long double most = -kInfinity, total = 0;
    for (double v : x) most = std::max<long double>(most, v);
    for (double v : x) total += std::exp(v - most);
    std::vector<double> y;
    for (double v : x) {
      const long double shifted = v - most;
      y.push_back(
          static_cast<double>(logarithm ? shifted - std::log(total) : std::exp(shifted) / total));
    }
    return y;
  };
  auto cases = line_cases();
  cases.push_back({{2, 70}, 1});
  cases.push_back({{67, 2}, 0});
  cases.push_back({{20, 3}, 1});
  for (const LineCase& c : long_line_cases()) cases.push_back(c);
  cases.push_back({kLongRows, 1});
  cases.push_back({{150, 70}, 1});
  int seed = 0;
  for (const auto& [shape, axis] : cases) {
    tests.samples.push_back(line_sample(
        "regular", spread(shape, -3, 3, ++seed), axis,
        [f, axis = axis](const Var& x) { return f(x, axis); }, reference));
  }
  for (const std::vector<double>& x : std::vector<std::vector<double>>{
           {1e4, -1e4, 1e4}, {-1e4, -1e4 + 1, -1e4}, {0, -kInfinity, 1}}) {
    tests.samples.push_back(line_sample(
        "far", Tensor::from(x, {3}), 0, [f](const Var& v) { return f(v, 0); }, reference));
    tests.samples.back().smooth = false;
  }
  tests.samples.push_back(
      fixed_sample("all masked", {Tensor::from({-kInfinity, -kInfinity}, {2})},
                   [f](std::span<const Var> x) { return std::vector<Var>{f(x[0], 0)}; },
                   {Tensor::from({kNan, kNan}, {2})}));
  tests.samples.push_back(gradient_sample(
      "of the first element, one masked", Tensor::from({0., -kInfinity, 0.}, {3}),
      [f](const Var& x) {
        return f(x, 0) * Tensor::from({1., 0., 0.}, {3}).to(x.dtype());
      },
      logarithm ? std::vector<double>{.5, 0, -.5} : std::vector<double>{.25, 0, -.25}));
  tests.rejected = line_rejected(f);
  tests.rejected.push_back({"integers", [f] { return f(Tensor::zeros({2}, DType::kInt32), 0); },
                            ErrorKind::kDType, "needs float32 or float64, got i32[2]"});
  tests.ulps32 = tests.ulps64 = 8;
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(softmax) {
  return tests_of_softmax([](const Var& x, int axis) { return softmax(x, axis); }, false);
}

WENGERT_OP_TESTS(log_softmax) {
  return tests_of_softmax([](const Var& x, int axis) { return log_softmax(x, axis); }, true);
}
#endif
