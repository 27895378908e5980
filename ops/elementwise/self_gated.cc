#include "wengert/ops/elementwise/formula.h"

// x times a share that goes from 0 to 1.
WENGERT_FORMULAS {
#if defined(WENGERT_LEVEL)
  /// The number for x's dtype.
  template <class T>
  inline double by_precision(Lanes<T>, double single, double twice) {
    return sizeof(T) == 4 ? single : twice;
  }
  /// tanh(softplus(x)) = (e² + 2e)/(e² + 2e + 2) of e = eˣ; where x > 0, over the square of it.
  template <class T>
  inline Lanes<T> mish_share(Lanes<T> x) {
    const Lanes<T> e = exp(-abs(x));
    const auto positive = x > 0.0;
    return where(positive, 1.0 + 2.0 * e, e * (2.0 + e)) /
           where(positive, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e));
  }
  /// Its derivative, σ(x)/cosh²(softplus(x)) = 4·e·(1 + e)/(e² + 2e + 2)² of e = eˣ.
  template <class T>
  inline Lanes<T> mish_slope(Lanes<T> x) {
    const Lanes<T> e = exp(-abs(x));
    const auto positive = x > 0.0;
    const Lanes<T> below = where(positive, 1.0 + 2.0 * e * (1.0 + e), 2.0 + e * (2.0 + e));
    return 4.0 * e * (1.0 + e) * where(positive, e, 1.0) / square(below);
  }
#elif defined(WENGERT_RECORDS)
  inline double by_precision(const Var& x, double single, double twice) {
    return x.dtype() == DType::kFloat32 ? single : twice;
  }
  constexpr double kFar = 4;  // from here on forms in e⁻ˣ, which neither cancel nor overflow
  /// As σ(ln((e² + 2e)/2)) of e = eˣ, whose derivatives are products; beyond kFar, where that
  /// logarithm is rounded by too much, as its difference from 1.
  inline Var mish_share(const Var& x) {
    const Var far = x > kFar, near = where(far, kFar, x), e = exp(-where(far, x, kFar));
    return where(far, 1.0 - 2.0 * square(e) / (1.0 + 2.0 * e * (1.0 + e)),
                 sigmoid(near + softplus(near - 0.6931471805599453)));
  }
  inline Var mish_slope(const Var& x) {
    const Var far = x > kFar, near = where(far, kFar, x), e = exp(-where(far, x, kFar));
    return where(far, 4.0 * square(e) * (1.0 + e) / square(1.0 + 2.0 * e * (1.0 + e)),
                 square(1.0 / cosh(softplus(near))) * sigmoid(near));
  }
