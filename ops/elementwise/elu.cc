#include "wengert/ops/elementwise/formula.h"

WENGERT_FORMULAS {
  struct AlphaAttributes {
    double alpha = 1;
    template <class Self, class V>
    static void visit(Self& self, V&& v) {
      v("alpha", self.alpha);
    }
  };

  struct Elu {
    using Attributes = AlphaAttributes;
    static constexpr int reads = kX;
    template <class T>
    static T value(T x, const Attributes& a) {
      return where(x > 0.0, x, a.alpha * expm1(x));
    }
    template <class T>
    static T partial(T x, T, const Attributes& a) {
      return where(x > 0.0, like(x, 1.0), a.alpha * exp(x));
    }
  };

  struct Selu {
    static constexpr int reads = kX;
    static constexpr double kScale = 1.0507009873554805;       // λ
    static constexpr double kScaleAlpha = 1.7580993408473768;  // λ·α
    template <class T>
    static T value(T x) {
      return where(x > 0.0, kScale * x, kScaleAlpha * expm1(x));
    }
    template <class T>
    static T partial(T x, T) {
      return where(x > 0.0, like(x, kScale), kScaleAlpha * exp(x));
    }
  };

  struct Celu {
    using Attributes = AlphaAttributes;
    static constexpr int reads = kX;
    template <class T>
    static T value(T x, const Attributes& a) {
      return where(x > 0.0, x, a.alpha * expm1(x / a.alpha));
    }
    template <class T>
    static T partial(T x, T, const Attributes& a) {
      return where(x > 0.0, like(x, 1.0), exp(x / a.alpha));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_UNARY(elu, Elu, Floats)
WENGERT_UNARY(selu, Selu, Floats)
WENGERT_UNARY(celu, Celu, Floats)

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/graph/text.h"

namespace wengert {
namespace ops {
namespace {

void check_alpha(const OpCall& call) {
  const double alpha = call.attributes<formulas::AlphaAttributes>().alpha;
  if (!(alpha > 0) || std::isinf(alpha)) {
    call.fail(ErrorKind::kValue, "alpha must be positive, got " + format_number(alpha),
              "−alpha is what y comes to for very negative x");
  }
}

template <class F>
constexpr OpDef alpha_record(std::string_view name, const ElementwiseOp& op,
                             const Documentation& doc) {
  OpDef def = unary<F>(name, op, doc);
  def.check = check_alpha;
  def.default_attributes = &default_attributes_of<formulas::AlphaAttributes>;
  return def;
}

}  // namespace

constinit const OpDef elu_op = alpha_record<formulas::Elu>(
    "elu", elu_elementwise,
    {.summary = "Exponential linear unit: saturates at −alpha.",
     .formula = "y = x where x > 0, else α·(eˣ − 1)",
     .arguments = "x: float32 or float64, any shape; alpha α > 0; −α at −∞; accurate near 0; NaN "
                  "stays NaN",
     .gradient = "∂y/∂x = 1 where x > 0, else α·eˣ; at 0 it is α, the one from below",
     .source = "D.-A. Clevert, T. Unterthiner, S. Hochreiter, Fast and accurate deep network "
               "learning by exponential linear units, ICLR 2016"});

constinit const OpDef selu_op = unary<formulas::Selu>(
    "selu", selu_elementwise,
    {.summary = "Scaled ELU that keeps mean 0 and variance 1 from layer to layer.",
     .formula = "y = λ·x where x > 0, else λ·α·(eˣ − 1), λ = 1.0507009873554805, "
                "α = 1.6732632423543773",
     .arguments = "x: float32 or float64, any shape; −λ·α at −∞; accurate near 0; NaN stays NaN",
     .gradient = "∂y/∂x = λ where x > 0, else λ·α·eˣ; at 0 it is λ·α, the one from below",
     .source = "G. Klambauer et al., Self-normalizing neural networks, NeurIPS 2017"});

constinit const OpDef celu_op = alpha_record<formulas::Celu>(
    "celu", celu_elementwise,
    {.summary = "ELU with slope 1 on both sides of 0, whatever alpha.",
     .formula = "y = x where x > 0, else α·(exp(x/α) − 1)",
     .arguments = "x: float32 or float64, any shape; alpha α > 0; −α at −∞; accurate near 0; NaN "
                  "stays NaN",
     .gradient = "∂y/∂x = 1 where x > 0, else exp(x/α); the second one jumps at 0, where it is "
                 "1/α, the one from below",
     .source = "J. Barron, Continuously differentiable exponential linear units, 2017"});

}  // namespace ops

Var elu(const Var& x, double alpha, std::source_location where) {
  return apply(ops::elu_op, {&x}, ops::formulas::AlphaAttributes{alpha}, where);
}

Var celu(const Var& x, double alpha, std::source_location where) {
  return apply(ops::celu_op, {&x}, ops::formulas::AlphaAttributes{alpha}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/ops.h"

namespace {

using wengert::Tensor;
using wengert::Var;

/// eˣ − 1 by the hyperbolic sine, which cancels nowhere.
double exponential_less_one(double x) { return 2 * std::exp(x / 2) * std::sinh(x / 2); }

Var elu_by_default(const Var& x, std::source_location where) { return wengert::elu(x, 1, where); }
Var small_elu(const Var& x, std::source_location where) { return wengert::elu(x, 0.25, where); }
Var celu_of_two(const Var& x, std::source_location where) { return wengert::celu(x, 2, where); }
Var celu_by_default(const Var& x, std::source_location where) { return wengert::celu(x, 1, where); }

std::vector<wengert::testing::Rejected> alpha_rejections(Var (*op)(const Var&, double,
                                                                   std::source_location)) {
  const auto with = [op](double alpha) {
    return [=] {
      (void)op(Tensor::zeros({2}, wengert::DType::kFloat32), alpha,
               std::source_location::current());
    };
  };
  const auto kind = wengert::ErrorKind::kValue;
  return {{"alpha 0", with(0), kind, "alpha must be positive, got 0"},
          {"negative alpha", with(-1), kind, "alpha must be positive, got -1"},
          {"infinite alpha", with(wengert::testing::kInfinity), kind,
           "alpha must be positive, got inf"},
          {"alpha NaN", with(wengert::testing::kNan), kind, "alpha must be positive, got nan"}};
}

}  // namespace

WENGERT_OP_TESTS(elu) {
  OpTests tests = unary_tests(
      elu_by_default, [](double x) { return x > 0 ? x : exponential_less_one(x); }, 0.1, 3);
  add_range(
      tests, small_elu, [](double x) { return x > 0 ? x : exponential_less_one(x) / 4; }, 0.1, 3);
  alternate_signs(tests);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{-1.0}, -0.6321205588285577, {0.36787944117144233}},
                    {{1.0}, 1.0, {1.0}},
                    {{-40.0}, -1.0, {4.248354255291589e-18}},
                    {{40.0}, 40.0, {1.0}},
                    {{-800.0}, -1.0, {0.0}},
                    {{800.0}, 800.0, {1.0}},
                    {{-10000.0}, -1.0, {0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 1e-10, {1.0}},
                    {{-1e-10}, -9.999999999500001e-11, {0.9999999999}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -1.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -1.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 8;  // expm1 is 4 ULPs off at most, the reference as much
  tests.rejected = float_rejections(elu_by_default);
  for (Rejected& rejected : alpha_rejections(wengert::elu)) {
    tests.rejected.push_back(std::move(rejected));
  }
  return tests;
}

WENGERT_OP_TESTS(selu) {
  OpTests tests = unary_tests(
      wengert::selu,
      [](double x) {
        return 1.05070098735548049 * (x > 0 ? x : 1.67326324235437728 * exponential_less_one(x));
      },
      0.1, 3);
  alternate_signs(tests);
  tests.specials = {{{0.0}, 0.0, {1.7580993408473768}},
                    {{-0.0}, -0.0, {1.7580993408473768}},
                    {{1e-300}, 1.0507009873554804e-300, {1.0507009873554805}},
                    {{-1e-300}, -1.758099340847377e-300, {1.7580993408473768}},
                    {{-1.0}, -1.1113307378125628, {0.6467686030348141}},
                    {{1.0}, 1.0507009873554805, {1.0507009873554805}},
                    {{-40.0}, -1.7580993408473768, {7.469028815914292e-18}},
                    {{40.0}, 42.02803949421922, {1.0507009873554805}},
                    {{-800.0}, -1.7580993408473768, {0.0}},
                    {{800.0}, 840.5607898843843, {1.0507009873554805}},
                    {{-10000.0}, -1.7580993408473768, {0.0}},
                    {{10000.0}, 10507.009873554805, {1.0507009873554805}},
                    {{1e-10}, 1.0507009873554805e-10, {1.0507009873554805}},
                    {{-1e-10}, -1.7580993407594719e-10, {1.758099340671567}},
                    {{-1e+308}, -1.7580993408473768, {0.0}},
                    {{kInfinity}, kInfinity, {1.0507009873554805}},
                    {{-kInfinity}, -1.7580993408473768, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 8;  // expm1 is 4 ULPs off at most, the reference as much
  tests.rejected = float_rejections(wengert::selu);
  return tests;
}

WENGERT_OP_TESTS(celu) {
  OpTests tests = unary_tests(
      celu_of_two, [](double x) { return x > 0 ? x : 2 * exponential_less_one(x / 2); }, 0.1, 3);
  add_range(
      tests, celu_by_default, [](double x) { return x > 0 ? x : exponential_less_one(x); }, 0.1, 3);
  alternate_signs(tests);
  tests.specials = {{{0.0}, 0.0, {1.0}},
                    {{-0.0}, -0.0, {1.0}},
                    {{1e-300}, 1e-300, {1.0}},
                    {{-1e-300}, -1e-300, {1.0}},
                    {{-1.0}, -0.7869386805747332, {0.6065306597126334}},
                    {{1.0}, 1.0, {1.0}},
                    {{-40.0}, -1.9999999958776928, {2.061153622438558e-09}},
                    {{40.0}, 40.0, {1.0}},
                    {{-800.0}, -2.0, {1.9151695967140057e-174}},
                    {{800.0}, 800.0, {1.0}},
                    {{-10000.0}, -2.0, {0.0}},
                    {{10000.0}, 10000.0, {1.0}},
                    {{1e-10}, 1e-10, {1.0}},
                    {{-1e-10}, -9.99999999975e-11, {0.99999999995}},
                    {{1e+308}, 1e+308, {1.0}},
                    {{-1e+308}, -2.0, {0.0}},
                    {{kInfinity}, kInfinity, {1.0}},
                    {{-kInfinity}, -2.0, {0.0}},
                    {{kNan}, kNan, {kNan}}};
  tests.ulps32 = tests.ulps64 = 8;  // expm1 is 4 ULPs off at most, the reference as much
  tests.rejected = float_rejections(celu_by_default);
  for (Rejected& rejected : alpha_rejections(wengert::celu)) {
    tests.rejected.push_back(std::move(rejected));
  }
  return tests;
}
#endif
