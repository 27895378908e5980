#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/softmax.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/loss/class_options.h"
#include "wengert/ops/loss/loss_reduction.h"
#include "wengert/ops/loss/losses.h"
#include "wengert/ops/ops.h"
#include "wengert/ops/order/lines.h"

// Makes records of losses over rows of classes. Such a loss is −Σ q·h: q is what the targets say of
// each class (weights, smoothing and ignored rows in it), h a score for each class. A formula says
// what h is:
//   static void scores(const T* x, int64_t rows, int64_t classes, T* h);
//   static void backward(const T* u, const T* x, const T* h, rows, classes, T* gx);
//     gx = uᵀ·∂h/∂x of each row
//   static Var scores(const Var& x);  static Var backward(const Var& u, const Var& x);  in ops
// and, where q is 1 at one class of each row and 0 elsewhere,
//   static void scores_of(const T* x, const int64_t* target, rows, classes, T* h, T* kept0,
//                         T* kept1);  h[row] = h of its target
//   static void backward_of(const T* g, const T* x, const int64_t* target, const T* kept0,
//                           const T* kept1, rows, classes, T* gx, bool accumulate);
//     gx (+)= −g·∂h[target]/∂x
//   static constexpr bool kKeeps;  whether scores_of leaves two numbers a row for backward_of, or
//                                  gets no place for them
// Private to the library.
namespace wengert::ops {

struct ClassAttributes {
  Reduction reduction = Reduction::kMean;
  bool ignores = false;
  std::int64_t ignore_index = 0;
  double label_smoothing = 0;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("reduction", self.reduction);
    v("ignores", self.ignores);
    v("ignore_index", self.ignore_index);
    v("label_smoothing", self.label_smoothing);
  }
};

/// The operands of such a loss, by place, and what it gives.
enum ClassOperand : int { kScores, kTargets, kClassWeights, kRowWeights };
enum ClassResult : int { kLoss, kKept };

/// Documentation::arguments from the targets on.
#define WENGERT_CLASS_ARGUMENTS                                                                        \
  "targets t: int32, int64 or uint8 classes […] from 0, or probabilities of x's dtype and shape, "   \
  "of which 0 adds nothing even at −∞; reduction: mean, whose denominator counts each row by its " \
  "weight and its class's (NaN over none), sum, none or mean_over_all; class_weights: [classes]; "     \
  "weights: […]; ignore_index: a class whose rows do not count; label_smoothing ε: targets "        \
  "become (1 − ε)·t + ε/classes"

/// With `keeps`, output 1 is for two numbers a row, all first ones first.
void infer_class_loss(InferContext& call, bool keeps);

/// The call of such a loss.
Var apply_class_loss(const OpDef& op, const Var& scores, const Var& targets, Reduction reduction,
                     const ClassOptions& options, std::source_location where);

/// Fails on a target that is no class, in a row that is not ignored.
void check_classes(const OpCall& call, const ClassAttributes& attributes, std::int64_t classes);

/// What the targets say, q, of `rows` rows of `classes`.
template <class T>
class ClassTargets {
 public:
  /// Views as the call has them; class_weights may have no data, nor targets, if they are
  /// probabilities, where no distribution() is asked for.
  ClassTargets(const TensorView& targets, const TensorView& class_weights,
               const ClassAttributes& attributes, std::int64_t rows, std::int64_t classes);
  /// Whether q is a weight at one class of each row and 0 elsewhere.
  bool are_hard() const { return are_classes_ && attributes_.label_smoothing == 0; }
  /// The classes; 0 of ignored rows.
  const std::int64_t* classes_from(std::int64_t row) const { return index_.data() + row; }
  /// How much the row's class counts: 0 of ignored rows.
  T weight(std::int64_t row) const {
    return counted_.empty() ? T(1) : counted_[static_cast<std::size_t>(row)];
  }
  /// weight() of every row, or null where all are 1.
  const T* counted() const { return counted_.empty() ? nullptr : counted_.data(); }
  /// q of one row.
  void distribution(std::int64_t row, T* q) const;
  /// ∂q/∂t of one class.
  T slope(std::int64_t k) const {
    return class_weight(k) * static_cast<T>(1 - attributes_.label_smoothing);
  }

 private:
  T class_weight(std::int64_t k) const {
    return class_weights_.view().data == nullptr ? T(1) : class_weights_.view().as<T>()[k];
  }
  const ClassAttributes attributes_;
  const std::int64_t classes_;
  const bool are_classes_;
  const DenseInput class_weights_, probabilities_;
  std::vector<std::int64_t> index_;
  std::vector<bool> ignored_;  ///< empty: none
  std::vector<T> counted_;
};

struct ClassBatch {
  std::int64_t rows = 1, classes;
  explicit ClassBatch(const TensorView& scores) : classes(scores.sizes[scores.rank - 1]) {
    for (int d = 0; d + 1 < scores.rank; ++d) rows *= scores.sizes[d];
  }
};

constexpr std::int64_t kClassGroup = 64;  // rows a task: whole vectors of narrow rows at any level

