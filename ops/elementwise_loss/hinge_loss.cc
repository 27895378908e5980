#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  /// max(0, m), m = 1 − t·x; NaN stays NaN.
  struct Hinge {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T x, T t) {
      const T margin = 1.0 - t * x;
      return where(margin <= 0.0, like(x, 0.0), margin);
    }
    template <class T>
    static T partial_a(T x, T t, T) {
      const T margin = 1.0 - t * x;
      return where(margin > 0.0, -t, where(margin <= 0.0, like(x, 0.0), margin));
    }
    template <class T>
    static T partial_b(T x, T t, T y) {
      return partial_a(t, x, y);
    }
  };

  struct SquaredHinge {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T x, T t) {
      return square(Hinge::value(x, t));
    }
    template <class T>
    static T partial_a(T x, T t, T) {
      const T margin = Hinge::value(x, t);
      return where(margin <= 0.0, like(x, 0.0), -2.0 * t * margin);
    }
    template <class T>
    static T partial_b(T x, T t, T y) {
      return partial_a(t, x, y);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(hinge_loss, Hinge)
WENGERT_LOSS(squared_hinge_loss, SquaredHinge)

#ifdef WENGERT_RECORDS
namespace wengert::ops {
namespace {

constexpr const char* kArgumentsOfHinge =
    "prediction: scores x, target: classes t of ±1, float32 or float64 of one dtype and shape; "
    "reduction and weights as in mean_squared_error";

}  // namespace

constinit const OpDef hinge_loss_op = loss_of_elements<formulas::Hinge, hinge_loss_elementwise>(
    "hinge_loss",
    {.summary = "Two-class margin loss: nothing once the score is on the target's side by 1.",
     .formula = "y = (1/n)·Σ max(0, 1 − t·x)",
     .arguments = kArgumentsOfHinge,
     .gradient = "∂x: −t/n where t·x < 1, else 0: also at the margin itself; ∂t: −x/n likewise",
     .source = "C. Cortes, V. Vapnik, Support-vector networks, 1995"});

constinit const OpDef squared_hinge_loss_op =
    loss_of_elements<formulas::SquaredHinge, squared_hinge_loss_elementwise>(
        "squared_hinge_loss",
        {.summary = "Two-class margin loss that grows with the square and has no kink.",
         .formula = "y = (1/n)·Σ max(0, 1 − t·x)²",
         .arguments = kArgumentsOfHinge,
         .gradient = "∂x: −2t·max(0, 1 − t·x)/n, ∂t: −2x·max(0, 1 − t·x)/n",
         .source = "Y. Tang, Deep learning using linear support vector machines, 2013"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
#include <algorithm>

WENGERT_OP_TESTS(hinge_loss) {
  OpTests tests = loss_of_elements_tests(
      wengert::hinge_loss, [](double x, double t) { return std::max(0.0, 1 - t * x); }, -2, 2);
  mark_kinks(tests, [](double x, double t) { return 1 - t * x; });
  for (Sample& sample : tests.samples) sample.scale = 7;
  tests.specials = {{{0.25, 1}, 0.75, {-1, -0.25}}, {{1, 1}, 0, {0, 0}},
                    {{-3, 1}, 4, {-1, 3}},          {{-3, -1}, 0, {0, 0}},
                    {{1e4, -1}, 10001, {1, -1e4}},  {{1e4, 1}, 0, {0, 0}},
                    {{kNan, 1}, kNan, {kNan, kNan}}};
  return tests;
}

WENGERT_OP_TESTS(squared_hinge_loss) {
  OpTests tests = loss_of_elements_tests(
      wengert::squared_hinge_loss,
      [](double x, double t) {
        const double margin = std::max(0.0, 1 - t * x);
        return margin * margin;
      },
      -2, 2);
  mark_kinks(tests, [](double x, double t) { return 1 - t * x; });  // of the second derivative
  for (Sample& sample : tests.samples) sample.scale = 49;
  tests.specials = {{{0.25, 1}, 0.5625, {-1.5, -0.375}},
                    {{1, 1}, 0, {0, 0}},
                    {{-3, 1}, 16, {-8, 24}},
                    {{1e4, 1}, 0, {0, 0}},
                    {{kNan, 1}, kNan, {kNan, kNan}}};
  return tests;
}
#endif
