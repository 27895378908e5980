#include "wengert/ops/loss/class_loss.h"

#include <string>
#include <utility>

#include "wengert/graph/text.h"

namespace wengert::ops {
namespace {

/// Calls body(row, class) for integer targets.
template <class Body>
void each_class(const TensorView& targets, const Body& body) {
  const DenseInput dense(targets);
  const std::int64_t n = targets.count();
  dispatch(targets.dtype, [&]<class I>(I) {
    for (std::int64_t r = 0; r < n; ++r) {
      body(r, static_cast<std::int64_t>(dense.view().as<I>()[r]));
    }
  });
}

}  // namespace

void infer_class_loss(InferContext& call, bool keeps) {
  call.require_floating(kScores);
  if (call.rank(kScores) == 0) {
    call.fail(ErrorKind::kShape, "logits must have a class axis, got " + call.describe(kScores));
  }
  Shape rows = call.shape(kScores);
  const std::int64_t classes = rows[rows.size() - 1];
  rows.erase(rows.size() - 1);
  const bool probabilities = is_floating(call.dtype(kTargets));
  const auto fail_shapes = [&](std::string fix) {
    call.fail(
        ErrorKind::kShape,
        "logits are " + call.describe(kScores) + " but targets are " + call.describe(kTargets),
        std::move(fix));
  };
  if (probabilities) {
    if (call.shape(kTargets) == rows) {
      fail_shapes("the labels are " + std::string(name_of(call.dtype(kTargets))) +
                  ": cast(targets, DType::kInt64) makes them classes");
    }
    call.require_same_dtype(kScores, kTargets);
  } else if (call.dtype(kTargets) == DType::kBool) {
    call.fail(ErrorKind::kDType,
              "targets must be class indices or probabilities, got " + call.describe(kTargets));
  }
  if (!(call.shape(kTargets) == (probabilities ? call.shape(kScores) : rows))) {
    fail_shapes(
        "class indices have the logits' shape without its last axis, probabilities the "
        "same shape");
  }
  auto& attributes = call.canonical<ClassAttributes>();
  if (!(attributes.label_smoothing >= 0 && attributes.label_smoothing <= 1)) {
    call.fail(
        ErrorKind::kValue,
        "label_smoothing " + format_number(attributes.label_smoothing) + " lies outside [0, 1]",
        "0.1 is usual");
  }
  if (attributes.ignores && probabilities) {
    call.fail(ErrorKind::kValue,
              "ignore_index " + std::to_string(attributes.ignore_index) +
                  " with probabilities as targets",
              "a weight of 0 leaves a row out");
  }
  if (!attributes.ignores) attributes.ignore_index = 0;
  if (call.has(kClassWeights)) {
    if (call.dtype(kClassWeights) != call.dtype(kScores) ||
        !(call.shape(kClassWeights) == Shape{classes})) {
      call.fail(ErrorKind::kShape,
                "the class weights are " + call.describe(kClassWeights) + " for logits " +
                    call.describe(kScores),
                "one for each class, of the logits' dtype");
    }
  }
  check_weights(call, kRowWeights, rows);
  output_of_loss(call, attributes.reduction, rows);
  if (keeps) call.output(call.dtype(kScores), {2, element_count(rows)});
}

Var apply_class_loss(const OpDef& op, const Var& scores, const Var& targets, Reduction reduction,
                     const ClassOptions& options, std::source_location where) {
  return apply(op, {&scores, &targets, &options.class_weights, &options.weights},
               ClassAttributes{reduction, options.ignore_index.has_value(),
                               options.ignore_index.value_or(0), options.label_smoothing},
               where);
}

void check_classes(const OpCall& call, const ClassAttributes& attributes, std::int64_t classes) {
  const TensorView targets = call.input(kTargets);
  if (is_floating(targets.dtype)) return;
  each_class(targets, [&](std::int64_t row, std::int64_t target) {
    if (target >= 0 && target < classes) return;
    if (attributes.ignores && target == attributes.ignore_index) return;
    call.fail(
        ErrorKind::kIndex,
        "target " + std::to_string(target) + " in row " + std::to_string(row) + " is no class of " +
            std::to_string(classes),
        target < 0 ? "classes count from 0; ignore_index leaves rows out" : "classes count from 0");
  });
}

template <class T>
ClassTargets<T>::ClassTargets(const TensorView& targets, const TensorView& class_weights,
                              const ClassAttributes& attributes, std::int64_t rows,
                              std::int64_t classes)
    : attributes_(attributes),
      classes_(classes),
      are_classes_(targets.data != nullptr && !is_floating(targets.dtype)),
      class_weights_(class_weights),
      probabilities_(are_classes_ ? TensorView{} : targets) {
  if (!are_classes_) return;
  const bool counts = attributes.ignores || class_weights.data != nullptr;
  index_.resize(static_cast<std::size_t>(rows));
  if (counts) counted_.resize(index_.size());
  if (attributes.ignores) ignored_.resize(index_.size());
  each_class(targets, [&](std::int64_t row, std::int64_t target) {
    const bool ignored = attributes.ignores && target == attributes.ignore_index;
    const auto at = static_cast<std::size_t>(row);
    index_[at] = ignored ? 0 : target;
    if (attributes.ignores) ignored_[at] = ignored;
    if (counts) counted_[at] = ignored ? T(0) : class_weight(target);
  });
}

template <class T>
void ClassTargets<T>::distribution(std::int64_t row, T* q) const {
  const T smooth = static_cast<T>(attributes_.label_smoothing / static_cast<double>(classes_));
  const T kept = static_cast<T>(1 - attributes_.label_smoothing);
  if (!are_classes_) {
    const T* t = probabilities_.view().as<T>() + row * classes_;
    for (std::int64_t k = 0; k < classes_; ++k) q[k] = class_weight(k) * (kept * t[k] + smooth);
    return;
  }
  const std::int64_t target = index_[static_cast<std::size_t>(row)];
  const bool ignored = !ignored_.empty() && ignored_[static_cast<std::size_t>(row)];
  for (std::int64_t k = 0; k < classes_; ++k) {
    q[k] = ignored ? T(0) : class_weight(k) * smooth;
  }
  if (!ignored) q[target] += class_weight(target) * kept;
}

template class ClassTargets<float>;
template class ClassTargets<double>;

namespace {

/// Class targets as positions along a last axis, [..., 1].
Var positions(const VjpContext& c) {
  const Var targets = c.input(kTargets);
  return expand_dims(c.dtype(kTargets) == DType::kUint8 ? cast(targets, DType::kInt64) : targets,
                     -1);
}

/// Of each row 1 where it is ignored.
Var are_ignored(const VjpContext& c, const Var& at) {
  // The index may be none of the targets' dtype.
  return equal(cast(at, DType::kInt64), c.attributes<ClassAttributes>().ignore_index);
}

/// Ones at the classes, zeros elsewhere and in ignored rows; times the classes' weights.
Var weighed_classes(const VjpContext& c) {
  const Shape shape = c.shape(kScores);
  const auto classes = static_cast<double>(shape[shape.size() - 1]);
  const Var zero = Tensor::zeros({}, c.dtype(kScores));
  const Var one = Tensor::full({}, 1, c.dtype(kScores));
  const Var at = positions(c);
  Var chosen = where(equal(at, arange(0, classes, 1, at.dtype())), one, zero);
  if (c.attributes<ClassAttributes>().ignores) chosen = where(are_ignored(c, at), zero, chosen);
  return c.has(kClassWeights) ? chosen * c.input(kClassWeights) : chosen;
}

}  // namespace

Var distribution_in_ops(const VjpContext& c) {
  const auto& attributes = c.attributes<ClassAttributes>();
  const Shape shape = c.shape(kScores);
  const bool probabilities = is_floating(c.dtype(kTargets));
  Var q = probabilities ? c.input(kTargets) : weighed_classes(c);
  const double smoothing = attributes.label_smoothing;
  if (smoothing != 0) {
    const double share = smoothing / static_cast<double>(shape[shape.size() - 1]);
    if (probabilities) {
      q = (1 - smoothing) * q + share;
    } else {
      Var others = Tensor::full({}, share, c.dtype(kScores));
      if (c.has(kClassWeights)) others = others * c.input(kClassWeights);
      if (attributes.ignores) {
        others = where(are_ignored(c, positions(c)), zeros_like(others), others);
      }
      q = (1 - smoothing) * q + others;
    }
  }
  return probabilities && c.has(kClassWeights) ? q * c.input(kClassWeights) : q;
}

Var row_cotangents(const VjpContext& c) {
  const auto& attributes = c.attributes<ClassAttributes>();
  Shape rows = c.shape(kScores);
  rows.erase(rows.size() - 1);
  const Var weights = c.has(kRowWeights) ? c.input(kRowWeights) : Var();
  Var counted;  // only classes count differently in the mean
  const bool counts = attributes.ignores || c.has(kClassWeights);
  if (attributes.reduction == Reduction::kMean && !is_floating(c.dtype(kTargets)) && counts) {
    counted = sum(weighed_classes(c), {-1});
  }
  const Var g =
      spread_cotangent(c.cotangent(), attributes.reduction, element_count(rows), weights, counted);
  return g.rank() > 0 || rows.size() == 0 ? expand_dims(g, -1) : g;
}

}  // namespace wengert::ops
