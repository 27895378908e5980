#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  struct SquaredError {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T prediction, T target) {
      return square(prediction - target);
    }
    template <class T>
    static T partial_a(T prediction, T target, T) {
      return 2.0 * (prediction - target);
    }
    template <class T>
    static T partial_b(T prediction, T target, T) {
      return 2.0 * (target - prediction);
    }
  };

  struct HalfSquaredError {
    static constexpr int reads_a = kA | kB, reads_b = kA | kB;
    template <class T>
    static T value(T prediction, T target) {
      return 0.5 * square(prediction - target);
    }
    template <class T>
    static T partial_a(T prediction, T target, T) {
      return prediction - target;
    }
    template <class T>
    static T partial_b(T prediction, T target, T) {
      return target - prediction;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(mean_squared_error, SquaredError)
WENGERT_LOSS(half_squared_error, HalfSquaredError)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef mean_squared_error_op =
    loss_of_elements<formulas::SquaredError, mean_squared_error_elementwise>(
        "mean_squared_error",
        {.summary = "Squared error, averaged over all elements unless told otherwise.",
         .formula = "y = (1/n)·Σ (prediction − target)²; Reduction::kSum: the sum of squared "
                    "errors",
         .arguments = kArgumentsOfLoss,
         .gradient = "∂prediction: 2·(prediction − target)/n, ∂target: its negative",
         .source = "C. F. Gauss, Theoria combinationis observationum, 1823"});

constinit const OpDef half_squared_error_op =
    loss_of_elements<formulas::HalfSquaredError, half_squared_error_elementwise>(
        "half_squared_error",
        {.summary = "Half the squared error, whose gradient is the error itself.",
         .formula = "y = (1/n)·Σ (prediction − target)²/2; Reduction::kSum: ½·Σ (prediction − "
                    "target)²",
         .arguments = kArgumentsOfLoss,
         .gradient = "∂prediction: (prediction − target)/n, ∂target: its negative",
         .source = "D. Rumelhart, G. Hinton, R. Williams, Learning representations by "
                   "back-propagating errors, 1986"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(mean_squared_error) {
  OpTests tests = loss_of_elements_tests(
      wengert::mean_squared_error, [](double p, double t) { return (p - t) * (p - t); }, -3, 3);
  for (Sample& sample : tests.samples) sample.scale = 36;
  return tests;
}

WENGERT_OP_TESTS(half_squared_error) {
  OpTests tests = loss_of_elements_tests(
      wengert::half_squared_error, [](double p, double t) { return (p - t) * (p - t) / 2; }, -3, 3);
  for (Sample& sample : tests.samples) sample.scale = 18;
  tests.specials = {{{3, 1}, 2, {2, -2}}, {{1e4, -1e4}, 2e8, {2e4, -2e4}}, {{1, 1}, 0, {0, -0.0}}};
  return tests;
}
#endif
