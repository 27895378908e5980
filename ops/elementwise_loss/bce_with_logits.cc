#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  /// t·softplus(−x) + (1 − t)·softplus(x), with the large part of softplus taken out exactly.
  struct BinaryCrossEntropy {
    static constexpr int reads_a = kA | kB, reads_b = kA;
    template <class T>
    static T value(T x, T t) {
      const T weight = where(x > 0.0, 1.0 - t, -t);
      const T large = where(equal(weight, 0.0), like(x, 0.0), weight * x);
      return large + log1p(exp(-abs(x)));
    }
    template <class T>
    static T partial_a(T x, T t, T) {
      return sigmoid_less(x, t);
    }
    template <class T>
    static T partial_b(T x, T, T) {
      return -x;
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(bce_with_logits, BinaryCrossEntropy)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef bce_with_logits_op =
    loss_of_elements<formulas::BinaryCrossEntropy, bce_with_logits_elementwise>(
        "bce_with_logits",
        {.summary = "Binary cross-entropy of sigmoid(logits), from the logits, without overflow.",
         .formula = "y = (1/n)·Σ max(x, 0) − x·t + log(1 + exp(−|x|))",
         .arguments = "prediction: logits x, target: probabilities t, float32 or float64 of one "
                      "dtype and shape; reduction and weights as in mean_squared_error. An "
                      "infinite logit on the target's side costs 0",
         .gradient = "∂x: (sigmoid(x) − t)/n, ∂t: −x/n",
         .source = "D. R. Cox, The regression analysis of binary sequences, 1958"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(bce_with_logits) {
  OpTests tests = loss_of_elements_tests(
      wengert::bce_with_logits,
      [](double x, double t) {
        const double p = 1 / (1 + std::exp(-x));
        return -t * std::log(p) - (1 - t) * std::log(1 - p);
      },
      0.05, 0.95);
  const auto special = [&](double x, double t, double value, double gradient) {
    tests.specials.push_back({{x, t}, value, {gradient, -x}});
  };
  special(1e4, 1, 0, 0);
  special(1e4, 0, 1e4, 1);
  special(-1e4, 0, 0, 0);
  special(-1e4, 1, 1e4, -1);
  special(0, 0.5, std::log(2.0), 0);
  special(800, 0.25, 600, 0.75);
  special(kInfinity, 1, 0, 0);
  special(-kInfinity, 0, 0, 0);
  special(-kInfinity, 1, kInfinity, -1);
  return tests;
}
#endif
