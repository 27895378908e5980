#include "wengert/optim/optimizers/formula.h"

// Its step depends on all parameters together: no formula over lanes, but sums over tensors.

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "wengert/graph/error.h"
#include "wengert/graph/text.h"
#include "wengert/ops/kernels/measure.h"

namespace wengert::optim {

WENGERT_OPTIONS(Lbfgs) {
  option("rate", o.rate, kNotNegative, "η: the share of the step that is made, or tried first");
  option("history", o.history, Range{1, 1000, false, false}, "how many moves are remembered");
  option("decrease", o.decrease, Range{0, 0.5, true},
         "c₁: of the decrease that the slope promises what a step must bring");
  option("curvature", o.curvature, Range{0, 1, true},
         "c₂: what a step may leave of the slope, above c₁");
  option("evaluations", o.evaluations, kWholeStep, "how many lengths a search tries at most");
}

namespace {

/// [history, …] of a parameter.
Tensor first_history(const Parameter& parameter, const OptionValues& options) {
  const Tensor& value = parameter.value();
  std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(options_as<Lbfgs>(options).history)};
  for (int i = 0; i < value.rank(); ++i) sizes.push_back(value.size(i));
  return Tensor::zeros(Shape(sizes), value.dtype());
}

constexpr SlotDef kSlots[] = {
    {"moves", first_history}, {"changes", first_history}, {"gradient"}, {"last_move"}};
enum Slot : std::size_t { kMoves, kChanges, kGradient, kLastMove };

/// Σab in float64. Sums of blocks are added one after the other: the order depends on n alone.
template <class T>
double dot(const T* a, const T* b, std::int64_t n) {
  double total = 0;
  for (std::int64_t begin = 0; begin < n; begin += 1024) {
    const std::int64_t end = std::min(n, begin + 1024);
    double sums[4] = {};
    std::int64_t i = begin;
    for (; i + 4 <= end; i += 4) {
      for (int k = 0; k < 4; ++k) {
        sums[k] += static_cast<double>(a[i + k]) * static_cast<double>(b[i + k]);
      }
    }
    for (; i < end; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    total += (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  return total;
}

/// A vector over all parameters: where each one's elements begin.
using Parts = std::vector<const std::byte*>;

/// The direction of a step and what it is made of; nothing is written but this.
class Direction {
 public:
  explicit Direction(std::span<ParameterStep> steps) : steps_(steps) {
    add_pairs();
    follow();
  }

  /// −Hg by parameter.
  const std::vector<Tensor>& moves() const { return moves_; }
  /// Σ of its products with these gradients, by parameter.
  double slope(const std::vector<Tensor>& gradients) const {
    return product(parts(moves_), parts(gradients));
  }
  double slope() const { return slope_; }
  /// Whether nothing is known of curvatures: the direction is −g.
  bool steepest() const { return pairs_.empty(); }
  double gradient_norm1() const {
    double total = 0;
    for (const ParameterStep& step : steps_) {
      const Tensor& g = step.gradient;
      if (g.dtype() == DType::kFloat64) {
        for (const double x : g.span<double>()) total += std::fabs(x);
      } else {
        for (const float x : g.span<float>()) total += std::fabs(static_cast<double>(x));
      }
    }
    return total;
  }
  /// Of parameter i, g − the last g, where that and the last move are to be remembered.
  const Tensor* change(std::size_t i) const { return keeps_new_ ? &changes_[i] : nullptr; }

 private:
  struct Pair {
    Parts moves, changes;
    double product;  ///< sᵀy
  };

  double product(const Parts& a, const Parts& b) const {
    double total = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Tensor& g = steps_[i].gradient;
      const std::int64_t n = g.element_count();
      total +=
          g.dtype() == DType::kFloat64
              ? dot(reinterpret_cast<const double*>(a[i]), reinterpret_cast<const double*>(b[i]), n)
              : dot(reinterpret_cast<const float*>(a[i]), reinterpret_cast<const float*>(b[i]), n);
    }
    return total;
  }
  static Parts parts(const std::vector<Tensor>& tensors) {
    Parts result;
    for (const Tensor& tensor : tensors) result.push_back(tensor.data());
    return result;
  }
  /// Direction ← direction + factor·x.
  void add(double factor, const Parts& x) {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      kernels::scaled(moves_[i].dtype(), x[i], moves_[i].element_count(), factor, to_[i], true);
    }
  }

  /// Whether a pair tells of a bowl: sᵀy > 0 beyond roundings, and nothing that overflows or
  /// vanishes when it divides.
  static bool tells(double curvature, double squares) {
    return std::isfinite(curvature) && std::isfinite(squares) && squares > 0 &&
           curvature > 1e-10 * squares;
  }
  /// Remembers a pair that tells something.
  void add_pair(Parts moves, Parts changes) {
    const double curvature = product(moves, changes);
    if (!tells(curvature, product(changes, changes))) return;
    pairs_.push_back({std::move(moves), std::move(changes), curvature});
  }

  /// The remembered pairs, the oldest first, and the one that this gradient completes.
  void add_pairs() {
    Parts last_moves;
    for (const ParameterStep& step : steps_) {
      Tensor change = step.gradient.clone();
      std::byte* to = WriteGuard(change, "Lbfgs::step", step.where).data();
      const double factor = step.step == 1 ? 0 : 1;  // nothing is known of a new parameter
      kernels::scaled(change.dtype(), to, change.element_count(), factor, to, false);
      kernels::scaled(change.dtype(), step.slots[kGradient].data(), change.element_count(), -factor,
                      to, true);
      changes_.push_back(std::move(change));
      last_moves.push_back(step.slots[kLastMove].data());
      least_ = std::min(least_, step.slots[kMoves].size(0));
    }
    if (steps_.empty()) return;
    // With the new pair one more would be remembered than there is room for.
    const double curvature = product(last_moves, parts(changes_));
    keeps_new_ = tells(curvature, product(parts(changes_), parts(changes_)));
    for (std::int64_t k = keeps_new_ ? 1 : 0; k < least_; ++k) {
      Parts moves, changes;
      for (const ParameterStep& step : steps_) {
        const std::int64_t row = step.slots[kMoves].size(0) - least_ + k;
        const std::int64_t at = row * step.gradient.element_count() *
                                static_cast<std::int64_t>(size_of(step.gradient.dtype()));
        moves.push_back(step.slots[kMoves].data() + at);
        changes.push_back(step.slots[kChanges].data() + at);
      }
      add_pair(std::move(moves), std::move(changes));
    }
    if (keeps_new_) pairs_.push_back({std::move(last_moves), parts(changes_), curvature});
  }

  /// The two loops over the pairs.
  void follow() {
    Parts gradients;
    for (const ParameterStep& step : steps_) {
      Tensor move = step.gradient.clone();
      to_.push_back(WriteGuard(move, "Lbfgs::step", step.where).data());
      kernels::scaled(move.dtype(), to_.back(), move.element_count(), -1, to_.back(), false);
      moves_.push_back(std::move(move));
      gradients.push_back(step.gradient.data());
    }
    const Parts own = parts(moves_);
    std::vector<double> shares(pairs_.size());
    for (std::size_t k = pairs_.size(); k-- > 0;) {
      shares[k] = product(pairs_[k].moves, own) / pairs_[k].product;
      add(-shares[k], pairs_[k].changes);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      const double scale = last.product / product(last.changes, last.changes);
      for (std::size_t i = 0; i < steps_.size(); ++i) {
        kernels::scaled(moves_[i].dtype(), to_[i], moves_[i].element_count(), scale, to_[i], false);
      }
    }
    for (std::size_t k = 0; k < pairs_.size(); ++k) {
      const double share = product(pairs_[k].changes, own) / pairs_[k].product;
      add(shares[k] - share, pairs_[k].moves);
    }
    slope_ = product(own, gradients);
  }

  std::span<ParameterStep> steps_;
  std::vector<Tensor> changes_, moves_;
  std::vector<std::byte*> to_;  ///< the elements of moves_
  std::vector<Pair> pairs_;
  std::int64_t least_ = std::numeric_limits<std::int64_t>::max();
  bool keeps_new_ = false;
  double slope_ = 0;
};

/// How long the first step of a search is, or the only one.
double first_length(const Direction& direction, double rate) {
  return direction.steepest() ? rate * std::min(1.0, 1 / direction.gradient_norm1()) : rate;
}

void update_lbfgs(std::span<ParameterStep> steps) {
  if (steps.empty()) return;
  const Direction direction(steps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ParameterStep& step = steps[i];
    const double length = step.looked_ahead
                              ? step.length
                              : first_length(direction, options_as<Lbfgs>(step.options).rate);
    const DType dtype = step.gradient.dtype();
    const std::int64_t count = step.gradient.element_count();
    const std::size_t bytes = static_cast<std::size_t>(count) * size_of(dtype);
    const auto to = [&step](Slot slot) {
      return WriteGuard(step.slots[slot], "Lbfgs::step", step.where).data();
    };
    const auto put = [bytes](std::byte* into, const std::byte* from) {
      if (bytes > 0) std::memcpy(into, from, bytes);
    };
    std::byte* last_move = to(kLastMove);
    if (const Tensor* change = direction.change(i)) {
      const auto rows = static_cast<std::size_t>(step.slots[kMoves].size(0));
      const auto remember = [&](std::byte* history, const std::byte* newest) {
        if (bytes > 0) std::memmove(history, history + bytes, (rows - 1) * bytes);
        put(history + (rows - 1) * bytes, newest);
      };
      remember(to(kMoves), last_move);
      remember(to(kChanges), change->data());
    }
    put(to(kGradient), step.gradient.data());
    kernels::scaled(dtype, direction.moves()[i].data(), count, length, last_move, false);
    kernels::scaled(dtype, last_move, count, 1,
                    WriteGuard(step.parameter.mutable_value(), "Lbfgs::step", step.where).data(),
                    true);
  }
}

/// The loss on the way, and how it rises there.
struct Place {
  double length, loss, slope;
};

/// A length that decreases the loss enough and leaves little of the slope (strong Wolfe), by
/// Nocedal and Wright's algorithms 3.5 and 3.6; where none is found, the best one tried.
class Search {
 public:
  template <class Look>
  Search(Place start, double first, const Lbfgs::Options& options, Look&& look)
      : start_(start), options_(options), best_(start) {
    run(first, look);
  }
  double length() const { return best_.length; }

 private:
  template <class Look>
  void run(double length, Look& look) {
    Place last = start_;
    while (left()) {
      const Place here = try_at(length, look);
      if (!falls(here) || (last.length > 0 && here.loss >= last.loss))
        return zoom(last, here, look);
      if (flat(here)) return accept(here);
      if (here.slope >= 0) return zoom(here, last, look);
      last = here;
      length *= 2;
    }
  }

  bool left() const { return tried_ < options_.evaluations; }
  bool falls(const Place& here) const {
    return here.loss <= start_.loss + options_.decrease * here.length * start_.slope;
  }
  bool flat(const Place& here) const {
    return std::fabs(here.slope) <= -options_.curvature * start_.slope;
  }
  void accept(const Place& here) { best_ = here; }

  template <class Look>
  Place try_at(double length, Look& look) {
    ++tried_;
    Place here = look(length);
    if (!std::isfinite(here.loss) || !std::isfinite(here.slope)) {
      here.loss = std::numeric_limits<double>::infinity();
      here.slope = 0;
    }
    if (here.loss < best_.loss) best_ = here;
    return here;
  }

  /// Where the cubic through two places with their slopes is lowest, kept off the ends.
  static double between(const Place& a, const Place& b) {
    const double low = std::min(a.length, b.length), width = std::fabs(b.length - a.length);
    const double half = low + width / 2;
    if (!std::isfinite(a.loss) || !std::isfinite(b.loss)) return half;
    const double d = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length);
    const double inner = d * d - a.slope * b.slope;
    if (!(inner >= 0)) return half;
    const double root = std::copysign(std::sqrt(inner), b.length - a.length);
    const double lowest =
        b.length - (b.length - a.length) * (b.slope + root - d) / (b.slope - a.slope + 2 * root);
    if (!std::isfinite(lowest)) return half;
    return std::clamp(lowest, low + 0.1 * width, low + 0.9 * width);
  }

  /// `low` has the lower loss of two between which there is a length that will do.
  template <class Look>
  void zoom(Place low, Place high, Look& look) {
    while (left() && std::fabs(high.length - low.length) > 1e-9 * std::fabs(high.length)) {
      const Place here = try_at(between(low, high), look);
      if (!falls(here) || here.loss >= low.loss) {
        high = here;
        continue;
      }
      if (flat(here)) return accept(here);
      if (here.slope * (high.length - low.length) >= 0) high = low;
      low = here;
    }
  }

  const Place start_;
  const Lbfgs::Options& options_;
  Place best_;
  int tried_ = 0;
};

/// One step with a line search.
void search(ClosureStep& step) {
  const Gradients gradients = step.evaluate();
  std::vector<ParameterStep> all = step.parameters(), moved;
  std::vector<std::size_t> at;  // the places in `all` of those that have a gradient
  const auto gradient_of = [](const Gradients& from, const ParameterStep& of) {
    const Gradient* gradient = from.find(of.parameter);
    return gradient == nullptr
               ? Tensor::zeros(of.parameter.value().shape(), of.parameter.value().dtype())
               : gradient->dense().value().contiguous();
  };
  bool fits = true;  // what does not is told by the update
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (gradients.find(all[i].parameter) == nullptr) continue;
    all[i].gradient = gradient_of(gradients, all[i]);
    fits &= all[i].gradient.shape() == all[i].parameter.value().shape() &&
            all[i].gradient.dtype() == all[i].parameter.value().dtype();
    moved.push_back(all[i]);
    at.push_back(i);
  }
  if (moved.empty() || !fits) return step.update(gradients, false);
  const auto options = options_as<Lbfgs>(moved[0].options);
  const Direction direction(moved);
  if (!(direction.slope() < 0) || !std::isfinite(direction.slope())) {
    return step.update(gradients, false);
  }
  const auto look = [&](double length) {
    std::vector<Tensor> points;
    for (const ParameterStep& of : all) points.push_back(of.parameter.value().clone());
    for (std::size_t k = 0; k < at.size(); ++k) {
      const Tensor& move = direction.moves()[k];
      const WriteGuard guard(points[at[k]], "Lbfgs::step", moved[k].where);
      kernels::scaled(move.dtype(), move.data(), move.element_count(), length, guard.data(), true);
    }
    const Gradients there = step.evaluate_at(points);
    std::vector<Tensor> slopes;
    for (const ParameterStep& of : moved) slopes.push_back(gradient_of(there, of));
    return Place{length, there.value(), direction.slope(slopes)};
  };
  const Search found({0, gradients.value(), direction.slope()},
                     first_length(direction, options.rate), options, look);
  step.update(gradients, true, found.length());
}

