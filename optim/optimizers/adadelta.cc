#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct AdaDelta {
    struct Numbers {
      double rate, rho, epsilon;
    };
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& s, T& moves, const Numbers& k) {
      s = s * k.rho + g * g * (1 - k.rho);
      const T move = g * sqrt(moves + k.epsilon) / sqrt(s + k.epsilon);
      moves = moves * k.rho + move * move * (1 - k.rho);
      w = w - move * k.rate;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(adadelta, AdaDelta)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(AdaDelta) {
  option("rate", o.rate, kNotNegative, "η, the share of a move that is made");
  option("rho", o.rho, kBelowOne, "ρ, how much of the running means of squares is kept");
  option("epsilon", o.epsilon, kPositive, "ε, under both roots, from which moves begin");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"squares"}, {"squared_moves"}};

void update_adadelta(ParameterStep& step) {
  const auto o = options_as<AdaDelta>(step.options);
  run_update(adadelta_levels, step, "AdaDelta::step",
             updates::AdaDelta::Numbers{o.rate, o.rho, o.epsilon},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(adadelta, AdaDelta) = {
    .name = "adadelta",
    .doc = {.summary = "Steps as long as the last moves, in units of the gradient's own size.",
            .formula = "s ← ρs + (1 − ρ)g²; Δ = √(u + ε)/√(s + ε)·g; u ← ρu + (1 − ρ)Δ²; "
                       "θ ← θ − ηΔ",
            .notes = "η is 1 here, in the paper and PyTorch, .001 in Keras; ρ is .9 here and in "
                     "PyTorch, .95 in the paper and Keras, whose ε is 1e-7. "
                     "weight_decay = λ: g + λθ for g. By rows it is lazy: averages of rows without "
                     "a gradient stay as they are.",
            .source = "M. Zeiler, ADADELTA: an adaptive learning rate method, 2012, algorithm 1"},
    .options = list_options<AdaDelta>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_adadelta,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto zeiler(double rho, double epsilon, double decay = 0) {
  return [=, s = Numbers(), u = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
    s.resize(w.size()), u.resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double slope = g[i] + decay * w[i];
      s[i] = rho * s[i] + (1 - rho) * slope * slope;
      const double move = std::sqrt(u[i] + epsilon) / std::sqrt(s[i] + epsilon) * slope;
      u[i] = rho * u[i] + (1 - rho) * move * move;
      w[i] -= rate * move;
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(adadelta) {
  const std::vector<OptionSetting> coarse = {{"rate", "0.5"}, {"rho", "0.75"}, {"epsilon", "1"}};
  auto decaying = coarse;
  decaying.insert(decaying.end(), {{"weight_decay", "0.5"}, {"decays", "all"}});
  return {{
      // s = 1: Δ = 2/√2, u = 0.5. s = 1: Δ = −√1.5/√2.
      {.settings = coarse,
       .by_hand = {1 - 0.5 * std::sqrt(2.0), 1 - 0.5 * std::sqrt(2.0) + 0.5 * std::sqrt(0.75)},
       .reference = [] { return zeiler(0.75, 1); }},
      {.settings = decaying, .reference = [] { return zeiler(0.75, 1, 0.5); }},
      {.settings = {}, .reference = [] { return zeiler(0.9, 1e-6); }},
  }};
}
#endif
