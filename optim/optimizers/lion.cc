#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct Lion {
    struct Numbers {
      double rate, beta1, beta2;
      double keep;  ///< what decay leaves of θ: 1 − ηλ
    };
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      w = w * k.keep - sign(m * k.beta1 + g * (1 - k.beta1)) * k.rate;
      m = m * k.beta2 + g * (1 - k.beta2);
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(lion, Lion)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(Lion) {
  option("rate", o.rate, kNotNegative, "η, by how much each element moves");
  option("beta1", o.beta1, kBelowOne, "β₁, the share of m in the direction");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of gradients is kept");
  option("weight_decay", o.weight_decay, kNotNegative, "λ: θ shrinks by ηλ in each step");
  option("decays", o.decays, kDecays, "weights (matrices and higher), or all parameters");
}

namespace {
constexpr SlotDef kSlots[] = {{"momentum"}};

void update_lion(ParameterStep& step) {
  const auto o = options_as<Lion>(step.options);
  const double decay = decays_here(o, step.parameter) ? o.weight_decay : 0;
  run_update(lion_levels, step, "Lion::step",
             updates::Lion::Numbers{o.rate, o.beta1, o.beta2, 1 - o.rate * decay});
}
}  // namespace

WENGERT_METHOD(lion, Lion) = {
    .name = "lion",
    .doc = {.summary = "Steps of one size by the sign of a running mean of the gradient.",
            .formula = "θ ← θ − η(sign(β₁m + (1 − β₁)g) + λθ); then m ← β₂m + (1 − β₂)g",
            .notes = "sign(0) = 0. The defaults are Optax's, whose decay works on all parameters "
                     "(decays = all), here on weights; Keras and the paper's listing decay by 0. "
                     "η is to be 3 to 10 times smaller than Adam's. By rows it is lazy: m of rows "
                     "without a gradient neither decays nor moves them.",
            .source = "X. Chen et al., Symbolic discovery of optimization algorithms, 2023, "
                      "algorithm 2"},
    .options = list_options<Lion>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_lion,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto chen(double beta1, double beta2, double decay) {
  return [=, m = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
    m.resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double mixed = beta1 * m[i] + (1 - beta1) * g[i];
      const double sign = mixed > 0 ? 1 : mixed < 0 ? -1 : 0;
      m[i] = beta2 * m[i] + (1 - beta2) * g[i];
      w[i] -= rate * (sign + decay * w[i]);
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(lion) {
  const std::vector<OptionSetting> coarse = {
      {"rate", "0.25"}, {"beta1", "0.5"}, {"beta2", "0.75"}, {"weight_decay", "0.5"}};
  auto all = coarse;
  all.push_back({"decays", "all"});
  return {{
      // The tests' parameter is a vector, which decays with `all` alone. m = 0.5 after a move
      // down; 0.25 − 0.5 is negative.
      {.settings = coarse, .by_hand = {0.75, 1}, .reference = [] { return chen(0.5, 0.75, 0); }},
      {.settings = all,
       .by_hand = {0.625, 0.796875},
       .reference = [] { return chen(0.5, 0.75, 0.5); }},
      {.settings = {}, .reference = [] { return chen(0.9, 0.99, 0); }},
  }};
}
#endif
