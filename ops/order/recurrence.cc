#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>
#include <limits>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/order/lines.h"

// The two ops that derivatives of products are made of: closed under differentiation and free of
// division, so that they are right with zeros in every order.
namespace wengert {
namespace ops {
namespace {

void infer_recurrence(InferContext& call) {
  call.require_same_dtype(0, 1);
  call.require_floating(0);
  call.canonical_axis(&ScanAttributes::axis, call.rank(0));
  if (!(call.shape(0) == call.shape(1))) {
    call.fail(ErrorKind::kShape, "shapes differ: " + call.describe(0) + " and " + call.describe(1));
  }
  call.output(call.dtype(0), call.shape(0));
}

void evaluate_recurrence(EvalContext& call) {
  const auto& attributes = call.attributes<ScanAttributes>();
  const DenseInput a(call.input(0)), b(call.input(1));
  const TensorView out = call.output();
  const Lines lines(out, static_cast<int>(attributes.axis));
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t l = 0; l < lines.count; ++l) {
      std::int64_t at = lines.start(l), step = lines.step;
      if (attributes.reverse) {
        at += (lines.length - 1) * step;
        step = -step;
      }
      double h = 0;  // float32 runs in double and is rounded once an element, as in cumsum
      for (std::int64_t i = 0; i < lines.length; ++i, at += step) {
        // A state of 0 stays 0 through an infinite coefficient, as a zero cotangent must.
        // And a coefficient of 0 ends a state that has overflowed.
        const auto coefficient = static_cast<double>(a.view().as<T>()[at]);
        const bool ends = h == 0 || (coefficient == 0 && std::isinf(h));
        h = (ends ? 0 : coefficient * h) + static_cast<double>(b.view().as<T>()[at]);
        out.as<T>()[at] = static_cast<T>(h);
      }
    }
  });
}

void recurrence_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ScanAttributes>();
  const int axis = static_cast<int>(attributes.axis), by = attributes.reverse ? -1 : 1;
  // sᵢ = gᵢ + aᵢ₊₁·sᵢ₊₁ is the same recurrence from the other end.
  const Var s =
      linear_recurrence(shift(c.input(0), -by, axis, 0), c.cotangent(), axis, !attributes.reverse);
  if (c.needs(0)) c.set(0, cotangent_product(s, shift(c.output(), by, axis, 0)));
  if (c.needs(1)) c.set(1, s);
}

struct ShiftAttributes {
  std::int64_t by, axis;
  double fill;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("by", self.by);
    v("axis", self.axis);
    v("fill", self.fill);
  }
};

void infer_shift(InferContext& call) {
  call.require_floating(0);
  call.canonical_axis(&ShiftAttributes::axis, call.rank(0));
  call.output(call.dtype(0), call.shape(0));
}

void evaluate_shift(EvalContext& call) {
  const auto& attributes = call.attributes<ShiftAttributes>();
  const DenseInput x(call.input(0));
  const TensorView out = call.output();
  const Lines lines(out, static_cast<int>(attributes.axis));
  dispatch_floating(out.dtype, [&]<class T>(T) {
    for (std::int64_t l = 0; l < lines.count; ++l) {
      const T* from = x.view().as<T>() + lines.start(l);
      T* to = out.as<T>() + lines.start(l);
      for (std::int64_t i = 0; i < lines.length; ++i) {
        const bool inside = attributes.by >= 0
                                ? i >= attributes.by
                                : attributes.by > -lines.length && i < lines.length + attributes.by;
        to[i * lines.step] =
            inside ? from[(i - attributes.by) * lines.step] : static_cast<T>(attributes.fill);
      }
    }
  });
}

void shift_vjp(VjpContext& c) {
  const auto& attributes = c.attributes<ShiftAttributes>();
  // Beyond any length it makes no difference how far.
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  const std::int64_t back = attributes.by < -kFar ? kFar : -attributes.by;
  c.set(0, shift(c.cotangent(), back, static_cast<int>(attributes.axis), 0));
}

}  // namespace

