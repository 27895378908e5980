#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct IsNan {
    template <class T>
    static auto value(T x) {
      return is_nan(x);
    }
  };

  struct IsInf {
    template <class T>
    static auto value(T x) {
      return is_inf(x);
    }
  };

  struct IsFinite {
    template <class T>
    static auto value(T x) {
      return is_finite(x);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_PREDICATE1(is_nan, IsNan, Floats)
WENGERT_PREDICATE1(is_inf, IsInf, Floats)
WENGERT_PREDICATE1(is_finite, IsFinite, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef is_nan_op =
    unary<formulas::IsNan>("is_nan", is_nan_elementwise,
                           {.summary = "Whether an element is NaN.",
                            .formula = "y = x is NaN",
                            .arguments = "x: float32 or float64, any shape",
                            .gradient = "none: the result is bool",
                            .source = "IEEE 754-2019 §5.7.2"});

constinit const OpDef is_inf_op =
    unary<formulas::IsInf>("is_inf", is_inf_elementwise,
                           {.summary = "Whether an element is infinite, of either sign.",
                            .formula = "y = |x| = ∞",
                            .arguments = "x: float32 or float64, any shape",
                            .gradient = "none: the result is bool",
                            .source = "IEEE 754-2019 §5.7.2"});

constinit const OpDef is_finite_op =
    unary<formulas::IsFinite>("is_finite", is_finite_elementwise,
                              {.summary = "Whether an element is neither infinite nor NaN.",
                               .formula = "y = |x| < ∞",
                               .arguments = "x: float32 or float64, any shape",
                               .gradient = "none: the result is bool",
                               .source = "IEEE 754-2019 §5.7.2"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
namespace {

using wengert::testing::OpTests;
using wengert::testing::Sample;

OpTests class_tests(wengert::testing::UnaryCall op, bool (*reference)(double)) {
  using namespace wengert;
  using testing::kInfinity;
  using testing::kNan;
  OpTests tests;
  tests.order = 0;
  const Tensor kinds = Tensor::from<double>(
      {0.0, -0.0, 1.0, -3.5, kInfinity, -kInfinity, kNan, -kNan, 1e-300, -1e30}, {10});
  const Tensor largest =
      Tensor::from<double>({std::numeric_limits<double>::max(), -1e308, 1e308}, {3, 1});
  const float most = std::numeric_limits<float>::max();
  const Tensor floats =
      Tensor::from<float>({most, -most, std::numeric_limits<float>::infinity()}, {3});
  for (const Tensor& x :
       {kinds, kinds.to(DType::kFloat32), kinds.reshaped({2, 5}), largest, floats,
        Tensor::full({}, kNan, DType::kFloat64), Tensor::zeros({2, 0}, DType::kFloat64),
        testing::spread({133}, -1.0, 1.0)}) {
    Sample sample;
    sample.name = to_string(x.dtype(), x.shape());
    sample.inputs = {x};
    sample.smooth = false;
    sample.call = [op](std::span<const Var> v) {
      return std::vector<Var>{op(v[0], std::source_location::current())};
    };
    sample.reference = [reference](std::span<const Tensor> v) {
      const auto f = [reference](std::span<const double> e) { return reference(e[0]) ? 1.0 : 0.0; };
      return std::vector<Tensor>{testing::map(v, f, DType::kBool)};
    };
    tests.samples.push_back(std::move(sample));
  }
  tests.rejected = testing::float_rejections(op);
  return tests;
}

}  // namespace

WENGERT_OP_TESTS(is_nan) {
  return class_tests(wengert::is_nan, [](double x) { return std::isnan(x); });
}

WENGERT_OP_TESTS(is_inf) {
  return class_tests(wengert::is_inf, [](double x) { return std::isinf(x); });
}

WENGERT_OP_TESTS(is_finite) {
  return class_tests(wengert::is_finite, [](double x) { return std::isfinite(x); });
}
#endif
