#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct NesterovNumbers {
    double rate, beta;
    double decay = 0;  ///< λ where it is added at θ − βm
  };

  /// The re-parameterised form, on θ̃ = θ − βm.
  struct Nesterov {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      const T pull = g * k.rate;
      m = m * k.beta + pull;
      w = w - (m * k.beta + pull);
    }
  };

  /// With the gradient at θ − βm, the parameters standing at θ itself.
  struct NesterovAhead {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      m = m * k.beta + g * k.rate;
      w = w - m;
    }
  };

  /// The same with a coupled weight decay, whose gradient is taken at θ − βm too.
  struct NesterovAheadDecayed {
    using Numbers = NesterovNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& m, const Numbers& k) {
      const T kept = m * k.beta;
      m = kept + (g + (w - kept) * k.decay) * k.rate;
      w = w - m;
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
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"momentum"}};

void update_nesterov(ParameterStep& step) {
  const auto o = options_as<Nesterov>(step.options);
  const double decay = coupled_decay(o, step.parameter);
  if (step.looked_ahead && decay != 0) {
    return run_update(nesterov_ahead_decayed_levels, step, "Nesterov::step",
                      updates::NesterovNumbers{o.rate, o.momentum, decay});
  }
  run_update(step.looked_ahead ? nesterov_ahead_levels : nesterov_levels, step, "Nesterov::step",
             updates::NesterovNumbers{o.rate, o.momentum}, decay);
}

/// Gradients at θ − βm, which are tensors of their own: graphs that saved θ stay valid.
void look_ahead(ClosureStep& step) {
  std::vector<Tensor> points;
  for (const ParameterStep& at : step.parameters()) {
    Tensor ahead = at.parameter.value().clone();
    const WriteGuard guard(ahead, "Nesterov::step", at.where);
    kernels::scaled(ahead.dtype(), at.slots[0].data(), ahead.element_count(),
                    -options_as<Nesterov>(at.options).momentum, guard.data(), true);
    points.push_back(std::move(ahead));
  }
  step.update(step.evaluate_at(points), true);
}
}  // namespace

WENGERT_METHOD(nesterov, Nesterov) = {
    .name = "nesterov",
    .doc = {.summary = "Nesterov's accelerated gradient.",
            .formula = "m ← βm + ηg; θ̃ ← θ̃ − βm − ηg, g at θ̃ = θ − βm",
            .notes = "step(parameters, gradients) moves θ̃, the re-parameterised form. "
                     "step(parameters, closure) looks ahead: g at θ − βm, then m ← βm + ηg; "
                     "θ ← θ − m. Both describe one trajectory. "
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
WENGERT_OPTIMIZER_TESTS(nesterov) {
  // m = 1: 1 − 0.75 − 1; m = 0.25: −0.75 − 0.1875 + 0.5.
  return {{{.settings = {{"rate", "0.5"}, {"momentum", "0.75"}},
            .by_hand = {-0.75, -0.4375},
            .reference =
                [] {
                  return [m = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
                    m.resize(w.size());
                    for (std::size_t i = 0; i < w.size(); ++i) {
                      const double theta = w[i] + 0.75 * m[i];
                      m[i] = 0.75 * m[i] + rate * g[i];
                      w[i] = theta - m[i] - 0.75 * m[i];
                    }
                  };
                }},
           // g = 2.5: m = 1.25 and 1 − 0.9375 − 1.25 = −1.1875; g = −1 − 0.59375: m = 0.140625.
           {.settings =
                {{"rate", "0.5"}, {"momentum", "0.75"}, {"weight_decay", "0.5"}, {"decays", "all"}},
            .by_hand = {-1.1875, -1.1875 - 0.10546875 + 0.796875},
            .reference = [] {
              return [m = Numbers()](Numbers& w, const Numbers& g, double rate) mutable {
                m.resize(w.size());
                for (std::size_t i = 0; i < w.size(); ++i) {
                  const double theta = w[i] + 0.75 * m[i];
                  m[i] = 0.75 * m[i] + rate * (g[i] + 0.5 * w[i]);
                  w[i] = theta - m[i] - 0.75 * m[i];
                }
              };
            }}}};
}
#endif
