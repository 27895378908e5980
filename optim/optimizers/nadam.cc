#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct NAdam {
    struct Numbers {
      double beta1, beta2, epsilon;
      double correction2;  ///< 1/(1 − β₂ᵗ)
      double pull;         ///< of the gradient: η(1 − μ_t)/(1 − Πμ)
      double push;         ///< of m: ημ_{t+1}/(1 − Πμ·μ_{t+1})
    };
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      m = m * k.beta1 + g * (1 - k.beta1);
      s = s * k.beta2 + g * g * (1 - k.beta2);
      w = w - (g * k.pull + m * k.push) / (sqrt(s * k.correction2) + k.epsilon);
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(nadam, NAdam)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(NAdam) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kPositive, "ε, added to the root after the correction");
  option("momentum_decay", o.momentum_decay, kNotNegative, "ψ, how soon μ comes near β₁");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"first_moment"},
                              {"second_moment"},
                              {"momentum_product", [](const Parameter&, const OptionValues&) {
                                 return Tensor::scalar(1.0);
                               }}};

void update_nadam(ParameterStep& step) {
  const auto o = options_as<NAdam>(step.options);
  const auto momentum_at = [&o](std::int64_t t) {
    return o.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * o.momentum_decay));
  };
  const double now = momentum_at(step.step), next = momentum_at(step.step + 1);
  double product = 0;
  {
    const WriteGuard guard(step.slots[2], "NAdam::step", step.where);
    product = guard.span<double>()[0] *= now;
  }
  run_update(nadam_levels, step, "NAdam::step",
             updates::NAdam::Numbers{
                 o.beta1, o.beta2, o.epsilon, bias_correction(o.beta2, step.step),
                 o.rate * (1 - now) / (1 - product), o.rate * next / (1 - product * next)},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(nadam, NAdam) = {
    .name = "nadam",
    .doc = {.summary = "Adam with Nesterov's look ahead.",
            .formula = "μ_t = β₁(1 − ½·0.96^(tψ)); m and s as in Adam; θ ← θ − η·(μ_{t+1}m/(1 − "
                       "∏_{i≤t+1} μ_i) + (1 − μ_t)g/(1 − ∏_{i≤t} μ_i))/(√ŝ + ε)",
            .notes = "ψ = momentum_decay is .004 here, in the paper and in PyTorch and Keras. m "
                     "keeps β₁, as there. weight_decay = λ: g + λθ for g. By rows it is lazy, as "
                     "adam; the product of μ counts for all rows alike.",
            .source = "T. Dozat, Incorporating Nesterov momentum into Adam, 2016, algorithm 2"},
    .options = list_options<NAdam>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_nadam,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto dozat(double beta1, double beta2, double epsilon, double psi, double decay = 0) {
  return [=, m = Numbers(), s = Numbers(), product = 1.0, t = 0](Numbers& w, const Numbers& g,
                                                                 double rate) mutable {
    m.resize(w.size()), s.resize(w.size());
    ++t;
    const double now = beta1 * (1 - 0.5 * std::pow(0.96, t * psi));
    const double next = beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * psi));
    product *= now;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double slope = g[i] + decay * w[i];
      m[i] = beta1 * m[i] + (1 - beta1) * slope;
      s[i] = beta2 * s[i] + (1 - beta2) * slope * slope;
      const double root = std::sqrt(s[i] / (1 - std::pow(beta2, t))) + epsilon;
      w[i] -= rate * (1 - now) / (1 - product) * slope / root;
      w[i] -= rate * next / (1 - product * next) * m[i] / root;
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(nadam) {
  const std::vector<OptionSetting> coarse = {{"rate", "0.5"},
                                             {"beta1", "0.5"},
                                             {"beta2", "0.75"},
                                             {"epsilon", "0.5"},
                                             {"momentum_decay", "0"}};
  auto decaying = coarse;
  decaying.insert(decaying.end(), {{"weight_decay", "0.5"}, {"decays", "all"}});
  const double first = 1 - 0.5 * (2 + 0.25 / 0.9375) / 2.5;
  return {{
      // μ = 0.25 each, ∏ = 0.25 and 0.0625. m = 1, ŝ = 4; m = 0, ŝ = 1/0.4375.
      {.settings = coarse,
       .by_hand = {first, first + 0.5 * (0.75 / 0.9375) / (std::sqrt(1 / 0.4375) + 0.5)},
       .reference = [] { return dozat(0.5, 0.75, 0.5, 0); }},
      {.settings = decaying, .reference = [] { return dozat(0.5, 0.75, 0.5, 0, 0.5); }},
      {.settings = {}, .reference = [] { return dozat(0.9, 0.999, 1e-8, 0.004); }},
  }};
}
#endif