/// Calls body(first row, rows) for groups of rows, on the pool.
template <class Body>
void by_group(std::int64_t rows, const Body& body) {
  WENGERT_SPLIT(CrossEntropyTasks, rows, kClassGroup);
  kernels::parallel_for((rows + kClassGroup - 1) / kClassGroup, [&](std::int64_t task) {
    const std::int64_t first = task * kClassGroup;
    body(first, std::min(rows - first, kClassGroup));
  });
}

/// A sum in float64 with what its roundings have lost (A. Neumaier, 1974).
class CompensatedSum {
 public:
  void add(double term) {
    const double sum = sum_ + term;
    lost_ += std::fabs(sum_) >= std::fabs(term) ? (sum_ - sum) + term : (term - sum) + sum_;
    sum_ = sum;
  }
  double value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

 private:
  double sum_ = 0, lost_ = 0;
};

template <class F>
void evaluate_class_loss(EvalContext& call) {
  const DenseInput x(call.input(kScores)), row_weights(operand_or_none(call, kRowWeights));
  const TensorView out = call.output();
  const ClassBatch batch(x.view());
  const auto& attributes = call.attributes<ClassAttributes>();
  dispatch_floating(out.dtype, [&]<class T>(T) {
    check_classes(call, attributes, batch.classes);
    const ClassTargets<T> targets(call.input(kTargets), operand_or_none(call, kClassWeights),
                                  attributes, batch.rows, batch.classes);
    std::vector<T> losses(static_cast<std::size_t>(batch.rows));
    [[maybe_unused]] T* kept = nullptr;
    if constexpr (F::kKeeps) {
      kept = call.output(kKept).template as<T>();
      if (!targets.are_hard()) std::fill_n(kept, 2 * batch.rows, T(0));
    }
    by_group(batch.rows, [&](std::int64_t first, std::int64_t rows) {
      const std::int64_t n = batch.classes;
      const T* from = x.view().as<T>() + first * n;
      T* to = losses.data() + first;
      if (targets.are_hard()) {
        T* const own = kept == nullptr ? nullptr : kept + first;
        F::scores_of(from, targets.classes_from(first), rows, n, to, own,
                     own == nullptr ? nullptr : own + batch.rows);
        for (std::int64_t r = 0; r < rows; ++r) {
          const T weight = targets.weight(first + r);
          to[r] = weight == 0 ? T(0) : -weight * to[r];
        }
        return;
      }
      std::vector<T> scores(static_cast<std::size_t>(rows * n)), q(static_cast<std::size_t>(n));
      F::scores(from, rows, n, scores.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        const T* h = scores.data() + r * n;
        targets.distribution(first + r, q.data());
        CompensatedSum total;  // of many classes
        for (std::int64_t k = 0; k < n; ++k) {
          if (q[static_cast<std::size_t>(k)] != 0) {  // 0·∞ is 0 here
            total.add(-static_cast<double>(q[static_cast<std::size_t>(k)]) * h[k]);
          }
        }
        to[r] = static_cast<T>(total.value());
      }
    });
    const T* weights = elements_or_none<T>(row_weights);
    const LossReduction<T> over(attributes.reduction, batch.rows, weights, targets.counted());
    over.reduce([&](std::int64_t at, std::int64_t count,
                    T* to) { std::copy_n(losses.data() + at, count, to); },
                out.as<T>());
  });
}

/// The gradients of one group of rows.
template <class F, class T>
class ClassGradients {
 public:
  ClassGradients(BackwardContext& call, const T* x, const T* g, const ClassTargets<T>& targets,
                 const ClassBatch& batch)
      : x_(x), g_(g), targets_(targets), n_(batch.classes), all_(batch.rows) {
    if constexpr (F::kKeeps) {
      if (call.needs(kScores)) kept_ = call.output(kKept).template as<T>();
    }
    if (call.needs(kScores)) to_x_ = call.gradient(kScores);
    if (call.needs(kTargets)) to_t_ = call.gradient(kTargets);
  }
  void operator()(std::int64_t first, std::int64_t rows) const {
    if (has(to_x_) && !has(to_t_) && targets_.are_hard()) return hard(first, rows);
    std::vector<T> h(static_cast<std::size_t>(rows * n_));
    F::scores(x_ + first * n_, rows, n_, h.data());
    if (has(to_x_)) to_scores(first, rows, h.data());
    if (has(to_t_)) to_targets(first, rows, h.data());
  }

 private:
  using Destination = BackwardContext::Destination;
  static bool has(const Destination& to) { return to.view.data != nullptr; }

  void hard(std::int64_t first, std::int64_t rows) const {
    T weighed[kClassGroup];
    for (std::int64_t r = 0; r < rows; ++r) {
      const T weight = targets_.weight(first + r);
      weighed[r] = weight == 0 ? T(0) : g_[first + r] * weight;
    }
    const T* const own = kept_ == nullptr ? nullptr : kept_ + first;
    F::backward_of(weighed, x_ + first * n_, targets_.classes_from(first), own,
                   own == nullptr ? nullptr : own + all_, rows, n_,
                   to_x_.view.template as<T>() + first * n_, to_x_.accumulate);
  }

