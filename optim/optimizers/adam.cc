#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct AdamNumbers {
    double rate, beta1, beta2, epsilon;
    double correction1, correction2;  ///< 1/(1 − β₁ᵗ), 1/(1 − β₂ᵗ)
    double keep;                      ///< what decay leaves of θ: 1 − ηλ
  };

  /// m and s by a gradient; gives η m̂/(√ŝ + ε).
  template <class T>
  T adam_move(T g, T & m, T & s, const AdamNumbers& k) {
    m = m * k.beta1 + g * (1 - k.beta1);
    s = s * k.beta2 + g * g * (1 - k.beta2);
    return m * (k.rate * k.correction1) / (sqrt(s * k.correction2) + k.epsilon);
  }

  struct Adam {
    using Numbers = AdamNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      w = w - adam_move(g, m, s, k);
    }
  };

  struct AdamW {
    using Numbers = AdamNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      w = w * k.keep - adam_move(g, m, s, k);
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(adam, Adam)
WENGERT_UPDATE(adamw, AdamW)

#ifdef WENGERT_RECORDS
namespace wengert::optim {
namespace {

template <class Options, class Option>
constexpr void visit_moments(Options& o, Option& option) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kNotNegative, "ε, added to the root after the correction");
}

}  // namespace

WENGERT_OPTIONS(Adam) { visit_moments(o, option); }
WENGERT_OPTIONS(AdamW) {
  visit_moments(o, option);
  option("weight_decay", o.weight_decay, kNotNegative, "λ: θ shrinks by ηλ in each step");
  option("decays", o.decays, kDecays, "weights (matrices and higher), or all parameters");
}

namespace {
constexpr SlotDef kSlots[] = {{"first_moment"}, {"second_moment"}};

template <class Options>
updates::AdamNumbers numbers_of(const Options& o, std::int64_t step) {
  return {o.rate,
          o.beta1,
          o.beta2,
          o.epsilon,
          bias_correction(o.beta1, step),
          bias_correction(o.beta2, step),
          1};
}

void update_adam(ParameterStep& step) {
  run_update(adam_levels, step, "Adam::step",
             numbers_of(options_as<Adam>(step.options), step.step));
}

void update_adamw(ParameterStep& step) {
  const auto o = options_as<AdamW>(step.options);
  updates::AdamNumbers numbers = numbers_of(o, step.step);
  if (o.decays == Decays::kAll || is_weight(step.parameter)) {
    numbers.keep = 1 - o.rate * o.weight_decay;
  }
  run_update(adamw_levels, step, "AdamW::step", numbers);
}
}  // namespace

WENGERT_METHOD(adam, Adam) = {
    .name = "adam",
    .doc = {.summary = "Steps by running means of the gradient and of its square.",
            .formula = "m ← β₁m + (1 − β₁)g; s ← β₂s + (1 − β₂)g²; θ ← θ − η·m̂/(√ŝ + ε), "
                       "m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ)",
            .notes =
                "t counts a parameter's own steps, from 1. ε stands outside the root, after "
                "the correction; Keras adds 1e-7 to the root of the uncorrected s. By rows it is "
                "lazy, as PyTorch's SparseAdam: m and s of rows without a gradient stay as they "
                "are, and t counts for all rows alike.",
            .source = "D. Kingma, J. Ba, Adam, 2015, algorithm 1"},
    .options = list_options<Adam>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_adam,
};

WENGERT_METHOD(adamw, AdamW) = {
    .name = "adamw",
    .doc = {.summary = "Adam with decoupled weight decay.",
            .formula = "θ ← θ(1 − ηλ), then Adam's step",
            .notes =
                "Decay works on weights (matrices and higher) and leaves biases and gains; "
                "decays = all is PyTorch's. λ is .01 here and in PyTorch, .004 in Keras. By rows "
                "it is lazy, as adam: rows without a gradient do not decay either.",
            .source = "I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019"},
    .options = list_options<AdamW>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_adamw,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto kingma(double beta1, double beta2, double epsilon, double decay = 0) {
  return [=, m = Numbers(), s = Numbers(), t = 0](Numbers& w, const Numbers& g,
                                                  double rate) mutable {
    m.resize(w.size()), s.resize(w.size());
    ++t;
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      s[i] = beta2 * s[i] + (1 - beta2) * g[i] * g[i];
      const double mean = m[i] / (1 - std::pow(beta1, t)), raw = s[i] / (1 - std::pow(beta2, t));
      w[i] -= rate * decay * w[i];
      w[i] -= rate * mean / (std::sqrt(raw) + epsilon);
    }
  };
}

const std::vector<OptionSetting> kCoarse = {
    {"rate", "0.1"}, {"beta1", "0.5"}, {"beta2", "0.75"}, {"epsilon", "0.5"}};
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(adam) {
  return {{
      // m = 1, s = 1; corrected 2 and 4: 1 − 0.1·2/(2 + 0.5). Then m = 0: nothing moves.
      {.settings = kCoarse,
       .by_hand = {0.92, 0.92},
       .reference = [] { return kingma(0.5, 0.75, 0.5); }},
      {.settings = {}, .reference = [] { return kingma(0.9, 0.999, 1e-8); }},
  }};
}

WENGERT_OPTIMIZER_TESTS(adamw) {
  auto decaying = kCoarse;
  decaying.push_back({"weight_decay", "0.5"});
  auto all = decaying;
  all.push_back({"decays", "all"});
  return {{
      // The tests' parameter is a vector, which decays with `all` alone: 0.95 − 0.08, and
      // 0.95·0.87.
      {.settings = decaying,
       .by_hand = {0.92, 0.92},
       .reference = [] { return kingma(0.5, 0.75, 0.5); }},
      {.settings = all,
       .by_hand = {0.87, 0.8265},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0.5); }},
  }};
}
#endif
