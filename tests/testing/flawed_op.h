#pragma once

#include <cmath>

#include "wengert/graph/op.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/testing.h"

// An op of a program's own, y = x³, that can be broken in one way at a time.
namespace wengert::testing {

enum class Flaw {
  kNone,
  kValue,          ///< the value is off by 1e-12 relative
  kFirstOrder,     ///< the partial derivative is 2.9999x² in both forms
  kSecondOrder,    ///< the recorded form stops the gradient on its way to x
  kFusedForm,      ///< only the fused form is wrong
  kAccumulation,   ///< the fused form overwrites where it should add
  kStrides,        ///< the kernel takes every input as dense
  kZeroCotangent,  ///< 0·∞ gives NaN
  kFloat32,        ///< float32 derivatives are computed with half the digits
  kForgottenRead,  ///< the derivative reads x, the record does not say so
  kFarValue,       ///< a value far beyond the first task is its neighbour's
  kFarGradient,    ///< so is a gradient
  kThreads,        ///< the last bit of a value depends on the number of threads
};

inline Flaw g_flaw = Flaw::kNone;

inline std::int64_t offset_of(const TensorView& view, std::int64_t i) {
  if (g_flaw == Flaw::kStrides) return i;
  const Strides strides = view.resolved_strides();
  std::int64_t offset = 0;
  for (int d = view.rank - 1; d >= 0; --d) {
    offset += (i % view.sizes[d]) * strides[d];
    i /= view.sizes[d];
  }
  return offset;
}

inline void infer_cube(InferContext& call) {
  call.require_floating(0);
  if (call.rank(0) > 3) call.fail(ErrorKind::kShape, "too many axes: " + call.describe(0));
  call.output(call.dtype(0), call.shape(0));
}

inline void evaluate_cube(EvalContext& call) {
  const TensorView in = call.input(0), out = call.output();
  dispatch_floating(in.dtype, [&]<class T>(T) {
    const T factor = static_cast<T>(g_flaw == Flaw::kValue ? 1 + 1e-12 : 1);
    for (std::int64_t i = 0; i < in.count(); ++i) {
      const bool far = g_flaw == Flaw::kFarValue && i == 65536;
      const T x = in.as<T>()[offset_of(in, far ? i - 1 : i)];
      out.as<T>()[i] = x * x * x * factor;
    }
    if (g_flaw == Flaw::kThreads && kernels::thread_count() == 3 && in.count() > 0) {
      out.as<T>()[0] = std::nextafter(out.as<T>()[0], T(0));
    }
  });
}

inline void cube_vjp(VjpContext& c) {
  Var x = c.input(0);
  if (g_flaw == Flaw::kSecondOrder) x = Var(x.value());
  const Var partial = mul(g_flaw == Flaw::kFirstOrder ? 2.9999 : 3.0, square(x));
  c.set(0, g_flaw == Flaw::kZeroCotangent ? mul(c.cotangent(), partial)
                                          : cotangent_product(c.cotangent(), partial));
}

inline void backward_cube(BackwardContext& c) {
  const TensorView in = c.input(0), g = c.cotangent();
  const auto to = c.gradient(0);
  dispatch_floating(in.dtype, [&]<class T>(T) {
    double factor = 3;
    if (g_flaw == Flaw::kFirstOrder) factor = 2.9999;
    if (g_flaw == Flaw::kFusedForm) factor = 3.0001;
    for (std::int64_t i = 0; i < in.count(); ++i) {
      const bool far = g_flaw == Flaw::kFarGradient && i == 65536;
      const T x = in.as<T>()[offset_of(in, far ? i - 1 : i)], u = g.as<T>()[i];
      T r = static_cast<T>(factor) * (x * x);
      if (g_flaw == Flaw::kFloat32 && sizeof(T) == 4) r = std::ldexp(std::rint(r * 1024), -10);
      r = u == 0 && g_flaw != Flaw::kZeroCotangent ? T(0) : u * r;
      T& out = to.view.as<T>()[i];
      out = to.accumulate && g_flaw != Flaw::kAccumulation ? out + r : r;
    }
  });
}

inline OpDef cube_record() {
  OpDef op;
  op.name = "test_cube";
  op.doc = {.summary = "Cube.",
            .formula = "y = x³",
            .arguments = "x: float32 or float64",
            .gradient = "3x²",
            .source = "elementary"};
  op.differentiable = 1;
  op.reads = {g_flaw == Flaw::kForgottenRead ? kReadsOutputs : reads_input(0)};
  op.infer = infer_cube;
  op.evaluate = evaluate_cube;
  op.vjp = cube_vjp;
  op.backward = backward_cube;
  return op;
}

/// Samples, special points and rejected inputs of `op`, which must outlive the result.
inline OpTests cube_tests(const OpDef& op) {
  OpTests tests;
  tests.op = "test_cube";
  int seed = 0;
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{3, 4}, Shape{0, 2}, kLongVector}) {
    Sample sample;
    sample.name = to_string(shape);
    sample.inputs = {spread(shape, -2, 2, ++seed)};
    sample.call = [&op](std::span<const Var> x) {
      return std::vector<Var>{apply(op, x[0], std::source_location::current())};
    };
    sample.reference = [](std::span<const Tensor> x) {
      return std::vector<Tensor>{
          map(x, [](std::span<const double> v) { return v[0] * v[0] * v[0]; })};
    };
    tests.samples.push_back(std::move(sample));
  }
  tests.specials = {{{0.0}, 0.0, {0.0}},
                    {{-0.0}, -0.0, {0.0}},
                    {{kInfinity}, kInfinity, {kInfinity}},
                    {{kNan}, kNan, {kNan}}};
  const auto call = [&op](Tensor x) {
    return [&op, x] { return apply(op, Var(x), std::source_location::current()); };
  };
  tests.rejected = {
      {"integers", call(Tensor::from({1, 2}, {2})), ErrorKind::kDType,
       "needs float32 or float64, got i32[2]"},
      {"rank 4", call(Tensor::zeros({1, 1, 1, 1}, DType::kFloat32)), ErrorKind::kShape,
       "too many axes: f32[1,1,1,1]"},
      {"empty Var", [&op] { return apply(op, Var(), std::source_location::current()); },
       ErrorKind::kGraph, "input 0 is an empty Var"}};
  return tests;
}

}  // namespace wengert::testing
