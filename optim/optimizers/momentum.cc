#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct Momentum {
    struct Numbers {
      double beta;
      double pull;  ///< of the gradient: η (1 − dampening) with the rate inside
      double move;  ///< of m: 1 with the rate inside
    };
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      m = m * k.beta + g * k.pull;
      w = w - m * k.move;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(momentum, Momentum)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(Momentum) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("momentum", o.momentum, kBelowOne, "β, how much of the last move is kept");
  option("dampening", o.dampening, Range{0, 1, false, false}, "τ, what the gradient loses");
  option("rate_place", o.rate_place, kRatePlaces, "where η stands, inside m or outside");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"momentum"}};

void update_momentum(ParameterStep& step) {
  const auto o = options_as<Momentum>(step.options);
  const bool inside = o.rate_place == RatePlace::kInside;
  run_update(momentum_levels, step, "Momentum::step",
             updates::Momentum::Numbers{o.momentum, (inside ? o.rate : 1) * (1 - o.dampening),
                                        inside ? 1 : o.rate},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(momentum, Momentum) = {
    .name = "momentum",
    .doc =
        {.summary = "Gradient descent with momentum.",
         .formula = "m ← βm + (1 − τ)g; θ ← θ − ηm",
         .notes =
             "As in PyTorch. rate_place = inside: m ← βm + (1 − τ)ηg; θ ← θ − m, as in most texts "
             "and in Keras. Both are one as long as η stays; when η falls, outside slows the moves "
             "at once and inside as m forgets. The first step is undamped where τ = 0. By rows it "
             "is lazy: m of rows without a gradient neither decays nor moves them. weight_decay = "
             "λ: g + λθ for g.",
         .source = "B. Polyak, Some methods of speeding up the convergence of iteration "
                   "methods, 1964"},
    .options = list_options<Momentum>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_momentum,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
/// m in units of the gradient, and the move as it was made.
auto polyak(double beta, double dampening, bool inside, double decay = 0) {
  return [=, m = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
    m.resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double pull = (1 - dampening) * (g[i] + decay * w[i]);
      m[i] = beta * m[i] + (inside ? rate * pull : pull);
      w[i] -= inside ? m[i] : rate * m[i];
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(momentum) {
  return {{
      // m = 1, then 0.75·1 − 0.5 = 0.25.
      {.settings = {{"rate", "0.5"}, {"momentum", "0.75"}, {"rate_place", "inside"}},
       .by_hand = {0, -0.25},
       .reference = [] { return polyak(0.75, 0, true); }},
      // m = 2, then 0.75·2 − 1 = 0.5.
      {.settings = {{"rate", "0.5"}, {"momentum", "0.75"}},
       .by_hand = {0, -0.25},
       .reference = [] { return polyak(0.75, 0, false); }},
      // m = 0.5·2 = 1, then 0.75·1 − 0.5·1 = 0.25.
      {.settings = {{"rate", "0.5"}, {"momentum", "0.75"}, {"dampening", "0.5"}},
       .by_hand = {0.5, 0.375},
       .reference = [] { return polyak(0.75, 0.5, false); }},
      // m = 2 + 0.5 = 2.5, then 0.75·2.5 − 1 − 0.125 = 0.75.
      {.settings =
           {{"rate", "0.5"}, {"momentum", "0.75"}, {"weight_decay", "0.5"}, {"decays", "all"}},
       .by_hand = {-0.25, -0.625},
       .reference = [] { return polyak(0.75, 0, false, 0.5); }},
  }};
}
#endif
