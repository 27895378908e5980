#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct AdaMax {
    struct Numbers {
      double rate;  ///< η/(1 − β₁ᵗ)
      double beta1, beta2, epsilon;
    };
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& largest, const Numbers& k) {
      m = m * k.beta1 + g * (1 - k.beta1);
      const T faded = largest * k.beta2, now = abs(g) + k.epsilon;
      largest = where(faded > now, faded, now);
      w = w - m * k.rate / largest;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(adamax, AdaMax)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(AdaMax) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the largest gradient is kept");
  option("epsilon", o.epsilon, kPositive, "ε, which keeps the quotient finite");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"first_moment"}, {"largest"}};

void update_adamax(ParameterStep& step) {
  const auto o = options_as<AdaMax>(step.options);
  run_update(adamax_levels, step, "AdaMax::step",
             updates::AdaMax::Numbers{o.rate * bias_correction(o.beta1, step.step), o.beta1,
                                      o.beta2, o.epsilon},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(adamax, AdaMax) = {
    .name = "adamax",
    .doc = {.summary = "Adam by the largest gradient in the place of the mean square.",
            .formula = "m ← β₁m + (1 − β₁)g; u ← max(β₂u, |g| + ε); θ ← θ − η/(1 − β₁ᵗ)·m/u",
            .notes = "ε as in PyTorch; the paper has none, Keras adds it to u. The largest needs "
                     "no correction. weight_decay = λ: g + λθ for g. By rows it is lazy, as adam.",
            .source = "D. Kingma, J. Ba, Adam, 2015, algorithm 2"},
    .options = list_options<AdaMax>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_adamax,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto adamax_of(double beta1, double beta2, double epsilon, double decay = 0) {
  return
      [=, m = Numbers(), u = Numbers(), t = 0](Numbers& w, const Numbers& g, double rate) mutable {
        m.resize(w.size()), u.resize(w.size());
        ++t;
        for (std::size_t i = 0; i < w.size(); ++i) {
          const double slope = g[i] + decay * w[i];
          m[i] = beta1 * m[i] + (1 - beta1) * slope;
          u[i] = std::fmax(beta2 * u[i], std::fabs(slope) + epsilon);
          w[i] -= rate / (1 - std::pow(beta1, t)) * m[i] / u[i];
        }
      };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(adamax) {
  const std::vector<OptionSetting> coarse = {
      {"rate", "0.5"}, {"beta1", "0.75"}, {"beta2", "0.75"}, {"epsilon", "0.5"}};
  auto decaying = coarse;
  decaying.insert(decaying.end(), {{"weight_decay", "0.5"}, {"decays", "all"}});
  return {{
      // m = 0.5, m̂ = 2, u = 2.5: 1 − 0.5·2/2.5. m = 0.125, u = max(1.875, 1.5).
      {.settings = coarse,
       .by_hand = {0.6, 0.6 - 0.5 * (0.125 / 0.4375) / 1.875},
       .reference = [] { return adamax_of(0.75, 0.75, 0.5); }},
      {.settings = decaying, .reference = [] { return adamax_of(0.75, 0.75, 0.5, 0.5); }},
      {.settings = {}, .reference = [] { return adamax_of(0.9, 0.999, 1e-8); }},
  }};
}
#endif
