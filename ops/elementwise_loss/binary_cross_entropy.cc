#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  /// −t·ln p − (1 − t)·ln(1 − p), each logarithm at least −100.
  struct CrossEntropyOfProbability {
    static constexpr int reads_a = kA | kB, reads_b = kA;
    static constexpr double kCut = 3.720075976020836e-44;  // exp(−100)
    template <class T>
    static T at_least(T logarithm) {
      return where(logarithm < -100.0, like(logarithm, -100.0), logarithm);
    }
    template <class T>
    static T value(T p, T t) {
      return (t - 1.0) * at_least(log1p(-p)) - t * at_least(log(p));
    }
    template <class T>
    static T partial_a(T p, T t, T) {
      // A logarithm is cut at 0 and below exp(−100), of 1 − p at 0 alone.
      const T zero = like(p, 0.0), slope = where(abs(p) < kCut, zero, t / p);
      return where(equal(p, 1.0), zero, (1.0 - t) / (1.0 - p)) - where(equal(p, 0.0), zero, slope);
    }
    template <class T>
    static T partial_b(T p, T, T) {
      return at_least(log1p(-p)) - at_least(log(p));
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(binary_cross_entropy, CrossEntropyOfProbability)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef binary_cross_entropy_op =
    loss_of_elements<formulas::CrossEntropyOfProbability, binary_cross_entropy_elementwise>(
        "binary_cross_entropy",
        {.summary = "Cross-entropy of two classes from the probability of one.",
         .formula = "y = −(1/n)·Σ t·ln p + (1 − t)·ln(1 − p), each logarithm at least −100",
         .arguments = "prediction: probabilities p, target: probabilities t, float32 or float64 of "
                      "one dtype and shape; NaN outside [0, 1]; reduction and weights as in "
                      "mean_squared_error. From logits bce_with_logits is exact where this rounds "
                      "or is cut",
         .gradient = "∂p: ((1 − t)/(1 − p) − t/p)/n, of a logarithm that is cut 0; ∂t: (ln(1 − p) "
                     "− ln p)/n. PyTorch divides by at least 1e-12 in place of the cut",
         .source = "D. R. Cox, The regression analysis of binary sequences, 1958"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(binary_cross_entropy) {
  OpTests tests = loss_of_elements_tests(
      wengert::binary_cross_entropy,
      [](double p, double t) { return -t * std::log(p) - (1 - t) * std::log(1 - p); }, 0.05, 0.95,
      {0.05, 0.95});
  for (Sample& sample : tests.samples) sample.scale = 3;
  const double half = std::log(2.0);
  tests.specials = {{{0.5, 1}, half, {-2, 0}},
                    {{0.5, 0.25}, half, {1, 0}},
                    {{0, 0}, 0, {1, 100}},
                    {{1, 1}, 0, {-1, -100}},
                    {{0, 1}, 100, {0, 100}},
                    {{1, 0}, 100, {0, -100}},
                    {{1e-10, 0}, 1.00000000005e-10, {1.0000000001, 23.02585092984046}},
                    {{1.5, 0.5}, kNan, {-1.3333333333333333, kNan}},
                    {{-0.5, 0.5}, kNan, {1.3333333333333333, kNan}}};
  return tests;
}
#endif
