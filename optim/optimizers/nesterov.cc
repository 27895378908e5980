#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct NesterovNumbers {
    double beta;
    double pull;       ///< of the gradient: η with the rate inside m
    double move;       ///< of m: 1 with the rate inside
    double decay = 0;  ///< λ where it is added at the point ahead
  };

  /// The re-parameterised form: w stands at the point ahead.
  struct Nesterov {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      const T pull = g * k.pull;
      m = m * k.beta + pull;
      w = w - (m * k.beta + pull) * k.move;
    }
  };

  /// With the gradient at the point ahead, the parameters standing at θ itself.
  struct NesterovAhead {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      m = m * k.beta + g * k.pull;
      w = w - m * k.move;
    }
  };

  /// The same with a coupled weight decay, whose gradient is taken at the point ahead too.
  struct NesterovAheadDecayed {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      const T kept = m * k.beta;
      m = kept + (g + (w - kept * k.move) * k.decay) * k.pull;
      w = w - m * k.move;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(nesterov_ahead_decayed, NesterovAheadDecayed)
WENGERT_UPDATE(nesterov, Nesterov)
WENGERT_UPDATE(nesterov_ahead, NesterovAhead)

#ifdef WENGERT_RECORDS
#include "wengert/ops/kernels/measure.h"

namespace wengert::optim {

WENGERT_OPTIONS(Nesterov) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("momentum", o.momentum, kBelowOne, "β, how much of the last move is kept");
  option("rate_place", o.rate_place, kRatePlaces, "where η stands, inside m or outside");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"momentum"}};

updates::NesterovNumbers numbers_of(const Nesterov::Options& o, double decay = 0) {
  const bool inside = o.rate_place == RatePlace::kInside;
  return {o.momentum, inside ? o.rate : 1, inside ? 1 : o.rate, decay};
}

void update_nesterov(ParameterStep& step) {
  const auto o = options_as<Nesterov>(step.options);
  const double decay = coupled_decay(o, step.parameter);
  if (step.looked_ahead && decay != 0) {
    return run_update(nesterov_ahead_decayed_levels, step, "Nesterov::step", numbers_of(o, decay));
  }
  run_update(step.looked_ahead ? nesterov_ahead_levels : nesterov_levels, step, "Nesterov::step",
             numbers_of(o), decay);
}

/// Gradients at the point ahead, θ − βm or θ − ηβm, which are tensors of their own: graphs that
/// saved θ stay valid.
void look_ahead(ClosureStep& step) {
  std::vector<Tensor> points;
  for (const ParameterStep& at : step.parameters()) {
    Tensor ahead = at.parameter.value().clone();
    const WriteGuard guard(ahead, "Nesterov::step", at.where);
    const updates::NesterovNumbers k = numbers_of(options_as<Nesterov>(at.options));
    kernels::scaled(ahead.dtype(), at.slots[0].data(), ahead.element_count(), -k.beta * k.move,
                    guard.data(), true);
    points.push_back(std::move(ahead));
  }
  step.update(step.evaluate_at(points), true);
}
}  // namespace

WENGERT_METHOD(nesterov, Nesterov) = {
    .name = "nesterov",
    .doc = {.summary = "Nesterov's accelerated gradient.",
            .formula = "m ← βm + g; θ̃ ← θ̃ − η(βm + g), g at θ̃ = θ − ηβm",
            .notes = "As in PyTorch. rate_place = inside: m ← βm + ηg; θ̃ ← θ̃ − βm − ηg, g at θ̃ = "
                     "θ − βm, as in most texts and in Keras; both are one as long as η stays. "
                     "step(parameters, gradients) moves θ̃, the re-parameterised form. "
                     "step(parameters, closure) looks ahead: g at θ̃, then m as above; θ ← θ − ηm "
                     "(inside: θ − m). Both describe one trajectory, outside while η stays. "
                     "By rows it is lazy: m of rows without a gradient neither decays nor moves "
                     "them. weight_decay = λ: g + λθ̃ for g.",
            .source = "Y. Nesterov 1983; I. Sutskever et al., On the importance of initialization "
                      "and momentum in deep learning, 2013"},
    .options = list_options<Nesterov>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_nesterov,
    .with_closure = look_ahead,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
/// θ and θ̃ apart: η in m, or in the move.
auto nesterov(double beta, bool inside, double decay = 0) {
  return [=, m = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
    m.resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double move = inside ? 1 : rate, theta = w[i] + move * beta * m[i];
      m[i] = beta * m[i] + (inside ? rate : 1) * (g[i] + decay * w[i]);
      w[i] = theta - move * m[i] - move * beta * m[i];
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(nesterov) {
  return {{
      // m = 2: 1 − 0.5·(1.5 + 2); m = 0.5: −0.75 − 0.5·(0.375 − 1).
      {.settings = {{"rate", "0.5"}, {"momentum", "0.75"}},
       .by_hand = {-0.75, -0.4375},
       .reference = [] { return nesterov(0.75, false); }},
      // m = 1: 1 − 0.75 − 1; m = 0.25: −0.75 − 0.1875 + 0.5.
      {.settings = {{"rate", "0.5"}, {"momentum", "0.75"}, {"rate_place", "inside"}},
       .by_hand = {-0.75, -0.4375},
       .reference = [] { return nesterov(0.75, true); }},
      // g = 2.5: m = 2.5 and 1 − 0.5·(1.875 + 2.5) = −1.1875; g = −1 − 0.59375: m = 0.28125.
      {.settings =
           {{"rate", "0.5"}, {"momentum", "0.75"}, {"weight_decay", "0.5"}, {"decays", "all"}},
       .by_hand = {-1.1875, -1.1875 - 0.10546875 + 0.796875},
       .reference = [] { return nesterov(0.75, false, 0.5); }},
  }};
}
#endif