  /// Rows without a cotangent get 0, whatever their scores are.
  void to_scores(std::int64_t first, std::int64_t rows, const T* h) const {
    std::vector<T> u(static_cast<std::size_t>(rows * n_)), gx(u.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      T* row = u.data() + r * n_;
      const T g = g_[first + r];
      if (g == 0) continue;
      targets_.distribution(first + r, row);
      for (std::int64_t k = 0; k < n_; ++k) row[k] = row[k] == 0 ? T(0) : -g * row[k];
    }
    F::backward(u.data(), x_ + first * n_, h, rows, n_, gx.data());
    T* to = to_x_.view.as<T>() + first * n_;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t k = 0; k < n_; ++k) {
        const T given = g_[first + r] == 0 ? T(0) : gx[static_cast<std::size_t>(r * n_ + k)];
        to[r * n_ + k] = to_x_.accumulate ? to[r * n_ + k] + given : given;
      }
    }
  }

  void to_targets(std::int64_t first, std::int64_t rows, const T* h) const {
    T* to = to_t_.view.as<T>() + first * n_;
    for (std::int64_t r = 0; r < rows; ++r) {
      const T g = g_[first + r];
      for (std::int64_t k = 0; k < n_; ++k) {
        const T slope = targets_.slope(k);
        const T given = g == 0 || slope == 0 ? T(0) : -g * slope * h[r * n_ + k];
        to[r * n_ + k] = to_t_.accumulate ? to[r * n_ + k] + given : given;
      }
    }
  }

  const T *x_, *g_;
  const ClassTargets<T>& targets_;
  const std::int64_t n_, all_;
  const T* kept_ = nullptr;
  Destination to_x_{}, to_t_{};
};

template <class F>
void backward_class_loss(BackwardContext& c) {
  const DenseInput x(c.input(kScores)), row_weights(operand_or_none(c, kRowWeights));
  const ClassBatch batch(x.view());
  const auto& attributes = c.attributes<ClassAttributes>();
  dispatch_floating(x.view().dtype, [&]<class T>(T) {
    // The gradient of probabilities does not read them.
    const TensorView read = c.needs(kScores) ? c.input(kTargets) : TensorView{};
    const ClassTargets<T> targets(read, operand_or_none(c, kClassWeights), attributes, batch.rows,
                                  batch.classes);
    const T* weights = elements_or_none<T>(row_weights);
    std::vector<T> g(static_cast<std::size_t>(batch.rows));
    LossReduction<T>(attributes.reduction, batch.rows, weights, targets.counted())
        .spread(c.cotangent().as<T>(), [&](std::int64_t at, std::int64_t count, const T* from) {
          std::copy_n(from, count, g.data() + at);
        });
    const ClassGradients<F, T> gradients(c, x.view().as<T>(), g.data(), targets, batch);
    by_group(batch.rows, gradients);
  });
}

/// q in ops, of the targets themselves: a recorded derivative means the same of other ones.
Var distribution_in_ops(const VjpContext& c);
/// The cotangents of the rows in ops, of a shape that broadcasts to the scores'.
Var row_cotangents(const VjpContext& c);

template <class F>
void class_loss_vjp(VjpContext& c) {
  if (element_count(c.shape(kScores)) == 0) return;
  const Var g = row_cotangents(c), x = c.input(kScores);
  if (c.needs(kScores)) {
    c.set(kScores, F::backward(-product_zero_wins(g, distribution_in_ops(c)), x));
  }
  if (!c.needs(kTargets)) return;
  const double kept = 1 - c.attributes<ClassAttributes>().label_smoothing;
  if (kept == 0) return;
  Var slope = -kept * F::scores(x);
  if (c.has(kClassWeights)) slope = cotangent_product(c.input(kClassWeights), slope);
  c.set(kTargets, cotangent_product(g, slope));
}

/// The record of the loss with formula F.
template <class F>
constexpr OpDef class_loss(std::string_view name, const Documentation& doc) {
  constexpr std::uint32_t kWeightsRead = reads_input(kClassWeights) | reads_input(kRowWeights);
  OpDef def;
  def.name = name;
  def.doc = doc;
  def.min_inputs = 2;
  def.max_inputs = 4;
  def.optional = 0b1100;
  def.differentiable = 0b11;
  constexpr std::uint32_t kKeptRead = F::kKeeps ? reads_output(kKept) : 0;
  def.reads = {reads_input(kScores) | reads_input(kTargets) | kWeightsRead | kKeptRead,
               reads_input(kScores) | kWeightsRead};
  if (F::kKeeps) {
    def.hidden_outputs = 1;
    def.discrete_outputs = 1u << kKept;
  }
  def.infer = [](InferContext& call) { infer_class_loss(call, F::kKeeps); };
  def.evaluate = evaluate_class_loss<F>;
  def.vjp = class_loss_vjp<F>;
  def.backward = backward_class_loss<F>;
  def.attributes = &attribute_type<ClassAttributes>;
  def.default_attributes = &default_attributes_of<ClassAttributes>;
  return def;
}

}  // namespace wengert::ops
