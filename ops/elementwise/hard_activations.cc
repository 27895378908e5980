#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct HardTanh {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return where(x < -1.0, like(x, -1.0), where(x > 1.0, like(x, 1.0), x));
    }
    template <class T>
    static T partial(T, T y) {
      return where(abs(y) < 1.0, like(y, 1.0), where(abs(y) >= 1.0, like(y, 0.0), y));
    }
  };

  struct Relu6 {
    static constexpr int reads = kY;
    template <class T>
    static T value(T x) {
      return where(x <= 0.0, like(x, 0.0), where(x > 6.0, like(x, 6.0), x));
    }
    template <class T>
    static T partial(T, T y) {
      return where(y <= 0.0, like(y, 0.0),
                   where(y < 6.0, like(y, 1.0), where(y >= 6.0, like(y, 0.0), y)));
    }
  };

  struct HardSigmoidAttributes {
    double slope = 1.0 / 6, offset = 0.5;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("slope", self.slope);
      v("offset", self.offset);
    }
  };

  struct HardSigmoid {
    using Attributes = HardSigmoidAttributes;
    static constexpr int reads = kY;
    template <class T>
    static T value(T x, const Attributes& a) {
      const T y = a.slope * (x + a.offset / a.slope);  // in this order right near the lower kink
      return where(y <= 0.0, like(x, 0.0), where(y > 1.0, like(x, 1.0), y));
    }
    template <class T>
    static T partial(T, T y, const Attributes& a) {
      return where(y <= 0.0, like(y, 0.0),
                   where(y < 1.0, like(y, a.slope), where(y >= 1.0, like(y, 0.0), y)));
    }
  };

  struct HardSwish {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return where(x <= -3.0, like(x, 0.0), where(x >= 3.0, x, x * ((x + 3.0) / 6.0)));
    }
    template <class T>
    static T partial(T x, T) {
      return where(x <= -3.0, like(x, 0.0), where(x >= 3.0, like(x, 1.0), (2.0 * x + 3.0) / 6.0));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(hard_tanh, HardTanh, Floats)
WENGERT_UNARY(relu6, Relu6, Floats)
WENGERT_UNARY(hard_sigmoid, HardSigmoid, Floats)
WENGERT_UNARY(hard_swish, HardSwish, Floats)

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/text.h"

namespace wengert {
namespace ops {
namespace {

void check_hard_sigmoid(const OpCall& call) {
  const auto& a = call.attributes<formulas::HardSigmoidAttributes>();
  if (!(a.slope > 0) || std::isinf(a.slope)) {
    call.fail(ErrorKind::kValue, "slope must be positive, got " + format_number(a.slope),
              "slope is the derivative between the kinks");
  }
  if (!std::isfinite(a.offset / a.slope)) {
    call.fail(ErrorKind::kValue,
              "no zero where offset is " + format_number(a.offset) + " and slope " +
                  format_number(a.slope),
              "offset is the value at 0; offset/slope must be finite");
  }
}

constexpr OpDef hard_sigmoid_record(const Documentation& doc) {
  OpDef def = unary<formulas::HardSigmoid>("hard_sigmoid", hard_sigmoid_elementwise, doc);
  def.check = check_hard_sigmoid;
  def.default_attributes = &default_attributes_of<formulas::HardSigmoidAttributes>;
  return def;
}

}  // namespace

constinit const OpDef hard_tanh_op = unary<formulas::HardTanh>(
    "hard_tanh", hard_tanh_elementwise,
    {.summary = "Piecewise linear form of tanh.",
     .formula = "y = min(max(x, −1), 1)",
     .arguments = "x: float32 or float64, any shape; NaN stays NaN",
     .gradient = "∂y/∂x = 1 where −1 < x < 1, else 0: the subgradient at the kinks is 0, where "
                 "clip(x, −1, 1) has 1; NaN at NaN",
     .source = "R. Collobert, Large scale machine learning, thesis, Université Paris VI, 2004"});

constinit const OpDef relu6_op = unary<formulas::Relu6>(
    "relu6", relu6_elementwise,
    {.summary = "Rectified linear unit that ends at 6.",
     .formula = "y = min(max(x, 0), 6)",
     .arguments = "x: float32 or float64, any shape; NaN stays NaN",
     .gradient = "∂y/∂x = 1 where 0 < x < 6, else 0: the subgradient at the kinks is 0; NaN at NaN",
     .source = "A. Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010"});

constinit const OpDef hard_sigmoid_op = hard_sigmoid_record(
    {.summary = "Piecewise linear form of the sigmoid.",
     .formula = "y = min(max(slope·x + offset, 0), 1); by default min(max(x + 3, 0), 6)/6",
     .arguments = "x: float32 or float64, any shape; slope > 0, offset: finite; 0.2 and 0.5 give "
                  "the form of Keras before 3; NaN stays NaN",
     .gradient = "∂y/∂x = slope where 0 < y < 1, else 0: the subgradient at the kinks is 0; NaN "
                 "at NaN",
     .source = "A. Howard et al., Searching for MobileNetV3, ICCV 2019"});

constinit const OpDef hard_swish_op = unary<formulas::HardSwish>(
    "hard_swish", hard_swish_elementwise,
    {.summary = "Piecewise form of silu by the hard sigmoid.",
     .formula = "y = x·min(max(x + 3, 0), 6)/6",
     .arguments = "x: float32 or float64, any shape; 0 at −∞; NaN stays NaN",
     .gradient = "∂y/∂x = 0 where x ≤ −3, 1 where x ≥ 3, the kinks included, else (2·x + 3)/6; NaN "
                 "at NaN",
     .source = "A. Howard et al., Searching for MobileNetV3, ICCV 2019"});

}  // namespace ops

Var hard_sigmoid(const Var& x, double slope, double offset, std::source_location where) {
  return apply(ops::hard_sigmoid_op, {&x}, ops::formulas::HardSigmoidAttributes{slope, offset},
               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/ops.h"

namespace {

wengert::Var hard_sigmoid_by_default(const wengert::Var& x, std::source_location where) {
  return wengert::hard_sigmoid(x, 1.0 / 6, 0.5, where);
}
wengert::Var hard_sigmoid_of_keras(const wengert::Var& x, std::source_location where) {
  return wengert::hard_sigmoid(x, 0.2, 0.5, where);
}

}  // namespace

WENGERT_OP_TESTS(hard_tanh) {
  const auto reference = [](double x) { return std::fmin(std::fmax(x, -1), 1); };
  OpTests tests = unary_tests(wengert::hard_tanh, reference, -0.98, 0.98);
  add_range(tests, wengert::hard_tanh, reference, 1.02, 5);
  add_range(tests, wengert::hard_tanh, reference, -5, -1.02);
  add_values(tests, wengert::hard_tanh, reference, -3, 3);
  tests.specials = {
      {{0.0}, 0.0, {1.0}},         {{-0.0}, -0.0, {1.0}},       {{1e-300}, 1e-300, {1.0}},
      {{-1e-300}, -1e-300, {1.0}}, {{1e-10}, 1e-10, {1.0}},     {{1.0}, 1.0, {0.0}},
      {{-1.0}, -1.0, {0.0}},       {{0.96875}, 0.96875, {1.0}}, {{-0.96875}, -0.96875, {1.0}},
      {{10000.0}, 1.0, {0.0}},     {{-10000.0}, -1.0, {0.0}},   {{1e+308}, 1.0, {0.0}},
      {{-1e+308}, -1.0, {0.0}},    {{kInfinity}, 1.0, {0.0}},   {{-kInfinity}, -1.0, {0.0}},
      {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::hard_tanh);
  return tests;
}

WENGERT_OP_TESTS(relu6) {
  const auto reference = [](double x) { return std::fmin(std::fmax(x, 0), 6); };
  OpTests tests = unary_tests(wengert::relu6, reference, 0.02, 5.98);
  add_range(tests, wengert::relu6, reference, 6.02, 10);
  add_range(tests, wengert::relu6, reference, -5, -0.02);
  add_values(tests, wengert::relu6, reference, -5, 11);
  tests.specials = {{{0.0}, 0.0, {0.0}},     {{-0.0}, 0.0, {0.0}},      {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, 0.0, {0.0}}, {{1e-10}, 1e-10, {1.0}},   {{-1e-10}, 0.0, {0.0}},
                    {{3.0}, 3.0, {1.0}},     {{6.0}, 6.0, {0.0}},       {{5.9375}, 5.9375, {1.0}},
                    {{10000.0}, 6.0, {0.0}}, {{-10000.0}, 0.0, {0.0}},  {{1e+308}, 6.0, {0.0}},
                    {{-1e+308}, 0.0, {0.0}}, {{kInfinity}, 6.0, {0.0}}, {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::relu6);
  return tests;
}

WENGERT_OP_TESTS(hard_sigmoid) {
  const auto reference = [](double x) { return std::fmin(std::fmax(x + 3, 0), 6) / 6; };
  const auto of_keras = [](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); };
  OpTests tests = unary_tests(hard_sigmoid_by_default, reference, -2.98, 2.98);
  add_range(tests, hard_sigmoid_by_default, reference, 3.02, 8);
  add_range(tests, hard_sigmoid_by_default, reference, -8, -3.02);
  add_values(tests, hard_sigmoid_by_default, reference, -6, 6);
  add_range(tests, hard_sigmoid_of_keras, of_keras, -1.5, 2.48);
  add_range(tests, hard_sigmoid_of_keras, of_keras, 2.52, 8);
  add_range(tests, hard_sigmoid_of_keras, of_keras, -8, -2.52);
  constexpr double kSlope = 0.16666666666666666;
  tests.specials = {{{0.0}, 0.5, {kSlope}},
                    {{-0.0}, 0.5, {kSlope}},
                    {{1e-300}, 0.5, {kSlope}},
                    {{-1e-300}, 0.5, {kSlope}},
                    {{1e-10}, 0.5000000000166667, {kSlope}},
                    {{-1e-10}, 0.49999999998333333, {kSlope}},
                    {{1.5}, 0.75, {kSlope}},
                    {{3.0}, 1.0, {0.0}},
                    {{-3.0}, 0.0, {0.0}},
                    {{2.875}, 0.9791666666666666, {kSlope}},
                    {{-2.9999998}, 3.333333335279557e-08, {kSlope}},
                    {{10000.0}, 1.0, {0.0}},
                    {{-10000.0}, 0.0, {0.0}},
                    {{1e+308}, 1.0, {0.0}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(hard_sigmoid_by_default);
  const auto bad = [](double slope, double offset) {
    return [=] {
      (void)wengert::hard_sigmoid(wengert::Tensor::zeros({2}, wengert::DType::kFloat32), slope,
                                  offset);
    };
  };
  const auto kind = wengert::ErrorKind::kValue;
  tests.rejected.push_back({"slope 0", bad(0, 0.5), kind, "slope must be positive, got 0"});
  tests.rejected.push_back({"slope NaN", bad(kNan, 0.5), kind, "slope must be positive, got nan"});
  tests.rejected.push_back(
      {"infinite slope", bad(kInfinity, 0.5), kind, "slope must be positive, got inf"});
  tests.rejected.push_back(
      {"offset NaN", bad(0.2, kNan), kind, "no zero where offset is nan and slope 0.2"});
  return tests;
}

WENGERT_OP_TESTS(hard_swish) {
  const auto reference = [](double x) { return x * (std::fmin(std::fmax(x + 3, 0), 6) / 6); };
  OpTests tests = unary_tests(wengert::hard_swish, reference, -2.98, 2.98);
  add_range(tests, wengert::hard_swish, reference, 3.02, 8);
  add_range(tests, wengert::hard_swish, reference, -8, -3.02);
  add_values(tests, wengert::hard_swish, reference, -6, 6);
  tests.specials = {{{0.0}, 0.0, {0.5}},
                    {{-0.0}, -0.0, {0.5}},
                    {{1e-300}, 5e-301, {0.5}},
                    {{-1e-300}, -5e-301, {0.5}},
                    {{1e-10}, 5.000000000166667e-11, {0.5000000000333333}},
                    {{-1e-10}, -4.9999999998333333e-11, {0.49999999996666667}},
                    {{-1.5}, -0.375, {0.0}},
                    {{1.0}, 0.6666666666666666, {0.8333333333333334}},
                    {{3.0}, 3.0, {1.0}},
                    {{-3.0}, 0.0, {0.0}},
                    {{2.875}, 2.8151041666666665, {1.4583333333333333}},
                    {{-2.875}, -0.05989583333333333, {-0.4583333333333333}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{-10000.0}, 0.0, {0.0}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.rejected = float_rejections(wengert::hard_swish);
  return tests;
}
#endif