constinit const OpDef linear_recurrence_op = {
    .name = "linear_recurrence",
    .doc = {.summary = "A first-order linear recurrence along an axis.",
            .formula = "y[i] = a[i]·y[i−1] + b[i] with y[−1] = 0; from the end if reverse",
            .arguments = "a, b: float32 or float64 of one dtype and shape; axis: negative from the "
                         "back. A state of 0 stays 0 whatever a is",
            .gradient = "∂b: s, the same recurrence from the other end, s[i] = g[i] + "
                        "a[i+1]·s[i+1]; ∂a: s[i]·y[i−1]",
            .source = "G. Blelloch, Prefix sums and their applications, 1990, §1.4"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 3,
    .reads = {reads_input(0) | kReadsOutputs, reads_input(0)},
    .linear = {0b10},
    .infer = infer_recurrence,
    .evaluate = evaluate_recurrence,
    .vjp = recurrence_vjp,
    .attributes = &attribute_type<ScanAttributes>,
};

constinit const OpDef shift_op = {
    .name = "shift",
    .doc = {.summary = "Moves elements along an axis and fills what becomes free.",
            .formula = "y[i] = x[i − by] where that exists, else fill",
            .arguments = "x: float32 or float64; by: positive towards the end; axis: negative from "
                         "the back; fill: a number",
            .gradient = "the cotangent moved back, with zeros",
            .source = "elementary"},
    .differentiable = 1,
    .infer = infer_shift,
    .evaluate = evaluate_shift,
    .vjp = shift_vjp,
    .attributes = &attribute_type<ShiftAttributes>,
};

}  // namespace ops

Var linear_recurrence(const Var& a, const Var& b, int axis, bool reverse,
                      std::source_location where) {
  return apply(ops::linear_recurrence_op, {&a, &b}, ops::ScanAttributes{axis, reverse}, where);
}

Var shift(const Var& x, std::int64_t by, int axis, double fill, std::source_location where) {
  return apply(ops::shift_op, {&x}, ops::ShiftAttributes{by, axis, fill}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/order/line_tests.h"

WENGERT_OP_TESTS(linear_recurrence) {
  OpTests tests;
  int seed = 0;
  auto cases = line_cases();
  for (const LineCase& c : long_line_cases()) cases.push_back(c);
  for (const auto& [shape, axis] : cases) {
    for (bool reverse : {false, true}) {
      Sample sample;
      sample.name = to_string(shape) + " along " + std::to_string(axis) + (reverse ? " back" : "");
      sample.inputs = {spread(shape, -1, 1, ++seed), spread(shape, -1, 1, seed + 50)};
      sample.call = [axis = axis, reverse](std::span<const Var> x) {
        return std::vector<Var>{linear_recurrence(x[0], x[1], axis, reverse)};
      };
      sample.reference = [axis = axis, reverse](std::span<const Tensor> x) {
        return std::vector<Tensor>{map_lines(x, axis, [reverse](const LineInputs& in) {
          std::vector<double> y(in[0].size());
          double h = 0;
          for (std::size_t k = 0; k < y.size(); ++k) {
            const std::size_t i = reverse ? y.size() - 1 - k : k;
            h = in[0][i] * h + in[1][i];
            y[i] = h;
          }
          return y;
        })};
      };
      sample.scale = 1;
      tests.samples.push_back(std::move(sample));
    }
  }
  const auto zeros = [](const Shape& shape, DType dtype = DType::kFloat32) {
    return Var(Tensor::zeros(shape, dtype));
  };
  tests.rejected = {
      {"shapes", [=] { return linear_recurrence(zeros({2}), zeros({3}), 0, false); },
       ErrorKind::kShape, "shapes differ: f32[2] and f32[3]"},
      {"axis", [=] { return linear_recurrence(zeros({2}), zeros({2}), 1, false); },
       ErrorKind::kAxis, "axis 1 is out of range for rank 1"},
      {"dtype",
       [=] { return linear_recurrence(zeros({2}), zeros({2}, DType::kFloat64), 0, false); },
       ErrorKind::kDType, "mixed dtypes: f32[2] and f64[2]"}};
  tests.ulps32 = tests.ulps64 = 8;
  return tests;
}

WENGERT_OP_TESTS(shift) {
  OpTests tests;
  int seed = 0;
  auto cases = line_cases();
  for (const LineCase& c : long_line_cases()) cases.push_back(c);
  for (const auto& [shape, axis] : cases) {
    for (std::int64_t by : {0, 1, -1, 2, -9}) {
      tests.samples.push_back(line_sample(
          "by " + std::to_string(by), spread(shape, -1, 1, ++seed), axis,
          [axis = axis, by](const Var& x) { return shift(x, by, axis, 1); },
          [by](const std::vector<double>& x) {
            std::vector<double> y(x.size(), 1.0);
            for (std::size_t i = 0; i < x.size(); ++i) {
              const auto to = static_cast<std::int64_t>(i) + by;
              if (to >= 0 && to < static_cast<std::int64_t>(x.size())) {
                y[static_cast<std::size_t>(to)] = x[i];
              }
            }
            return y;
          }));
    }
  }
  tests.rejected = line_rejected([](const Var& x, int axis) { return shift(x, 1, axis, 0); });
  tests.rejected.push_back({"integers",
                            [] { return shift(Tensor::zeros({2}, DType::kInt32), 1, 0, 0); },
                            ErrorKind::kDType, "needs float32 or float64, got i32[2]"});
  tests.ulps32 = tests.ulps64 = 0;
  tests.order = 2;
  tests.linear = true;
  return tests;
}
#endif
