#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct AdaGrad {
    struct Numbers {
      double rate;
      double inside, outside;  ///< ε in the root and beside it; one of them is 0
    };
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& s, const Numbers& k) {
      s = s + g * g;
      w = w - g * k.rate / (sqrt(s + k.inside) + k.outside);
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(adagrad, AdaGrad)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(AdaGrad) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("initial", o.initial, kNotNegative, "what s starts with");
  option("epsilon", o.epsilon, kPositive, "ε, which keeps the quotient finite");
  option("epsilon_place", o.epsilon_place, kEpsilonPlaces, "√s + ε, or √(s + ε)");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {
    {"squares", [](const Parameter& parameter, const OptionValues& options) {
       const Tensor& value = parameter.value();
       return Tensor::full(value.shape(), options_as<AdaGrad>(options).initial, value.dtype());
     }}};

void update_adagrad(ParameterStep& step) {
  const auto o = options_as<AdaGrad>(step.options);
  const bool inside = o.epsilon_place == EpsilonPlace::kInside;
  run_update(adagrad_levels, step, "AdaGrad::step",
             updates::AdaGrad::Numbers{o.rate, inside ? o.epsilon : 0, inside ? 0 : o.epsilon},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(adagrad, AdaGrad) = {
    .name = "adagrad",
    .doc = {.summary = "Steps that shrink by the squares of all gradients so far.",
            .formula = "s ← s + g²; θ ← θ − ηg/(√s + ε)",
            .notes = "epsilon_place = inside: θ ← θ − ηg/√(s + ε). s starts at `initial`: 0 here "
                     "and in PyTorch, 0.1 in Keras and Optax. By rows it is exact, with "
                     "weight_decay lazy. weight_decay = λ: g + λθ for g.",
            .source = "J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, 2011"},
    .options = list_options<AdaGrad>,
    .slots = kSlots,
    .rows = RowUpdates::kExact,
    .update = update_adagrad,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto duchi(double initial, double outside, double inside, double decay = 0) {
  return [=, s = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
    s.resize(w.size(), initial);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double slope = g[i] + decay * w[i];
      s[i] += slope * slope;
      w[i] -= rate * slope / (std::sqrt(s[i] + inside) + outside);
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(adagrad) {
  return {{
      // s = 4: 1 − 0.5·2/(2 + 0.5) = 0.6; s = 5: 0.6 + 0.5/(√5 + 0.5).
      {.settings = {{"rate", "0.5"}, {"epsilon", "0.5"}},
       .by_hand = {0.6, 0.6 + 0.5 / (std::sqrt(5.0) + 0.5)},
       .reference = [] { return duchi(0, 0.5, 0); }},
      // s + ε = 5 + 4 = 9: 1 − 0.75·2/3 = 0.5; 6 + 4 = 10.
      {.settings =
           {{"rate", "0.75"}, {"initial", "1"}, {"epsilon", "4"}, {"epsilon_place", "inside"}},
       .by_hand = {0.5, 0.5 + 0.75 / std::sqrt(10.0)},
       .reference = [] { return duchi(1, 0, 4); }},
      {.settings = {}, .reference = [] { return duchi(0, 1e-10, 0); }},
      // g = 2.5: 1 − 0.5·2.5/3 = 7/12; g = −1 + 7/24, s = 6.25 + g².
      {.settings =
           {{"rate", "0.5"}, {"epsilon", "0.5"}, {"weight_decay", "0.5"}, {"decays", "all"}},
       .by_hand = {7.0 / 12, 7.0 / 12 + 0.5 * (17.0 / 24) / (std::sqrt(6.25 + 289.0 / 576) + 0.5)},
       .reference = [] { return duchi(0, 0.5, 0, 0.5); }},
  }};
}
#endif
