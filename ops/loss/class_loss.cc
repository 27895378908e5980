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

void infer_class_loss(InferContext& call) {
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

/// body(targets) with what the rule reads of classes.
template <class Body>
void with_targets(const VjpContext& c, const Body& body) {
  const Shape scores = c.shape(kScores);
  const std::int64_t classes = scores[scores.size() - 1];
  const Var targets = c.input(kTargets);
  const Var weights = c.has(kClassWeights) ? c.input(kClassWeights) : Var();
  dispatch_floating(c.dtype(kScores), [&]<class T>(T) {
    const ClassTargets<T> read(detail::view_of(targets.get()),
                               weights.has_value() ? detail::view_of(weights.get()) : TensorView{},
                               c.attributes<ClassAttributes>(), element_count(scores) / classes,
                               classes);
    body(read);
  });
}

}  // namespace

Var distribution_in_ops(const VjpContext& c) {
  const auto& attributes = c.attributes<ClassAttributes>();
  const Shape shape = c.shape(kScores);
  const std::int64_t classes = shape[shape.size() - 1];
  if (is_floating(c.dtype(kTargets))) {
    Var q = c.input(kTargets);
    if (const double smoothing = attributes.label_smoothing; smoothing != 0) {
      q = (1 - smoothing) * q + smoothing / static_cast<double>(classes);
    }
    return c.has(kClassWeights) ? q * c.input(kClassWeights) : q;
  }
  Tensor q = Tensor::empty(shape, c.dtype(kScores));
  with_targets(c, [&]<class T>(const ClassTargets<T>& targets) {
    const WriteGuard writing(q, "softmax_cross_entropy");
    for (std::int64_t r = 0; r < element_count(shape) / classes; ++r) {
      targets.distribution(r, writing.span<T>().data() + r * classes);
    }
  });
  return q;
}

Var row_cotangents(const VjpContext& c) {
  const auto& attributes = c.attributes<ClassAttributes>();
  const Shape shape = c.shape(kScores);
  Shape rows = shape;
  rows.erase(rows.size() - 1);
  const Var weights = c.has(kRowWeights) ? c.input(kRowWeights) : Var();
  std::optional<Tensor> counted;
  // Only classes count differently in the mean.
  if (attributes.reduction == Reduction::kMean && !is_floating(c.dtype(kTargets))) {
    with_targets(c, [&]<class T>(const ClassTargets<T>& targets) {
      if (targets.counted() == nullptr) return;
      counted = Tensor::from(
          std::vector<T>(targets.counted(), targets.counted() + element_count(rows)), rows);
    });
  }
  const Var g = spread_cotangent(c.cotangent(), attributes.reduction, element_count(rows), weights,
                                 counted ? &*counted : nullptr);
  return g.rank() > 0 || rows.size() == 0 ? expand_dims(g, -1) : g;
}

}  // namespace wengert::ops
