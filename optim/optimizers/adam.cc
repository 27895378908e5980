#include "wengert/optim/optimizers/formula.h"

WENGERT_UPDATES {
  struct AdamNumbers {
    double rate, beta1, beta2, epsilon;
    double correction1, correction2;  ///< 1/(1 − β₁ᵗ), 1/(1 − β₂ᵗ)
    double keep;                      ///< what decay leaves of θ: 1 − ηλ
    double inside = 0;                ///< ε in the root, where it stands there
    double before = 1;                ///< of s before the largest is taken, as ŝ or s
  };

  /// m and s by a gradient.
  template <class T>
  void adam_moments(T g, T & m, T & s, const AdamNumbers& k) {
    m = m * k.beta1 + g * (1 - k.beta1);
    s = s * k.beta2 + g * g * (1 - k.beta2);
  }
  /// The same; gives η m̂/(√ŝ + ε).
  template <class T>
  T adam_move(T g, T & m, T & s, const AdamNumbers& k) {
    adam_moments(g, m, s, k);
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

  /// Both with ε inside the root.
  struct AdamInside {
    using Numbers = AdamNumbers;
    static constexpr int slots = 2;
    template <class T>
    static void update(T& w, T g, T& m, T& s, const Numbers& k) {
      adam_moments(g, m, s, k);
      w = w * k.keep - m * (k.rate * k.correction1) / sqrt(s * k.correction2 + k.inside);
    }
  };

  /// AMSGrad of both; `correction2` is what remains to correct.
  struct AdamLargest {
    using Numbers = AdamNumbers;
    static constexpr int slots = 3;
    template <class T>
    static void update(T& w, T g, T& m, T& s, T& largest, const Numbers& k) {
      adam_moments(g, m, s, k);
      const T now = s * k.before;
      largest = where(now > largest, now, largest);
      const T root = sqrt(largest * k.correction2 + k.inside) + k.epsilon;
      w = w * k.keep - m * (k.rate * k.correction1) / root;
    }
  };

}  // WENGERT_UPDATES

WENGERT_UPDATE(adam_inside, AdamInside)
WENGERT_UPDATE(adam_largest, AdamLargest)
WENGERT_UPDATE(adam, Adam)
WENGERT_UPDATE(adamw, AdamW)

#ifdef WENGERT_RECORDS
namespace wengert::optim {
namespace {

template <class Options, class Option>
constexpr void visit_variants(Options& o, Option& option) {
  option("epsilon_place", o.epsilon_place, kEpsilonPlaces, "√ŝ + ε, or √(ŝ + ε)");
  option("epsilon_order", o.epsilon_order, kEpsilonOrders,
         "whether ε joins s after its correction or before");
  option("bias_correction", o.bias_correction, "whether m̂ and ŝ are corrected, or m and s");
  option("amsgrad", o.amsgrad, kAmsGrads, "the largest ŝ so far for ŝ, or the largest s for s");
}

template <class Options, class Option>
constexpr void visit_moments(Options& o, Option& option) {
  option("rate", o.rate, kNotNegative, "η, the step size");
  option("beta1", o.beta1, kBelowOne, "β₁, how much of the running mean of gradients is kept");
  option("beta2", o.beta2, kBelowOne, "β₂, how much of the running mean of squares is kept");
  option("epsilon", o.epsilon, kNotNegative, "ε, which keeps the quotient finite");
}

}  // namespace

WENGERT_OPTIONS(Adam) {
  visit_moments(o, option);
  visit_coupled_decay(o, option);
  visit_variants(o, option);
}
WENGERT_OPTIONS(AdamW) {
  visit_moments(o, option);
  option("weight_decay", o.weight_decay, kNotNegative, "λ: θ shrinks by ηλ in each step");
  option("decays", o.decays, kDecays, "weights (matrices and higher), or all parameters");
  visit_variants(o, option);
}

namespace {
template <class Class>
constexpr SlotDef kSlots[] = {
    {"first_moment"}, {"second_moment"}, {"largest", nullptr, [](const OptionValues& v) {
                                            return options_as<Class>(v).amsgrad != AmsGrad::kOff;
                                          }}};

template <class Options>
updates::AdamNumbers numbers_of(const Options& o, std::int64_t step) {
  updates::AdamNumbers k = {o.rate,
                            o.beta1,
                            o.beta2,
                            o.epsilon,
                            bias_correction(o.beta1, step),
                            bias_correction(o.beta2, step),
                            1};
  if (!o.bias_correction) k.correction1 = k.correction2 = 1;
  const bool inside = o.epsilon_place == EpsilonPlace::kInside;
  if (o.epsilon_order == EpsilonOrder::kBefore) {  // then it is corrected as s is
    k.epsilon *= inside ? k.correction2 : std::sqrt(k.correction2);
  }
  if (inside) k.inside = k.epsilon, k.epsilon = 0;
  if (o.amsgrad == AmsGrad::kCorrected) k.before = k.correction2, k.correction2 = 1;
  return k;
}

/// The kernels of the options' variant.
template <class Options>
const UpdateLevels& levels_of(const Options& o, const UpdateLevels& usual) {
  if (o.amsgrad != AmsGrad::kOff) return adam_largest_levels;
  return o.epsilon_place == EpsilonPlace::kInside ? adam_inside_levels : usual;
}

void update_adam(ParameterStep& step) {
  const auto o = options_as<Adam>(step.options);
  run_update(levels_of(o, adam_levels), step, "Adam::step", numbers_of(o, step.step),
             coupled_decay(o, step.parameter));
}

void update_adamw(ParameterStep& step) {
  const auto o = options_as<AdamW>(step.options);
  updates::AdamNumbers numbers = numbers_of(o, step.step);
  if (o.decays == Decays::kAll || is_weight(step.parameter)) {
    numbers.keep = 1 - o.rate * o.weight_decay;
  }
  run_update(levels_of(o, adamw_levels), step, "AdamW::step", numbers);
}
}  // namespace

WENGERT_METHOD(adam, Adam) = {
    .name = "adam",
    .doc = {.summary = "Steps by running means of the gradient and of its square.",
            .formula = "m ← β₁m + (1 − β₁)g; s ← β₂s + (1 − β₂)g²; θ ← θ − η·m̂/(√ŝ + ε), "
                       "m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ)",
            .notes =
                "t counts a parameter's own steps, from 1. ε stands outside the root, after "
                "the correction; Keras adds 1e-7 to the root of the uncorrected s (epsilon_order = "
                "before), "
                "MLX does not correct. amsgrad: √ of the largest ŝ so far, as Optax, or of the "
                "largest s, "
                "corrected afterwards, as PyTorch; the paper corrects nothing. weight_decay = λ: g "
                "+ λθ for g. By rows it is "
                "lazy, as PyTorch's SparseAdam: m and s of rows without a gradient stay as they "
                "are, and t counts for all rows alike.",
            .source = "D. Kingma, J. Ba, Adam, 2015, algorithm 1; amsgrad: S. Reddi, S. Kale, S. "
                      "Kumar, On the convergence of Adam and beyond, 2018"},
    .options = list_options<Adam>,
    .slots = kSlots<Adam>,
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
    .slots = kSlots<AdamW>,
    .rows = RowUpdates::kLazy,
    .update = update_adamw,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
/// What the options may change.
struct Variant {
  bool inside = false, before = false, corrects = true;
  bool largest = false, largest_of_s = false;
  double coupled = 0;
};

auto kingma(double beta1, double beta2, double epsilon, double decay = 0, Variant v = {}) {
  return [=, m = Numbers(), s = Numbers(), most = Numbers(), t = 0](Numbers& w, const Numbers& g,
                                                                    double rate) mutable {
    most.resize(w.size());
    m.resize(w.size()), s.resize(w.size());
    ++t;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double slope = g[i] + v.coupled * w[i];
      m[i] = beta1 * m[i] + (1 - beta1) * slope;
      s[i] = beta2 * s[i] + (1 - beta2) * slope * slope;
      const double of_m = v.corrects ? 1 - std::pow(beta1, t) : 1;
      const double of_s = v.corrects ? 1 - std::pow(beta2, t) : 1;
      double square = s[i] / of_s;
      if (v.largest) square = most[i] = std::fmax(most[i], square);
      if (v.largest_of_s) square = (most[i] = std::fmax(most[i], s[i])) / of_s;
      double root = std::sqrt(square) + epsilon;
      if (v.before) root = std::sqrt(square) + epsilon / std::sqrt(of_s);
      if (v.inside) root = std::sqrt(square + epsilon);
      if (v.inside && v.before) root = std::sqrt((square * of_s + epsilon) / of_s);
      w[i] -= rate * decay * w[i];
      w[i] -= rate * (m[i] / of_m) / root;
    }
  };
}

const std::vector<OptionSetting> kCoarse = {
    {"rate", "0.1"}, {"beta1", "0.5"}, {"beta2", "0.75"}, {"epsilon", "0.5"}};

std::vector<OptionSetting> coarse_with(const std::vector<OptionSetting>& more) {
  auto all = kCoarse;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(adam) {
  return {{
      // m = 1, s = 1; corrected 2 and 4: 1 − 0.1·2/(2 + 0.5). Then m = 0: nothing moves.
      {.settings = kCoarse,
       .by_hand = {0.92, 0.92},
       .reference = [] { return kingma(0.5, 0.75, 0.5); }},
      {.settings = {}, .reference = [] { return kingma(0.9, 0.999, 1e-8); }},
      // 2/√(4 + 0.5).
      {.settings = coarse_with({{"epsilon_place", "inside"}}),
       .by_hand = {1 - 0.2 / std::sqrt(4.5), 1 - 0.2 / std::sqrt(4.5)},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0, {.inside = true}); }},
      // 1/(√1 + 0.5)·√0.25/0.5: the correction is of the quotient.
      {.settings = coarse_with({{"epsilon_order", "before"}}),
       .by_hand = {1 - 0.1 / 1.5, 1 - 0.1 / 1.5},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0, {.before = true}); }},
      {.settings = coarse_with({{"epsilon_place", "inside"}, {"epsilon_order", "before"}}),
       .by_hand = {1 - 0.1 / std::sqrt(1.5), 1 - 0.1 / std::sqrt(1.5)},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0, {.inside = true, .before = true}); }},
      // m = 1, s = 1: 1 − 0.1/(1 + 0.5).
      {.settings = coarse_with({{"bias_correction", "false"}}),
       .by_hand = {1 - 0.1 / 1.5, 1 - 0.1 / 1.5},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0, {.corrects = false}); }},
      // With β₁ = 0, m̂ = g: 2/(2 + 0.5); ŝ falls from 4 to 1/0.4375, the largest stays.
      {.settings = coarse_with({{"beta1", "0"}, {"amsgrad", "corrected"}}),
       .by_hand = {0.92, 0.96},
       .reference = [] { return kingma(0, 0.75, 0.5, 0, {.largest = true}); }},
      // s = 1 and 1, whose correction falls.
      {.settings = coarse_with({{"beta1", "0"}, {"amsgrad", "uncorrected"}}),
       .by_hand = {0.92, 0.92 + 0.1 / (std::sqrt(1 / 0.4375) + 0.5)},
       .reference = [] { return kingma(0, 0.75, 0.5, 0, {.largest_of_s = true}); }},
      {.settings = {{"amsgrad", "uncorrected"}, {"epsilon_place", "inside"}},
       .reference =
           [] { return kingma(0.9, 0.999, 1e-8, 0, {.inside = true, .largest_of_s = true}); }},
      // g = 2.5 and ŝ = 2.5²: 1 − 0.1·2.5/(2.5 + 0.5). There g = −1 + 11/24 and
      // ŝ = (0.75·1.5625 + 0.25·g²)/0.4375.
      {.settings = coarse_with({{"beta1", "0"}, {"weight_decay", "0.5"}, {"decays", "all"}}),
       .by_hand = {11.0 / 12,
                   11.0 / 12 +
                       0.1 * (13.0 / 24) /
                           (std::sqrt((0.75 * 1.5625 + 0.25 * (169.0 / 576)) / 0.4375) + 0.5)},
       .reference = [] { return kingma(0, 0.75, 0.5, 0, {.coupled = 0.5}); }},
  }};
}

WENGERT_OPTIMIZER_TESTS(adamw) {
  auto decaying = kCoarse;
  decaying.push_back({"weight_decay", "0.5"});
  auto all = decaying;
  all.push_back({"decays", "all"});
  auto inside = all, largest = all;
  inside.push_back({"epsilon_place", "inside"});
  largest.push_back({"amsgrad", "corrected"});
  return {{
      // The tests' parameter is a vector, which decays with `all` alone: 0.95 − 0.08, and
      // 0.95·0.87.
      {.settings = decaying,
       .by_hand = {0.92, 0.92},
       .reference = [] { return kingma(0.5, 0.75, 0.5); }},
      {.settings = all,
       .by_hand = {0.87, 0.8265},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0.5); }},
      {.settings = inside,
       .by_hand = {0.95 - 0.2 / std::sqrt(4.5), 0.95 * (0.95 - 0.2 / std::sqrt(4.5))},
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0.5, {.inside = true}); }},
      {.settings = largest,
       .reference = [] { return kingma(0.5, 0.75, 0.5, 0.5, {.largest = true}); }},
  }};
}
#endif
