#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct LeakyReluAttributes {
    double slope = 0.01;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("slope", self.slope);
    }
  };

  struct LeakyRelu {
    using Attributes = LeakyReluAttributes;
    static constexpr int reads = kX;
    template <class T>
    static T value(T x, const Attributes& a) {
      return where(x > 0.0, x, a.slope * x);
    }
    template <class T>
    static T partial(T x, T, const Attributes& a) {
      return where(x > 0.0, like(x, 1.0), where(x <= 0.0, like(x, a.slope), x));
    }
  };

  struct Prelu {
    static constexpr int reads_a = kA | kB, reads_b = kA;
    template <class T>
    static T value(T x, T slope) {
      return where(x > 0.0, x, slope * x);
    }
    template <class T>
    static T partial_a(T x, T slope, T) {
      return where(x > 0.0, like(x, 1.0), where(x <= 0.0, slope, x));
    }
    template <class T>
    static T partial_b(T x, T, T) {
      return where(x > 0.0, like(x, 0.0), x);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(leaky_relu, LeakyRelu, Floats)
WENGERT_BINARY(prelu, Prelu, Floats)

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/text.h"

namespace wengert {
namespace ops {
namespace {

void check_leaky_relu(const OpCall& call) {
  const double slope = call.attributes<formulas::LeakyReluAttributes>().slope;
  if (!std::isfinite(slope)) {
    call.fail(ErrorKind::kValue, "slope must be finite, got " + format_number(slope),
              "slope is the derivative where x ≤ 0");
  }
}

constexpr OpDef leaky_relu_record(const Documentation& doc) {
  OpDef def = unary<formulas::LeakyRelu>("leaky_relu", leaky_relu_elementwise, doc);
  def.check = check_leaky_relu;
  def.default_attributes = &default_attributes_of<formulas::LeakyReluAttributes>;
  return def;
}

/// The slopes as they broadcast against x: one a channel comes to stand along `axis`.
Var placed_slope(const Var& x, const Var& slope, int axis, std::source_location where) {
  const Shape shape = x.shape(where), slopes = slope.shape(where);
  const int rank = shape.size();
  if (slopes.size() == 0 || slopes == Shape{1} || slopes == shape) return slope;
  const int from_front = axis < 0 ? axis + rank : axis;
  if (from_front < 0 || from_front >= rank) {
    throw Error(ErrorKind::kAxis, "prelu",
                "axis " + std::to_string(axis) + " of " + to_string(x.dtype(), shape),
                "axis is the one of the channels, negative from the back", where);
  }
  if (slopes.size() == 1 && slopes[0] == shape[from_front]) {
    if (from_front == rank - 1) return slope;
    Shape placed = slopes;
    while (placed.size() < rank - from_front) placed.insert(placed.size(), 1);
    return reshape(slope, placed, where);
  }
  bool for_elements = slopes.size() == rank - 1 && rank > 2;
  for (int d = 1; for_elements && d < rank; ++d) for_elements = slopes[d - 1] == shape[d];
  if (!for_elements) {
    throw Error(ErrorKind::kShape, "prelu",
                "slope " + to_string(slope.dtype(), slopes) + " does not fit x " +
                    to_string(x.dtype(), shape) + " with channels along axis " +
                    std::to_string(from_front),
                "give one number, one for each channel, or one for each element", where);
  }
  return slope;
}

}  // namespace

constinit const OpDef leaky_relu_op = leaky_relu_record(
    {.summary = "Rectifier with a small slope for negative x.",
     .formula = "y = x where x > 0, else slope·x",
     .arguments = "x: float32 or float64, any shape; slope: finite; NaN stays NaN. Equal to "
                  "max(slope·x, x) for slope ≤ 1 only",
     .gradient = "∂y/∂x = 1 where x > 0, else slope, at 0 too; NaN at NaN",
     .source = "A. Maas, A. Hannun, A. Ng, Rectifier nonlinearities improve neural network "
               "acoustic models, ICML 2013"});

constinit const OpDef prelu_op = binary<formulas::Prelu>(
    "prelu", prelu_elementwise,
    {.summary = "Rectifier whose slope for negative x is learned.",
     .formula = "y = x where x > 0, else slope·x",
     .arguments =
         "x, slope: float32 or float64 of one dtype. slope: one number, shared by all; "
         "one for each channel along the call's axis, negative from the back; or x's "
         "shape with or, from rank 3 on, without axis 0, one for each element. It broadcasts from "
         "the last axis: slopes of channels along another one are recorded under reshape. "
         "NaN in x stays NaN. Equal to max(slope·x, x) for slope ≤ 1 only",
     .gradient = "∂y/∂x = 1 where x > 0, else slope, at 0 too; NaN at NaN. ∂y/∂slope = x where "
                 "x ≤ 0, else 0, summed over all that share the slope",
     .source = "K. He et al., Delving deep into rectifiers, ICCV 2015"});

}  // namespace ops

Var leaky_relu(const Var& x, double slope, std::source_location where) {
  return apply(ops::leaky_relu_op, {&x}, ops::formulas::LeakyReluAttributes{slope}, where);
}

Var prelu(const Var& x, const Var& slope, int axis, std::source_location where) {
  if (!x.has_value() || !slope.has_value()) return apply(ops::prelu_op, x, slope, where);
  return apply(ops::prelu_op, x, ops::placed_slope(x, slope, axis, where), where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/graph/tape.h"
#include "wengert/ops/ops.h"

namespace {

using wengert::Shape;
using wengert::Tensor;
using wengert::Var;
using wengert::testing::Sample;

Var leaky_by_default(const Var& x, std::source_location where) {
  return wengert::leaky_relu(x, 0.01, where);
}
Var leaky_by_two(const Var& x, std::source_location where) {
  return wengert::leaky_relu(x, 2, where);
}
Var leaky_against(const Var& x, std::source_location where) {
  return wengert::leaky_relu(x, -0.5, where);
}
Var leaky_without_limit(const Var& x, std::source_location where) {
  return wengert::leaky_relu(x, wengert::testing::kInfinity, where);
}
Var leaky_of_nan(const Var& x, std::source_location where) {
  return wengert::leaky_relu(x, wengert::testing::kNan, where);
}

/// Slopes by their place in x, written with an index for each element.
Sample slopes_sample(const Shape& x, const Shape& slope, int axis,
                     std::function<std::int64_t(std::int64_t)> place) {
  Sample sample;
  sample.name = wengert::to_string(x) + " with slopes " + wengert::to_string(slope) + " at axis " +
                std::to_string(axis);
  sample.inputs = {wengert::testing::spread(x, 0.1, 3), wengert::testing::spread(slope, -1, 2, 2)};
  sample.call = [axis](std::span<const Var> v) {
    return std::vector<Var>{wengert::prelu(v[0], v[1], axis)};
  };
  sample.reference = [place](std::span<const Tensor> v) {
    std::vector<double> y;
    for (std::int64_t i = 0; i < v[0].element_count(); ++i) {
      const double at = v[0].at(i);
      y.push_back(at > 0 ? at : v[1].at(place(i)) * at);
    }
    return std::vector<Tensor>{Tensor::from(y, v[0].shape())};
  };
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(leaky_relu) {
  // The positive and the negative part apart.
  OpTests tests = unary_tests(
      leaky_by_default, [](double x) { return std::fmax(x, 0) - 0.01 * std::fmax(-x, 0); }, 0.1, 3);
  add_range(
      tests, leaky_by_two, [](double x) { return std::fmin(x, 2 * x); }, 0.1, 3);
  add_range(
      tests, leaky_against, [](double x) { return x > 0 ? x : x / -2; }, 0.1, 3);
  alternate_signs(tests);
  tests.specials = {{{0.0}, 0.0, {0.01}},
                    {{-0.0}, -0.0, {0.01}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-302, {0.01}},
                    {{1e-10}, 1e-10, {1.0}},
                    {{-1e-10}, -1e-12, {0.01}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -1e+306, {0.01}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{-10000.0}, -100.0, {0.01}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -kInfinity, {0.01}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(leaky_by_default);
  const Tensor x = Tensor::zeros({2}, wengert::DType::kFloat32);
  tests.rejected.push_back({"infinite slope",
                            [x] { return leaky_without_limit(x, std::source_location::current()); },
                            wengert::ErrorKind::kValue, "slope must be finite, got inf"});
  tests.rejected.push_back({"slope NaN",
                            [x] { return leaky_of_nan(x, std::source_location::current()); },
                            wengert::ErrorKind::kValue, "slope must be finite, got nan"});
  return tests;
}

WENGERT_OP_TESTS(prelu) {
  OpTests tests;
  const auto shared = [](std::int64_t) { return std::int64_t{0}; };
  tests.samples = {
      slopes_sample({}, {}, -1, shared),
      slopes_sample({19}, {}, -1, shared),
      slopes_sample({3, 5}, {1}, 0, shared),
      slopes_sample({5, 7}, {7}, -1, [](std::int64_t i) { return i % 7; }),
      slopes_sample({2, 3, 4, 5}, {3}, 1, [](std::int64_t i) { return i / 20 % 3; }),
      slopes_sample({2, 3, 4, 5}, {4}, -2, [](std::int64_t i) { return i / 5 % 4; }),
      slopes_sample({3, 3}, {3}, 0, [](std::int64_t i) { return i / 3; }),
      slopes_sample({3, 4, 5}, {4, 5}, -1, [](std::int64_t i) { return i % 20; }),
      slopes_sample({3, 4}, {3, 4}, -1, [](std::int64_t i) { return i; }),
      slopes_sample({0, 3}, {3}, 1, [](std::int64_t i) { return i; }),
      slopes_sample(kLongSum, {}, -1, shared),
      slopes_sample({24001, 3}, {3}, -1, [](std::int64_t i) { return i % 3; }),
      slopes_sample({2, kLongVector[0]}, kLongVector, -1,
                    [](std::int64_t i) { return i % kLongVector[0]; }),
      slopes_sample({50, 3, 2901}, {3}, 1, [](std::int64_t i) { return i / 2901 % 3; }),
      slopes_sample({1201, 131, 2}, {131}, 1, [](std::int64_t i) { return i / 2 % 131; }),
      slopes_sample(kManyColumns, {kManyColumns[1]}, -1,
                    [](std::int64_t i) { return i % kManyColumns[1]; }),
      slopes_sample(kManyWideRows, {kManyWideRows[0]}, 0,
                    [](std::int64_t i) { return i / kManyWideRows[1]; }),
  };
  alternate_signs(tests);
  tests.specials = {{{0.0, 0.25}, 0.0, {0.25, 0.0}},
                    {{-0.0, 0.25}, -0.0, {0.25, -0.0}},
                    {{1e-300, 0.25}, 1e-300, {1.0, 0.0}},
                    {{-1e-300, 0.25}, -2.5e-301, {0.25, -1e-300}},
                    {{1e+308, 0.25}, 1e+308, {1.0, 0.0}},
                    {{-1e+308, 0.25}, -2.5e+307, {0.25, -1e+308}},
                    {{-10000.0, 0.25}, -2500.0, {0.25, -10000.0}},
                    {{2.0, 3.0}, 2.0, {1.0, 0.0}},
                    {{-2.0, 3.0}, -6.0, {3.0, -2.0}},
                    {{kInfinity, 0.25}, kInfinity, {1.0, 0.0}},
                    {{-kInfinity, 0.25}, -kInfinity, {0.25, -kInfinity}},
                    {{2.0, kNan}, 2.0, {1.0, 0.0}},
                    {{-2.0, kNan}, kNan, {kNan, -2.0}},
                    {{kNan, 0.25}, kNan, {kNan, kNan}}};
  const auto bad = [](const Shape& x, const Shape& slope, int axis) {
    return [=] {
      const wengert::DType dtype = wengert::DType::kFloat32;
      (void)wengert::prelu(Tensor::zeros(x, dtype), Tensor::zeros(slope, dtype), axis);
    };
  };
  using wengert::ErrorKind;
  tests.rejected = {{"too few slopes", bad({2, 3, 4}, {3}, -1), ErrorKind::kShape,
                     "slope f32[3] does not fit x f32[2,3,4] with channels along axis 2"},
                    {"slopes of other elements", bad({2, 3, 4}, {3, 3}, -1), ErrorKind::kShape,
                     "slope f32[3,3] does not fit x f32[2,3,4] with channels along axis 2"},
                    {"axis", bad({2, 3}, {3}, 2), ErrorKind::kAxis, "axis 2 of f32[2,3]"},
                    {"most negative axis", bad({2, 3}, {3}, INT32_MIN), ErrorKind::kAxis,
                     "axis -2147483648 of f32[2,3]"},
                    {"mixed dtypes",
                     [] {
                       (void)wengert::prelu(Tensor::zeros({2}, wengert::DType::kFloat32),
                                            Tensor::zeros({}, wengert::DType::kFloat64));
                     },
                     ErrorKind::kDType, "mixed dtypes: f32[2] and f64[]"},
                    {"integers",
                     [] {
                       (void)wengert::prelu(Tensor::from({1, 2}, {2}), Tensor::from({1, 2}, {2}));
                     },
                     ErrorKind::kDType, "not defined for i32[2]"},
                    {"empty slope", [] { (void)wengert::prelu(Tensor::zeros({2}), Var()); },
                     ErrorKind::kGraph, "input 1 is an empty Var"}};
  return tests;
}
#endif
