#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  struct AbsoluteError {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T prediction, T target) {
      return abs(prediction - target);
    }
    template <class T>
    static T partial_a(T prediction, T target, T) {
      return sign(prediction - target);
    }
    template <class T>
    static T partial_b(T prediction, T target, T) {
      return sign(target - prediction);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(mean_absolute_error, AbsoluteError)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef mean_absolute_error_op =
    loss_of_elements<formulas::AbsoluteError, mean_absolute_error_elementwise>(
        "mean_absolute_error",
        {.summary = "Absolute error (L1), averaged over all elements unless told otherwise.",
         .formula = "y = (1/n)·Σ |prediction − target|",
         .arguments = kArgumentsOfLoss,
         .gradient = "∂prediction: sign(prediction − target)/n, 0 where they are equal; ∂target: "
                     "its negative",
         .source = "P. S. Laplace, Sur quelques points du système du monde, 1793; called l1_loss "
                   "in PyTorch"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(mean_absolute_error) {
  OpTests tests = loss_of_elements_tests(
      wengert::mean_absolute_error, [](double p, double t) { return std::fabs(p - t); }, -3, 3);
  mark_kinks(tests, [](double p, double t) { return p - t; });
  for (Sample& sample : tests.samples) sample.scale = 6;
  tests.specials = {{{1, 1}, 0, {0, 0}},
                    {{1, 3}, 2, {-1, 1}},
                    {{1e4, -1e4}, 2e4, {1, -1}},
                    {{1e-10, 0}, 1e-10, {1, -1}},
                    {{kInfinity, 0}, kInfinity, {1, -1}}};
  return tests;
}
#endif