void check_conditions(const OptionValues& options) {
  const auto o = options_as<Lbfgs>(options);
  for (const auto& [name, count] :
       {std::pair("history", o.history), std::pair("evaluations", o.evaluations)}) {
    if (std::trunc(count) == count) continue;
    throw Error(ErrorKind::kValue, "lbfgs",
                std::string(name) + " " + format_number(count) + " is no whole number");
  }
  if (o.decrease < o.curvature) return;
  throw Error(ErrorKind::kValue, "lbfgs",
              "a decrease of " + format_number(o.decrease) + " and a curvature of " +
                  format_number(o.curvature),
              "some length meets both where decrease is below curvature");
}

}  // namespace

WENGERT_METHOD(lbfgs, Lbfgs) = {
    .name = "lbfgs",
    .doc =
        {.summary = "Quasi-Newton steps from the last moves and changes of the gradient.",
         .formula = "θ ← θ − αHg, H by two loops over pairs s = Δθ, y = Δg from H₀ = sᵀy/yᵀy",
         .notes =
             "step(parameters, closure), as training does, searches for α, from η on: loss(α) ≤ "
             "loss(0) + c₁αs₀, |slope(α)| ≤ c₂|s₀| for the slope s₀ at 0 (strong Wolfe). It "
             "evaluates once more than it tries; where it finds nothing that falls, nothing moves. "
             "step(parameters, gradients) goes α = η. The first step goes min(1, 1/Σ|g|) times as "
             "far. Pairs with sᵀy ≤ 1e-10·yᵀy are left out (PyTorch: ≤ 1e-10, which near the end "
             "is all). All parameters make one vector, with "
             "the options of the first one's group in a search. It is for losses that stay the "
             "same function: use the whole data as one batch. PyTorch's LBFGS makes up to 20 such "
             "steps a call, with line_search_fn = strong_wolfe where asked.",
         .source = "J. Nocedal, S. Wright, Numerical optimization, 2006, algorithms 7.4, 3.5, 3.6"},
    .options = list_options<Lbfgs>,
    .slots = kSlots,
    .update_all = update_lbfgs,
    .with_closure = search,
    .check = check_conditions,
};

}  // namespace wengert::optim
#endif

