#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct RmsPropNumbers {
    double rate, alpha;
    double inside, outside;  ///< ε in the root and beside it; one of them is 0
    double momentum;
    double pull, move;  ///< η of what goes into m and of m; one of them is 1
  };

  template <class T>
  T running(T average, T x, const RmsPropNumbers& k) {
    return average * k.alpha + x * (1 - k.alpha);
  }
  template <class T>
  T root(T s, const RmsPropNumbers& k) {
    return sqrt(s + k.inside) + k.outside;
  }
  /// s − mean² is a variance, but rounding may take it below 0.
  template <class T>
  T rms_variance(T s, T mean) {
    const T v = s - mean * mean;
    return where(v > 0.0, v, 0.0);
  }

  struct RmsProp {
    using Numbers = RmsPropNumbers;
    static constexpr int slots = 1;
    template <class T>
    static void update(T& w, T g, T& s, const Numbers& k) {
      s = running(s, g * g, k);
      w = w - g * k.rate / root(s, k);
    }
  };

  struct RmsPropMomentum {
    using Numbers = RmsPropNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& s, T& m, const Numbers& k) {
      s = running(s, g * g, k);
      m = m * k.momentum + g * k.pull / root(s, k);
      w = w - m * k.move;
    }
  };

  struct RmsPropCentered {
    using Numbers = RmsPropNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& s, T& mean, const Numbers& k) {
      s = running(s, g * g, k);
      mean = running(mean, g, k);
      w = w - g * k.rate / root(rms_variance(s, mean), k);
    }
  };

  struct RmsPropCenteredMomentum {
    using Numbers = RmsPropNumbers;
    static constexpr int slots = 3;
    template <class T>
    static void update(T& w, T g, T& s, T& mean, T& m, const Numbers& k) {
      s = running(s, g * g, k);
      mean = running(mean, g, k);
      m = m * k.momentum + g * k.pull / root(rms_variance(s, mean), k);
      w = w - m * k.move;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(rmsprop, RmsProp)
WENGERT_UPDATE(rmsprop_momentum, RmsPropMomentum)
WENGERT_UPDATE(rmsprop_centered, RmsPropCentered)
WENGERT_UPDATE(rmsprop_centered_momentum, RmsPropCenteredMomentum)

#ifdef WENGERT_RECORDS
namespace wengert::optim {

WENGERT_OPTIONS(RmsProp) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("alpha", o.alpha, kBelowOne, "α, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kPositive, "ε, which keeps the quotient finite");
  option("epsilon_place", o.epsilon_place, kEpsilonPlaces, "√s + ε, or √(s + ε)");
  option("momentum", o.momentum, kBelowOne, "β, how much of the last move is kept");
  option("rate_place", o.rate_place, kRatePlaces, "where η stands, inside m or outside");
  option("centered", o.centered, "divide by the standard deviation: s less the mean's square");
  visit_coupled_decay(o, option);
}

namespace {
constexpr SlotDef kSlots[] = {
    {"squares"},
    {"mean", nullptr, [](const OptionValues& v) { return options_as<RmsProp>(v).centered; }},
    {"momentum", nullptr,
     [](const OptionValues& v) { return options_as<RmsProp>(v).momentum > 0; }}};

void update_rmsprop(ParameterStep& step) {
  const auto o = options_as<RmsProp>(step.options);
  const bool inside = o.epsilon_place == EpsilonPlace::kInside;
  const bool rate_inside = o.rate_place == RatePlace::kInside;
  const updates::RmsPropNumbers numbers = {o.rate,
                                           o.alpha,
                                           inside ? o.epsilon : 0,
                                           inside ? 0 : o.epsilon,
                                           o.momentum,
                                           rate_inside ? o.rate : 1,
                                           rate_inside ? 1 : o.rate};
  const bool moves = o.momentum > 0;
  run_update(o.centered ? (moves ? rmsprop_centered_momentum_levels : rmsprop_centered_levels)
                        : (moves ? rmsprop_momentum_levels : rmsprop_levels),
             step, "RmsProp::step", numbers, coupled_decay(o, step.parameter));
}
}  // namespace

WENGERT_METHOD(rmsprop, RmsProp) = {
    .name = "rmsprop",
    .doc = {.summary = "Steps divided by the running root mean square of the gradient.",
            .formula = "s ← αs + (1 − α)g²; θ ← θ − ηg/(√s + ε)",
            .notes = "With momentum β: m ← βm + g/(√s + ε); θ ← θ − ηm; rate_place = inside, as in "
                     "TensorFlow: m ← βm + ηg/(√s + ε); θ ← θ − m. Centered: s − μ² for s, "
                     "μ ← αμ + (1 − α)g. epsilon_place = inside: √(s + ε). α is .99 here and in "
                     "PyTorch, .9 in the lecture, with ε inside. By rows it is lazy: averages of "
                     "rows without a gradient stay as they are. weight_decay = λ: g + λθ for g.",
            .source = "T. Tieleman, G. Hinton, Lecture 6.5, 2012; centered: A. Graves, Generating "
                      "sequences with recurrent neural networks, 2013"},
    .options = list_options<RmsProp>,
    .slots = kSlots,
    .rows = RowUpdates::kLazy,
    .update = update_rmsprop,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
auto hinton(double alpha, double outside, double inside, double beta, bool centered,
            double decay = 0, bool rate_inside = false) {
  return [=, s = Numbers(), mean = Numbers(), m = Numbers()](Numbers& w, const Numbers& g,
                                                             double rate) mutable {
    for (Numbers* kept : {&s, &mean, &m}) kept->resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double slope = g[i] + decay * w[i];
      s[i] = alpha * s[i] + (1 - alpha) * slope * slope;
      mean[i] = alpha * mean[i] + (1 - alpha) * slope;
      const double square = centered ? std::fmax(0, s[i] - mean[i] * mean[i]) : s[i];
      const double move = slope / (std::sqrt(square + inside) + outside);
      m[i] = beta * m[i] + (rate_inside ? rate * move : move);
      w[i] -= rate_inside ? m[i] : rate * m[i];
    }
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(rmsprop) {
  const std::vector<OptionSetting> plain = {{"rate", "0.5"}, {"alpha", "0.75"}, {"epsilon", "1"}};
  const auto with = [&plain](const std::vector<OptionSetting>& more) {
    auto all = plain;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  // s = 1, then 0.75 + 0.25 = 1: the denominators are 2 and 2, inside √2 and √2.
  return {{
      {.settings = plain,
       .by_hand = {0.5, 0.75},
       .reference = [] { return hinton(0.75, 1, 0, 0, false); }},
      {.settings = with({{"epsilon_place", "inside"}}),
       .by_hand = {1 - 1 / std::sqrt(2.0), 1 - 0.5 / std::sqrt(2.0)},
       .reference = [] { return hinton(0.75, 0, 1, 0, false); }},
      // m = 1, then 0.5 − 0.5 = 0.
      {.settings = with({{"momentum", "0.5"}}),
       .by_hand = {0.5, 0.5},
       .reference = [] { return hinton(0.75, 1, 0, 0.5, false); }},
      // μ = 0.5, then 0.125: variances 0.75 and 0.984375.
      {.settings = with({{"centered", "true"}}),
       .by_hand = {1 - 1 / (std::sqrt(0.75) + 1),
                   1 - 1 / (std::sqrt(0.75) + 1) + 0.5 / (std::sqrt(0.984375) + 1)},
       .reference = [] { return hinton(0.75, 1, 0, 0, true); }},
      {.settings = with({{"centered", "true"}, {"momentum", "0.5"}}),
       .reference = [] { return hinton(0.75, 1, 0, 0.5, true); }},
      // m = 0.5, then 0.25 − 0.25 = 0.
      {.settings = with({{"momentum", "0.5"}, {"rate_place", "inside"}}),
       .by_hand = {0.5, 0.5},
       .reference = [] { return hinton(0.75, 1, 0, 0.5, false, 0, true); }},
      {.settings = with({{"centered", "true"}, {"momentum", "0.5"}, {"rate_place", "inside"}}),
       .reference = [] { return hinton(0.75, 1, 0, 0.5, true, 0, true); }},
      {.settings = {}, .reference = [] { return hinton(0.99, 1e-8, 0, 0, false); }},
      {.settings = with(
           {{"centered", "true"}, {"momentum", "0.5"}, {"weight_decay", "0.5"}, {"decays", "all"}}),
       .reference = [] { return hinton(0.75, 1, 0, 0.5, true, 0.5); }},
  }};
}
#endif
