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

}  // WENGERT_FORMULAS

WENGERT_LOSS(mean_squared_error, SquaredError)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef mean_squared_error_op =
    loss_of_elements<formulas::SquaredError, mean_squared_error_elementwise>(
        "mean_squared_error",
        {.summary = "Squared error, averaged over all elements unless told otherwise.",
         .formula = "y = (1/n)·Σ (prediction − target)²",
         .arguments = kArgumentsOfLoss,
         .gradient = "∂prediction: 2·(prediction − target)/n, ∂target: its negative",
         .source = "C. F. Gauss, Theoria combinationis observationum, 1823"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(mean_squared_error) {
  OpTests tests = loss_of_elements_tests(
      wengert::mean_squared_error, [](double p, double t) { return (p - t) * (p - t); }, -3, 3);
  for (Sample& sample : tests.samples) sample.scale = 36;
  return tests;
}
#endif
