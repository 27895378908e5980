#include "wengert/ops/elementwise_loss/formula.h"

WENGERT_FORMULAS {
  /// p·(ln p − h) of a logarithm h; 0 where p is 0, whatever h.
  struct KlDivergence {
    static constexpr int reads_a = kB, reads_b = kA | kB;
    template <class T>
    static T value(T h, T p) {
      return where(equal(p, 0.0), like(p, 0.0), p * (log(p) - h));
    }
    template <class T>
    static T partial_a(T, T p, T) {
      return -p;
    }
    template <class T>
    static T partial_b(T h, T p, T) {
      return 1.0 + (log(p) - h);
    }
  };

}  // WENGERT_FORMULAS

WENGERT_LOSS(kl_divergence, KlDivergence)

#ifdef WENGERT_RECORDS
namespace wengert::ops {

constinit const OpDef kl_divergence_op =
    loss_of_elements<formulas::KlDivergence, kl_divergence_elementwise>(
        "kl_divergence",
        {.summary = "Terms of the Kullback–Leibler divergence of q from p, from log q.",
         .formula = "y = (1/n)·Σ p·(ln p − h); Reduction::kSum over one row: KL(p ‖ q), h = ln q",
         .arguments = "prediction: logarithms h of probabilities (log_softmax), target: "
                      "probabilities p ≥ 0, float32 or float64 of one dtype and shape; a p of 0 "
                      "costs 0 whatever h is; reduction and weights as in mean_squared_error. The "
                      "mean is over elements, as PyTorch's; its batchmean is kSum over the rows",
         .gradient = "∂h: −p/n; ∂p: (1 + ln p − h)/n, −∞ at p = 0",
         .source = "S. Kullback, R. Leibler, On information and sufficiency, 1951"});

}  // namespace wengert::ops
#endif

#ifdef WENGERT_TESTS
WENGERT_OP_TESTS(kl_divergence) {
  OpTests tests = loss_of_elements_tests(
      wengert::kl_divergence, [](double h, double p) { return p * (std::log(p) - h); }, 0.05, 0.95);
  for (Sample& sample : tests.samples) sample.scale = 6;
  tests.specials = {{{-1, 1}, 1, {-1, 2}},
                    {{0, 0}, 0, {-0.0, -kInfinity}},
                    {{-kInfinity, 0}, 0, {-0.0, kNan}},
                    {{-kInfinity, 0.5}, kInfinity, {-0.5, kInfinity}},
                    {{-1e4, 0.5}, 4999.653426409720, {-0.5, 10000.30685281944}},
                    {{-1, -0.5}, kNan, {0.5, kNan}}};
  return tests;
}
#endif