#endif
  /// x between −end and end, where the share's slope is 0 to the dtype's precision: farther out
  /// nothing overflows that a derivative would multiply by 0.
  template <class T>
  T within(T x, double end) {
    return where(abs(x) < end, x, end * sign(x));
  }
  template <class T>
  T or_zero(T x, double end) {
    return where(abs(x) < end, x, like(x, 0.0));
  }

  struct Gelu {
    static constexpr int reads = kX;
    /// The normal distribution function.
    template <class T>
    static T share(T x) {
      return 0.5 * erfc(-0.7071067811865476 * x);
    }
    template <class T>
    static T value(T x) {
      const T below = share(x);
      return where(equal(below, 0.0), -below, x * below);  // −∞·0 would be NaN
    }
    template <class T>
    static T partial(T x, T) {
      const double end = by_precision(x, 15, 39);
      const T near = or_zero(x, end);
      return share(within(x, end)) + near * (0.3989422804014327 * exp(-0.5 * square(near)));
    }
  };

  struct GeluTanh {
    static constexpr int reads = kX;
    static constexpr double kLinear = 1.5957691216057308;  // 2·√(2/π)
    static constexpr double kCubic = 0.07135481627260025;  // 0.044715 of it
    /// ½·(1 + tanh(z/2)) = σ(z): right in the lower tail too.
    template <class T>
    static T argument(T x) {
      return x * (kLinear + kCubic * square(x));
    }
    template <class T>
    static T value(T x) {
      const T share = sigmoid(argument(x));
      return where(equal(share, 0.0), -share, x * share);  // −∞·0 would be NaN
    }
    template <class T>
    static T partial(T x, T) {
      const double end = by_precision(x, 11, 22);
      const T z = argument(within(x, end)), near = or_zero(x, end);
      return sigmoid(z) + near * sigmoid_slope(z) * (kLinear + 3 * kCubic * square(near));
    }
  };

  struct Silu {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      const T e = exp(-abs(x)), share = where(x > 0.0, like(x, 1.0), e) / (1.0 + e);
      return where(equal(share, 0.0), -share, x * share);  // −∞·0 would be NaN
    }
    template <class T>
    static T partial(T x, T) {
      const double end = by_precision(x, 104, 746);
      const T near = or_zero(x, end);
      return sigmoid(within(x, end)) + near * sigmoid_slope(near);
    }
  };

  struct Mish {
    static constexpr int reads = kX;
    template <class T>
    static T value(T x) {
      const T share = mish_share(x);
      return where(equal(share, 0.0), -share, x * share);  // −∞·0 would be NaN
    }
    template <class T>
    static T partial(T x, T) {
      const T finite = where(is_inf(x), like(x, 0.0), x);
      return mish_share(x) + finite * mish_slope(x);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(gelu, Gelu, Floats)
WENGERT_UNARY(gelu_tanh, GeluTanh, Floats)
WENGERT_UNARY(silu, Silu, Floats)
WENGERT_UNARY(mish, Mish, Floats)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef gelu_op = unary<formulas::Gelu>(
    "gelu", gelu_elementwise,
    {.summary = "Gaussian error linear unit: x times the share of normal numbers below it.",
     .formula = "y = x·Φ(x) = x·erfc(−x/√2)/2",
     .arguments = "x: float32 or float64, any shape; −0 at −∞, x for large x; in the lower tail "
                  "the relative error grows with x²; NaN stays NaN",
     .gradient = "∂y/∂x = Φ(x) + x·exp(−x²/2)/√(2π); 0 at −∞, 1 at ∞",
     .source = "D. Hendrycks, K. Gimpel, Gaussian error linear units, 2016"});

constinit const OpDef gelu_tanh_op = unary<formulas::GeluTanh>(
    "gelu_tanh", gelu_tanh_elementwise,
    {.summary = "GELU by a hyperbolic tangent, near the one by the error function.",
     .formula = "y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), computed as x·σ(2·√(2/π)·(x + "
                "0.044715·x³))",
     .arguments = "x: float32 or float64, any shape; −0 at −∞, x for large x; in the lower tail "
                  "the relative error grows with |x|³; NaN stays NaN",
     .gradient = "∂y/∂x = σ(z) + x·σ′(z)·z′, z = 2·√(2/π)·(x + 0.044715·x³); 0 at −∞, 1 at ∞",
     .source = "D. Hendrycks, K. Gimpel, Gaussian error linear units, 2016"});

constinit const OpDef silu_op = unary<formulas::Silu>(
    "silu", silu_elementwise,
    {.summary = "Sigmoid linear unit, also called swish.",
     .formula = "y = x·σ(x) = x/(1 + e⁻ˣ)",
     .arguments = "x: float32 or float64, any shape; −0 at −∞, x for large x; accurate in the "
                  "lower tail; NaN stays NaN",
     .gradient = "∂y/∂x = σ(x) + x·σ′(x), accurate in both tails; 0 at −∞, 1 at ∞",
     .source = "S. Elfwing, E. Uchibe, K. Doya, Sigmoid-weighted linear units for neural network "
               "function approximation in reinforcement learning, 2017"});

constinit const OpDef mish_op = unary<formulas::Mish>(
    "mish", mish_elementwise,
    {.summary = "Smooth unit that regularizes itself: x times a share that goes from 0 to 1.",
     .formula = "y = x·tanh(ln(1 + eˣ))",
     .arguments = "x: float32 or float64, any shape; −0 at −∞, x for large x; accurate in the "
                  "lower tail; NaN stays NaN",
     .gradient = "∂y/∂x = tanh(s) + x·σ(x)/cosh²(s), s = ln(1 + eˣ), accurate in both tails; 0 at "
                 "−∞, 1 at ∞",
     .source = "D. Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(gelu) {
  OpTests tests = unary_tests(
      wengert::gelu,
      [](double x) {
        const long double wide = x;  // 1 + erf cancels
        return static_cast<double>(wide / 2 * (1 + std::erf(wide / std::sqrt(2.0L))));
      },
      -3, 3);
  tests.specials = {{{0.0}, 0.0, {0.5}},
                    {{-0.0}, -0.0, {0.5}},
                    {{1e-300}, 5e-301, {0.5}},
                    {{-1e-300}, -5e-301, {0.5}},
                    {{-1.0}, -0.15865525393145705, {-0.0833154705876863}},
                    {{1.0}, 0.8413447460685429, {1.0833154705876864}},
                    {{-5.0}, -1.4332578593959695e-06, {-7.146946001792295e-06}},
                    {{5.0}, 4.999998566742141, {1.000007146946002}},
                    {{-40.0}, -0.0, {-0.0}},
                    {{40.0}, 40.0, {1.0}},
                    {{-10000.0}, -0.0, {-0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 5.000000000398942e-11, {0.5000000000797885}},
                    {{-1e-10}, -4.999999999601058e-11, {0.49999999992021155}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 16;  // x² times the rounding of x/√2, and what erfc is off
  tests.rejected = float_rejections(wengert::gelu);
  return tests;
}

WENGERT_OP_TESTS(gelu_tanh) {
  OpTests tests = unary_tests(
      wengert::gelu_tanh,
      [](double x) {
        const long double wide = x, pi = 3.14159265358979323846264338327950288L;
        const long double z = std::sqrt(2 / pi) * (wide + 0.044715L * wide * wide * wide);
        return static_cast<double>(wide / 2 * (1 + std::tanh(z)));
      },
      -3, 3);
  tests.specials = {{{0.0}, 0.0, {0.5}},
                    {{-0.0}, -0.0, {0.5}},
                    {{1e-300}, 5e-301, {0.5}},
                    {{-1e-300}, -5e-301, {0.5}},
                    {{-1.0}, -0.1588080093917233, {-0.08296408384578255}},
                    {{1.0}, 0.8411919906082767, {1.0829640838457826}},
                    {{-5.0}, -2.291796196629506e-07, {-1.5463619875325946e-06}},
                    {{5.0}, 4.999999770820381, {1.0000015463619876}},
                    {{-40.0}, -0.0, {-0.0}},
                    {{40.0}, 40.0, {1.0}},
                    {{-10000.0}, -0.0, {-0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 5.000000000398942e-11, {0.5000000000797885}},
                    {{-1e-10}, -4.999999999601058e-11, {0.49999999992021155}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 16;  // what the sigmoid's argument, −17 at −5, is rounded by
  tests.rejected = float_rejections(wengert::gelu_tanh);
  return tests;
}

WENGERT_OP_TESTS(silu) {
  OpTests tests = unary_tests(
      wengert::silu, [](double x) { return x / (1 + std::exp(-x)); }, -4, 4);
  tests.specials = {{{0.0}, 0.0, {0.5}},
                    {{-0.0}, -0.0, {0.5}},
                    {{1e-300}, 5e-301, {0.5}},
                    {{-1e-300}, -5e-301, {0.5}},
                    {{-1.0}, -0.2689414213699951, {0.07232948812851327}},
                    {{1.0}, 0.7310585786300049, {0.9276705118714867}},
                    {{-40.0}, -1.6993417021166355e-16, {-1.6568581595637197e-16}},
                    {{40.0}, 40.0, {1.0000000000000002}},
                    {{-800.0}, -0.0, {-0.0}},
                    {{800.0}, 800.0, {1.0}},
                    {{-10000.0}, -0.0, {-0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 5.00000000025e-11, {0.50000000005}},
                    {{-1e-10}, -4.9999999997500004e-11, {0.49999999995}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 8;  // exp is 4 ULPs off at most, and three operations follow
  tests.rejected = float_rejections(wengert::silu);
  return tests;
}

WENGERT_OP_TESTS(mish) {
  OpTests tests = unary_tests(
      wengert::mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -4, 4);
  tests.specials = {{{0.0}, 0.0, {0.6}},
                    {{-0.0}, -0.0, {0.6}},
                    {{1e-300}, 6e-301, {0.6}},
                    {{-1e-300}, -6e-301, {0.6}},
                    {{-1.0}, -0.3034014613741089, {0.05921675587739495}},
                    {{1.0}, 0.8650983882673103, {1.0490362200997922}},
                    {{-40.0}, -1.6993417021166355e-16, {-1.6568581595637197e-16}},
                    {{40.0}, 40.0, {1.0}},
                    {{-800.0}, -0.0, {-0.0}},
                    {{800.0}, 800.0, {1.0}},
                    {{-10000.0}, -0.0, {-0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 6.00000000032e-11, {0.600000000064}},
                    {{-1e-10}, -5.99999999968e-11, {0.599999999936}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -0.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -0.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 12;  // exp is 4 ULPs off at most, and seven operations follow
  tests.rejected = float_rejections(wengert::mish);
  return tests;
}
#endif
