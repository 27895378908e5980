#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct Lamb {
    struct Numbers {
      double beta1, beta2, epsilon;
      double correction1, correction2;  ///< 1/(1 − β₁ᵗ), 1/(1 − β₂ᵗ)
      double decay;
      double rate;  ///< in `update` η‖θ‖/‖r‖
    };
    static constexpr int slots = 2;
    static constexpr int sums = 2;
    template <class T>
    static T direction(T w, T m, T s, const Numbers& k) {
      return m * k.correction1 / (sqrt(s * k.correction2) + k.epsilon) + w * k.decay;
    }
    template <class T>
    static void measure(T w, T g, T& m, T& s, const Numbers& k, T& weight, T& move) {
      m = m * k.beta1 + g * (1 - k.beta1);
      s = s * k.beta2 + g * g * (1 - k.beta2);
      const T r = direction(w, m, s, k);
      weight = w * w;
      move = r * r;
    }
    template <class T>
    static void update(T& w, T, T& m, T& s, const Numbers& k) {
      w = w - direction(w, m, s, k) * k.rate;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(lamb, Lamb)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(Lamb) {
  option("rate", o.rate, kNotNegative, "η, the step size relative to ‖θ‖");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kNotNegative, "ε, added to the root after the correction");
  option("weight_decay", o.weight_decay, kNotNegative, "λ: adds λθ to the direction");
  option("decays", o.decays, kDecays, "weights (matrices and higher), or all parameters");
  option("bias_correction", o.bias_correction, "whether m̂ and ŝ are corrected, or m and s");
}

namespace {
constexpr SlotDef kSlots[] = {{"first_moment"}, {"second_moment"}};

void update_lamb(ParameterStep& step) {
  const auto o = options_as<Lamb>(step.options);
  const bool decays = o.decays == Decays::kAll || is_weight(step.parameter);
  const updates::Lamb::Numbers numbers = {
      o.beta1,
      o.beta2,
      o.epsilon,
      o.bias_correction ? bias_correction(o.beta1, step.step) : 1,
      o.bias_correction ? bias_correction(o.beta2, step.step) : 1,
      decays ? o.weight_decay : 0,
      o.rate};
  run_update(lamb_levels, step, "Lamb::step", numbers,
             [](updates::Lamb::Numbers& k, const RunUpdate::Sums& sums) {
               if (sums[0] > 0 && sums[1] > 0) k.rate *= std::sqrt(sums[0] / sums[1]);
             });
}
}  // namespace

WENGERT_METHOD(lamb, Lamb) = {
    .name = "lamb",
    .doc = {.summary = "Adam's direction, as long as the tensor that it moves.",
            .formula = "r = m̂/(√ŝ + ε) + λθ; θ ← θ − η·‖θ‖/‖r‖·r for each tensor, m̂ and ŝ as in "
                       "Adam",
            .notes =
                "Where ‖θ‖ or ‖r‖ is 0 the quotient counts as 1. ‖θ‖ is taken as it is, "
                "without bounds, as in Optax; λ works on weights as in adamw. Its norms are of "
                "whole tensors: gradients of rows are made dense.",
            .source = "Y. You et al., Large batch optimization for deep learning, 2020, "
                      "algorithm 2"},
    .options = list_options<Lamb>,
    .slots = kSlots,
    .update = update_lamb,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto you(double beta1, double beta2, double epsilon, double decay, bool corrects = true) {
  return
      [=, m = Numbers(), s = Numbers(), t = 0](Numbers& w, const Numbers& g, double rate) mutable {
        m.resize(w.size()), s.resize(w.size());
        ++t;
        Numbers r(w.size());
        double of_w = 0, of_r = 0;
        for (std::size_t i = 0; i < w.size(); ++i) {
          m[i] = beta1 * m[i] + (1 - beta1) * g[i];
          s[i] = beta2 * s[i] + (1 - beta2) * g[i] * g[i];
          const double mean = corrects ? m[i] / (1 - std::pow(beta1, t)) : m[i];
          const double raw = corrects ? s[i] / (1 - std::pow(beta2, t)) : s[i];
          r[i] = mean / (std::sqrt(raw) + epsilon) + decay * w[i];
          of_w += w[i] * w[i];
          of_r += r[i] * r[i];
        }
        const double trust = of_w > 0 && of_r > 0 ? std::sqrt(of_w) / std::sqrt(of_r) : 1;
        for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * trust * r[i];
      };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(lamb) {
  const std::vector<OptionSetting> coarse = {
      {"rate", "0.25"}, {"beta1", "0.5"}, {"beta2", "0.75"}, {"epsilon", "0.5"}};
  auto decaying = coarse;
  decaying.insert(decaying.end(), {{"weight_decay", "0.5"}, {"decays", "all"}});
  return {{
      // Of one element the direction is its sign: 1 − 0.25·1. Then m = 0 and r = 0: nothing moves.
      {.settings = coarse,
       .by_hand = {0.75, 0.75},
       .reference = [] { return you(0.5, 0.75, 0.5, 0); }},
      // r = 0.8 + 0.5, then 0.5·0.75.
      {.settings = decaying,
       .by_hand = {0.75, 0.5625},
       .reference = [] { return you(0.5, 0.75, 0.5, 0.5); }},
      {.settings = {}, .reference = [] { return you(0.9, 0.999, 1e-6, 0); }},
      // Without decay the correction of m would cancel in the norms.
      {.settings = {{"bias_correction", "false"}, {"weight_decay", "0.5"}, {"decays", "all"}},
       .reference = [] { return you(0.9, 0.999, 1e-6, 0.5, false); }},
  }};
}
#endif
