#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct RAdamNumbers {
    double rate;  ///< η/(1 − β₁ᵗ), times the rectification
    double beta1, beta2;
    double correction2;  ///< 1/(1 − β₂ᵗ)
    double epsilon;
  };

  struct RAdam {
    using Numbers = RAdamNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      m = m * k.beta1 + g * (1 - k.beta1);
      s = s * k.beta2 + g * g * (1 - k.beta2);
      w = w - m * k.rate / (sqrt(s * k.correction2) + k.epsilon);
    }
  };

  /// As long as the variance of the quotient is not finite: the mean alone.
  struct RAdamMean {
    using Numbers = RAdamNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      m = m * k.beta1 + g * (1 - k.beta1);
      s = s * k.beta2 + g * g * (1 - k.beta2);
      w = w - m * k.rate;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(radam, RAdam)
WENGERT_UPDATE(radam_mean, RAdamMean)

#ifdef WENGERT_RECORDS
#include <limits>

namespace wengert::optim {

WENGERT_OPTIONS(RAdam) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kPositive, "ε, which keeps the quotient finite");
  option("epsilon_order", o.epsilon_order, kEpsilonOrders,
         "whether ε joins s after its correction or before");
  option("threshold", o.threshold, Range{4, std::numeric_limits<double>::infinity()},
         "steps are rectified once ρ_t is above");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {{"first_moment"}, {"second_moment"}};

void update_radam(ParameterStep& step) {
  const auto o = options_as<RAdam>(step.options);
  const auto t = static_cast<double>(step.step);
  updates::RAdamNumbers k = {o.rate * bias_correction(o.beta1, step.step), o.beta1, o.beta2,
                             bias_correction(o.beta2, step.step), o.epsilon};
  if (o.epsilon_order == EpsilonOrder::kBefore) k.epsilon *= std::sqrt(k.correction2);
  const double most = 2 / (1 - o.beta2) - 1;
  const double length = most - 2 * t * std::pow(o.beta2, t) * k.correction2;
  const bool rectified = length > o.threshold;
  if (rectified) {
    k.rate *= std::sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
  }
  run_update(rectified ? radam_levels : radam_mean_levels, step, "RAdam::step", k,
             coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(radam, RAdam) = {
    .name = "radam",
    .doc = {.summary = "Adam, whose first steps are as short as their variance asks.",
            .formula = "ρ∞ = 2/(1 − β₂) − 1; ρ_t = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ); where ρ_t > 5: "
                       "θ ← θ − ηr·m̂·√(1 − β₂ᵗ)/(√s + ε), r = √((ρ_t − 4)(ρ_t − 2)ρ∞/((ρ∞ − "
                       "4)(ρ∞ − 2)ρ_t)); before: θ ← θ − ηm̂",
            .notes = "The paper rectifies above 4, its program, PyTorch and Optax above 5. ε joins "
                     "the root of the uncorrected s there and here; epsilon_order = after is "
                     "Optax's. With β₂ of 2/3 or less nothing is ever rectified. weight_decay = λ: "
                     "g + λθ for g. By rows it is lazy, as adam.",
            .source = "L. Liu et al., On the variance of the adaptive learning rate and beyond, "
                      "2020, algorithm 2"},
    .options = list_options<RAdam>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_radam,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto liu(double beta1, double beta2, double epsilon, bool before, double threshold = 5,
         double decay = 0) {
  return
      [=, m = Numbers(), s = Numbers(), t = 0](Numbers& w, const Numbers& g, double rate) mutable {
        m.resize(w.size()), s.resize(w.size());
        ++t;
        const double of_m = 1 - std::pow(beta1, t), of_s = 1 - std::pow(beta2, t);
        const double limit = 2 / (1 - beta2) - 1;
        const double rho = limit - 2 * t * std::pow(beta2, t) / of_s;
        for (std::size_t i = 0; i < w.size(); ++i) {
          const double slope = g[i] + decay * w[i];
          m[i] = beta1 * m[i] + (1 - beta1) * slope;
          s[i] = beta2 * s[i] + (1 - beta2) * slope * slope;
          double move = m[i] / of_m;
          if (rho > threshold) {
            move *= std::sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho));
            move *= before ? std::sqrt(of_s) / (std::sqrt(s[i]) + epsilon)
                           : 1 / (std::sqrt(s[i] / of_s) + epsilon);
          }
          w[i] -= rate * move;
        }
      };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(radam) {
  const std::vector<OptionSetting> coarse = {
      {"rate", "0.25"}, {"beta1", "0.75"}, {"beta2", "0.9"}, {"epsilon", "0.5"}};
  const auto with = [&coarse](const std::vector<OptionSetting>& more) {
    auto all = coarse;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  return {{
      // m = 0.5, m̂ = 2: 1 − 0.25·2; m = 0.375 − 0.25. The first steps are not rectified.
      {.settings = coarse,
       .by_hand = {0.5, 0.5 - 0.25 * 0.125 / 0.4375},
       .reference = [] { return liu(0.75, 0.9, 0.5, true); }},
      {.settings = with({{"epsilon_order", "after"}, {"threshold", "4"}}),
       .reference = [] { return liu(0.75, 0.9, 0.5, false, 4); }},
      {.settings = with({{"weight_decay", "0.5"}, {"decays", "all"}}),
       .reference = [] { return liu(0.75, 0.9, 0.5, true, 5, 0.5); }},
      {.settings = {}, .reference = [] { return liu(0.9, 0.999, 1e-8, true); }},
  }};
}
#endif
