#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cstring>

#include "wengert/ops/kernels/gemm.h"
#include "wengert/ops/kernels/reduce.h"

namespace wengert {
namespace ops {
namespace {

/// x [..., in] as one matrix of `rows` rows.
std::int64_t rows_of(const TensorView& x) {
  std::int64_t rows = 1;
  for (int d = 0; d + 1 < x.rank; ++d) rows *= x.sizes[d];
  return rows;
}

std::int64_t at_least_one(std::int64_t n) { return n > 0 ? n : 1; }

void infer_linear(InferContext& call) {
  call.require_same_dtype(0, call.input_count() - 1);
  call.require_floating(0);
  if (call.rank(0) < 1 || call.rank(1) != 2) {
    call.fail(ErrorKind::kShape,
              "needs x […, in] and a weight [in, out]: x is " + call.describe(0) + ", the weight " +
                  call.describe(1),
              call.rank(0) < 1 ? "expand_dims makes a scalar a vector" : "");
  }
  const std::int64_t in = call.size(0, call.rank(0) - 1), out = call.size(1, 1);
  if (in != call.size(1, 0)) {
    call.fail(ErrorKind::kShape,
              "inner sizes differ: x is " + call.describe(0) + ", the weight " + call.describe(1) +
                  " (" + std::to_string(in) + " vs " + std::to_string(call.size(1, 0)) + ")",
              in == out ? "did you mean transpose(weight)?"
                        : "the last size of x must equal the first of the weight");
  }
  if (call.has(2) && (call.rank(2) != 1 || call.size(2, 0) != out)) {
    call.fail(ErrorKind::kShape,
              "the bias is " + call.describe(2) + " for " + std::to_string(out) + " outputs",
              "it must be [" + std::to_string(out) + "]");
  }
  Shape shape = call.shape(0);
  shape[shape.size() - 1] = out;
  call.output(call.dtype(0), shape);
}

void evaluate_linear(EvalContext& call) {
  const TensorView x = call.input(0), weight = call.input(1), out = call.output();
  const std::int64_t rows = rows_of(x), in = weight.sizes[0], outputs = weight.sizes[1];
  const bool bias = call.has(2);
  dispatch_floating(out.dtype, [&]<class T>(T) {
    T* y = out.as<T>();
    if (bias) {  // rows start as the bias; the product is added on top
      const auto bytes = static_cast<std::size_t>(outputs) * sizeof(T);
      for (std::int64_t r = 0; r < rows && outputs > 0; ++r) {
        std::memcpy(y + r * outputs, call.input(2).data, bytes);
      }
    }
    kernels::gemm(false, false, rows, outputs, in, x.as<T>(), at_least_one(in), weight.as<T>(),
                  at_least_one(outputs), bias ? T(1) : T(0), y, at_least_one(outputs));
  });
}

void linear_vjp(VjpContext& c) {
  const Var g = c.cotangent();
  if (c.needs(0)) c.set(0, matmul(g, transpose(c.input(1))));
  const std::int64_t in = c.shape(1)[0], out = c.shape(1)[1];
  if (c.needs(1)) {
    std::int64_t rows = 1;
    const Shape shape = c.shape(0);
    for (int d = 0; d + 1 < shape.size(); ++d) rows *= shape[d];
    c.set(1, matmul(transpose(reshape(c.input(0), {rows, in})), reshape(g, {rows, out})));
  }
  if (c.has(2) && c.needs(2)) c.set(2, g);  // the engine sums over the rows
}

void backward_linear(BackwardContext& c) {
  const TensorView g = c.cotangent();
  const std::int64_t rows = rows_of(g), out = g.sizes[g.rank - 1];
  dispatch_floating(g.dtype, [&]<class T>(T) {
    if (c.needs(0)) {
      const TensorView weight = c.input(1);
      const auto to = c.gradient(0);
      const std::int64_t in = weight.sizes[0];
      kernels::gemm(false, true, rows, in, out, g.as<T>(), at_least_one(out), weight.as<T>(),
                    at_least_one(out), to.accumulate ? T(1) : T(0), to.view.as<T>(),
                    at_least_one(in));
    }
    if (c.needs(1)) {
      const TensorView x = c.input(0);
      const auto to = c.gradient(1);
      const std::int64_t in = x.sizes[x.rank - 1];
      kernels::gemm(true, false, in, out, rows, x.as<T>(), at_least_one(in), g.as<T>(),
                    at_least_one(out), to.accumulate ? T(1) : T(0), to.view.as<T>(),
                    at_least_one(out));
    }
  });
  if (c.has(2) && c.needs(2)) {
    const auto to = c.gradient(2);
    const std::int64_t shape[] = {rows, out};
    const bool reduced[] = {true, false};
    kernels::reduce_sum(g.dtype, g.data, shape, reduced, to.view.data, to.accumulate);
  }
}

double linear_flops(const OpCall& call) {
  return 2 * static_cast<double>(call.size(1, 0)) + (call.has(2) ? 1 : 0);
}

Fans linear_fans(const OpCall& call, int) { return {call.size(1, 0), call.size(1, 1)}; }

}  // namespace

constinit const OpDef linear_op = {
    .name = "linear",
    .doc = {.summary = "An affine map of the last axis, the bias fused in.",
            .formula = "y[…, j] = Σᵢ x[…, i]·w[i, j] + b[j]",
            .arguments = "x: […, in]; weight: [in, out]; bias: [out], or an empty Var for none; "
                         "float32 or float64 of one dtype",
            .gradient =
                "∂x: g·wᵀ, ∂w: xᵀ·g over all rows, ∂b: g summed over all rows; zeros of g beside "
                "infinities and NaN as in matmul",
            .source = "D. Rumelhart, G. Hinton, R. Williams, Learning representations by "
                      "back-propagating errors, 1986"},
    .min_inputs = 2,
    .max_inputs = 3,
    .optional = 0b100,
    .differentiable = 0b111,
    .reads = {reads_input(1), reads_input(0), 0},
    .linear = {0b101, 0b110},
    .layouts = {Layout::kDense, Layout::kDense, Layout::kDense},
    .infer = infer_linear,
    .evaluate = evaluate_linear,
    .vjp = linear_vjp,
    .backward = backward_linear,
    .flops = linear_flops,
    .fans = linear_fans,
};

}  // namespace ops

Var linear(const Var& x, const Var& weight, const Var& bias, std::source_location where) {
  const Var* inputs[] = {&x, &weight, &bias};
  return apply(ops::linear_op, inputs, nullptr, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(linear) {
  OpTests tests;
  int seed = 0;
  const auto add = [&](const Shape& x, std::int64_t out, bool bias) {
    Sample sample;
    const std::int64_t in = x[x.size() - 1];
    sample.name = to_string(x) + " to " + std::to_string(out) + (bias ? " with bias" : "");
    sample.inputs = {spread(x, -1, 1, ++seed), spread({in, out}, -1, 1, seed + 30)};
    if (bias) sample.inputs.push_back(spread({out}, -1, 1, seed + 60));
    sample.call = [](std::span<const Var> v) {
      return std::vector<Var>{linear(v[0], v[1], v.size() > 2 ? v[2] : Var())};
    };
    sample.reference = [in, out](std::span<const Tensor> v) {
      const std::int64_t rows =
          in == 0
              ? element_count(v[0].shape().span().first(static_cast<std::size_t>(v[0].rank() - 1)))
              : v[0].element_count() / in;
      std::vector<double> y;
      const std::vector<double> x_values = v[0].to_vector<double>(), w = v[1].to_vector<double>();
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t j = 0; j < out; ++j) {
          double total = v.size() > 2 ? v[2].at(j) : 0;
          for (std::int64_t i = 0; i < in; ++i) {
            total += x_values[static_cast<std::size_t>(r * in + i)] *
                     w[static_cast<std::size_t>(i * out + j)];
          }
          y.push_back(total);
        }
      }
      Shape shape = v[0].shape();
      shape[shape.size() - 1] = out;
      return std::vector<Tensor>{Tensor::from(y, shape)};
    };
    // Errors of many terms add up like the root of their number.
    sample.scale = sample.large() ? std::sqrt(static_cast<double>(in)) : 1;
    tests.samples.push_back(std::move(sample));
  };
  add({530, 300}, 260, true);
  add({67, 1037}, 90, true);
  add({140001, 3}, 2, true);
  add({4, 3}, 5, true);
  add({4, 3}, 5, false);
  add({3}, 2, true);
  add({2, 3, 4}, 3, true);
  add({0, 3}, 2, true);
  add({2, 0}, 3, true);
  tests.ulps32 = tests.ulps64 = 20;
  tests.order = 2;
  tests.linear = true;
  const auto zeros = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Tensor::zeros(shape, dtype);
  };
  tests.rejected = {
      {"inner sizes",
       [=] {
         return linear(zeros({2, 3}), zeros({4, 5}));
       },
       ErrorKind::kShape, "inner sizes differ: x is f32[2,3], the weight f32[4,5] (3 vs 4)"},
      {"bias",
       [=] {
         return linear(zeros({2, 3}), zeros({3, 5}), zeros({4}));
       },
       ErrorKind::kShape, "the bias is f32[4] for 5 outputs"},
      {"scalar",
       [=] {
         return linear(zeros({}), zeros({3, 5}));
       },
       ErrorKind::kShape,
       "needs x […, in] and a weight [in, out]: x is f32[], the weight f32[3,5]"},
      {"dtypes",
       [=] {
         return linear(zeros({2, 3}), zeros({3, 5}, DType::kFloat64));
       },
       ErrorKind::kDType, "mixed dtypes: f32[2,3] and f64[3,5]"}};
  return tests;
}
#endif