#ifdef WENGERT_TESTS
namespace wengert::testing {
namespace {
/// Steps of length η with H as a sum over all pairs, by the product form of BFGS.
auto nocedal(std::size_t history) {
  struct Pair {
    Numbers s, y;
  };
  return [=, pairs = std::vector<Pair>(), last_g = Numbers(), last_move = Numbers()](
             Numbers& w, const Numbers& g, double rate) mutable {
    const auto product = [](const Numbers& a, const Numbers& b) {
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
      return sum;
    };
    if (!last_g.empty()) {
      Numbers y = g;
      for (std::size_t i = 0; i < y.size(); ++i) y[i] -= last_g[i];
      if (product(last_move, y) > 1e-10 * product(y, y)) pairs.push_back({last_move, y});
      if (pairs.size() > history) pairs.erase(pairs.begin());
    }
    // Hg by recursion: H_k = (1 − ρsyᵀ)H_{k−1}(1 − ρysᵀ) + ρssᵀ.
    const std::function<Numbers(std::size_t, Numbers)> apply = [&](std::size_t k, Numbers x) {
      if (k == 0) {
        if (pairs.empty()) return x;
        const Pair& last = pairs.back();
        const double scale = product(last.s, last.y) / product(last.y, last.y);
        for (double& v : x) v *= scale;
        return x;
      }
      const Pair& pair = pairs[k - 1];
      const double sy = product(pair.s, pair.y), along = product(pair.s, x) / sy;
      for (std::size_t i = 0; i < x.size(); ++i) x[i] -= along * pair.y[i];
      x = apply(k - 1, std::move(x));
      const double back = product(pair.y, x) / sy;
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += (along - back) * pair.s[i];
      return x;
    };
    double length = rate, norm = 0;
    for (const double x : g) norm += std::fabs(x);
    if (pairs.empty()) length *= std::fmin(1, 1 / norm);
    last_move = apply(pairs.size(), g);
    for (std::size_t i = 0; i < w.size(); ++i) {
      last_move[i] *= -length;
      w[i] += last_move[i];
    }
    last_g = g;
  };
}
}  // namespace
}  // namespace wengert::testing

WENGERT_OPTIMIZER_TESTS(lbfgs) {
  return {{
      // 1 − 0.5·2/2; s = −0.5, y = −3: H = 1/6 and 0.5 + 0.5/6.
      {.settings = {{"rate", "0.5"}},
       .by_hand = {0.5, 0.5 + 0.5 / 6},
       .reference = [] { return nocedal(10); }},
      {.settings = {{"rate", "0.5"}, {"history", "2"}}, .reference = [] { return nocedal(2); }},
  }};
}
#endif
