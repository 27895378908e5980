#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct Sgd {
    struct Numbers {
      double rate;
    };
    static constexpr int slots = 0;
    template <class T>
    static void update(T& w, T g, const Numbers& k) {
      w = w - g * k.rate;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(sgd, Sgd)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(Sgd) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  visit_coupled_decay(o, option);
}

namespace {
void update_sgd(ParameterStep& step) {
  const auto o = options_as<Sgd>(step.options);
  run_update(sgd_levels, step, "Sgd::step", updates::Sgd::Numbers{o.rate},
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(sgd, Sgd) = {
    .name = "sgd",
    .doc = {.summary = "Gradient descent; on mini-batches, stochastic gradient descent.",
            .formula = "θ ← θ − ηg",
            .notes = "Keeps nothing; by rows it is exact, with weight_decay lazy. weight_decay = "
                     "λ: g + λθ for g, "
                     "the gradient of an L2 penalty λ/2·Σθ², which here is the same as to shrink θ "
                     "by ηλ; it works on weights, in PyTorch on all parameters (decays = all).",
            .source = "H. Robbins, S. Monro, A stochastic approximation method, 1951"},
    .options = list_options<Sgd>,
    .rows = RowUpdates::kExact,
    .update = update_sgd,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
WENGERT_OPTIMIZER_TESTS(sgd) {
  // 1 − 0.5·2, then 0 − 0.5·(−1).
  return {{{.settings = {{"rate", "0.5"}},
            .by_hand = {0, 0.5},
            .reference =
                [] {
                  return [](Numbers& w, const Numbers& g, double rate) {
                    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * g[i];
                  };
                }},
           // 1 − 0.5·(2 + 0.5), then −0.25 − 0.5·(−1 − 0.125).
           {.settings = {{"rate", "0.5"}, {"weight_decay", "0.5"}, {"decays", "all"}},
            .by_hand = {-0.25, 0.3125},
            .reference =
                [] {
                  return [](Numbers& w, const Numbers& g, double rate) {
                    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * (g[i] + 0.5 * w[i]);
                  };
                }},
           // The tests' parameter is a vector, which decays with `all` alone.
           {.settings = {{"rate", "0.5"}, {"weight_decay", "0.5"}},
            .by_hand = {0, 0.5},
            .reference = [] {
              return [](Numbers& w, const Numbers& g, double rate) {
                for (std::size_t i = 0; i < w.size(); ++i) w[i] -= rate * g[i];
              };
            }}}};
}
#endif
