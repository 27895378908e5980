#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct Sigmoid {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return sigmoid(x);
    }
    template <class T>
    static T partial(T x, T) {
      return sigmoid_slope(x);
    }
  };

  struct LogSigmoid {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return where(x < 0.0, x, 0.0) - log1p(exp(-abs(x)));
    }
    template <class T>
    static T partial(T x, T) {
      return sigmoid(-x);
    }
  };

  struct Softplus {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x)));
    }
    template <class T>
    static T partial(T x, T) {
      return sigmoid(x);
    }
  };

  struct Logit {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      const auto low = x < 0.5;
      const T near = where(low, x + 0.0, 1.0 - x);  // + 0: logit(−0) is −∞ too
      const T far = log1p((1.0 - 2.0 * near) / near);
      return where(low, -far, far);
    }
    template <class T>
    static T partial(T x, T) {
      return 1.0 / (x * (1.0 - x));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(sigmoid, Sigmoid, Floats)
WENGERT_UNARY(log_sigmoid, LogSigmoid, Floats)
WENGERT_UNARY(softplus, Softplus, Floats)
WENGERT_UNARY(logit, Logit, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef sigmoid_op = unary<formulas::Sigmoid>(
    "sigmoid", sigmoid_elementwise,
    {.summary = "Logistic function.",
     .formula = "y = 1/(1 + e⁻ˣ)",
     .arguments = "x: float32 or float64, any shape; 0 at −∞, 1 at ∞, accurate in the "
                  "lower tail",
     .gradient = "∂y/∂x = e⁻ˣ/(1 + e⁻ˣ)², accurate in both tails",
     .source = "elementary"});

constinit const OpDef log_sigmoid_op = unary<formulas::LogSigmoid>(
    "log_sigmoid", log_sigmoid_elementwise,
    {.summary = "Logarithm of the logistic function, stable on both sides.",
     .formula = "y = ln σ(x) = min(x, 0) − ln(1 + exp(−|x|))",
     .arguments = "x: float32 or float64, any shape; 0 at ∞, x for very negative x",
     .gradient = "∂y/∂x = σ(−x)",
     .source = "elementary"});

constinit const OpDef softplus_op = unary<formulas::Softplus>(
    "softplus", softplus_elementwise,
    {.summary = "Smooth form of the rectifier, stable on both sides.",
     .formula = "y = ln(1 + eˣ) = max(x, 0) + ln(1 + exp(−|x|))",
     .arguments = "x: float32 or float64, any shape; 0 at −∞, x for large x",
     .gradient = "∂y/∂x = σ(x)",
     .source = "C. Dugas et al., Incorporating second-order functional knowledge for "
               "better option pricing, NIPS 2000"});

constinit const OpDef logit_op = unary<formulas::Logit>(
    "logit", logit_elementwise,
    {.summary = "Log-odds, the inverse of the logistic function.",
     .formula = "y = ln(x/(1 − x))",
     .arguments = "x: float32 or float64, any shape; −∞ at 0, ∞ at 1, NaN outside [0, 1]; "
                  "accurate near ½, where ln(x/(1 − x)) cancels",
     .gradient = "∂y/∂x = 1/(x·(1 − x)): ±∞ at ±0, ∞ at 1, also outside where y is NaN",
     .source = "elementary"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(sigmoid) {
  OpTests tests = unary_tests(
      wengert::sigmoid, [](double x) { return std::exp(x) / (1 + std::exp(x)); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 0.5, {0.25}},
                    {{-0.0}, 0.5, {0.25}},
                    {{1e-300}, 0.5, {0.25}},
                    {{-1e-300}, 0.5, {0.25}},
                    {{1e+308}, 1.0, {0.0}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, 1.0, {0.0}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 0.500000000025, {0.25}},
                    {{-1e-10}, 0.499999999975, {0.25}},
                    {{40.0}, 1.0, {4.248354255291589e-18}},
                    {{-40.0}, 4.24835425529159e-18, {4.24835425529159e-18}},
                    {{800.0}, 1.0, {0.0}},
                    {{-800.0}, 0.0, {0.0}},
                    {{10000.0}, 1.0, {0.0}},
                    {{-10000.0}, 0.0, {0.0}}};
  tests.rejected = float_rejections(wengert::sigmoid);
  return tests;
}

WENGERT_OP_TESTS(log_sigmoid) {
  OpTests tests = unary_tests(
      wengert::log_sigmoid, [](double x) { return -std::log1p(std::exp(-x)); }, -4.0, 4.0);
  tests.specials = {{{0.0}, -0.6931471805599453, {0.5}},
                    {{-0.0}, -0.6931471805599453, {0.5}},
                    {{1e-300}, -0.6931471805599453, {0.5}},
                    {{-1e-300}, -0.6931471805599453, {0.5}},
                    {{1e+308}, 0.0, {0.0}},
                    {{-1e+308}, -1e+308, {1.0}},
                    {{kInfinity}, 0.0, {0.0}},
                    {{-kInfinity}, -kInfinity, {1.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, -0.6931471805099453, {0.499999999975}},
                    {{-1e-10}, -0.6931471806099453, {0.500000000025}},
                    {{40.0}, -4.248354255291589e-18, {4.24835425529159e-18}},
                    {{-40.0}, -40.0, {1.0}},
                    {{800.0}, 0.0, {0.0}},
                    {{-800.0}, -800.0, {1.0}},
                    {{10000.0}, 0.0, {0.0}},
                    {{-10000.0}, -10000.0, {1.0}}};
  tests.rejected = float_rejections(wengert::log_sigmoid);
  return tests;
}

WENGERT_OP_TESTS(softplus) {
  OpTests tests = unary_tests(
      wengert::softplus, [](double x) { return std::log1p(std::exp(x)); }, -4.0, 4.0);
  tests.specials = {{{0.0}, 0.6931471805599453, {0.5}},
                    {{-0.0}, 0.6931471805599453, {0.5}},
                    {{1e-300}, 0.6931471805599453, {0.5}},
                    {{-1e-300}, 0.6931471805599453, {0.5}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, 0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, 0.0, {0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{1e-10}, 0.6931471806099453, {0.500000000025}},
                    {{-1e-10}, 0.6931471805099453, {0.499999999975}},
                    {{40.0}, 40.0, {1.0}},
                    {{-40.0}, 4.248354255291589e-18, {4.24835425529159e-18}},
                    {{800.0}, 800.0, {1.0}},
                    {{-800.0}, 0.0, {0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{-10000.0}, 0.0, {0.0}}};
  tests.ulps64 = 8;  // exp and log1p are 4 ULPs off at most, and the error of exp passes through
  tests.rejected = float_rejections(wengert::softplus);
  return tests;
}

WENGERT_OP_TESTS(logit) {
  OpTests tests = unary_tests(
      wengert::logit, [](double x) { return 2 * std::atanh(2 * x - 1); }, 0.05, 0.95);
  tests.specials = {{{0.0}, -kInfinity, {kInfinity}},
                    {{-0.0}, -kInfinity, {-kInfinity}},
                    {{1e-300}, -690.7755278982137, {9.999999999999999e+299}},
                    {{-1e-300}, kNan, {-9.999999999999999e+299}},
                    {{1e+308}, kNan, {-0.0}},
                    {{-1e+308}, kNan, {-0.0}},
                    {{kInfinity}, kNan, {-0.0}},
                    {{-kInfinity}, kNan, {-0.0}},
                    {{kNan}, kNan, {kNan}},
                    {{0.5}, 0.0, {4.0}},
                    {{1.0}, kInfinity, {kInfinity}},
                    {{0.75}, 1.0986122886681096, {5.333333333333333}},
                    {{2.0}, kNan, {-0.5}},
                    {{-1.0}, kNan, {-0.5}},
                    {{0.5000000001}, 4.000000330961484e-10, {4.0}}};
  tests.rejected = float_rejections(wengert::logit);
  return tests;
}
#endif
