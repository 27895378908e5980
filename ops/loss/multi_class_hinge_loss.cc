#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/graph/text.h"
#include "wengert/ops/loss/class_loss.h"

namespace wengert {
namespace ops {
namespace {

struct MultiClassHingeAttributes {
  double margin = 1;
  Reduction reduction = Reduction::kMean;
  template <class Self, class V>
  static void visit(Self& self, V&& v) {
    v("margin", self.margin);
    v("reduction", self.reduction);
  }
};

enum Operand : int { kX, kT, kWeights };

void infer_multi_class_hinge(InferContext& call) {
  const auto& a = call.attributes<MultiClassHingeAttributes>();
  call.require_floating(kX);
  Shape rows = call.shape(kX);
  if (rows.size() == 0) {
    call.fail(ErrorKind::kShape, "scores must have a class axis, got " + call.describe(kX));
  }
  rows.erase(rows.size() - 1);
  if (is_floating(call.dtype(kT)) || call.dtype(kT) == DType::kBool) {
    call.fail(ErrorKind::kDType, "targets must be class indices, got " + call.describe(kT));
  }
  if (!(call.shape(kT) == rows)) {
    call.fail(ErrorKind::kShape,
              "scores are " + call.describe(kX) + " but targets are " + call.describe(kT),
              "class indices have the scores' shape without its last axis");
  }
  if (!(a.margin > 0 && a.margin <= 1e30)) {
    call.fail(ErrorKind::kValue, "margin must be positive, got " + format_number(a.margin),
              "1 is usual");
  }
  check_weights(call, kWeights, rows);
  output_of_loss(call, a.reduction, rows);
}

void evaluate_multi_class_hinge(EvalContext& call) {
  const auto& a = call.attributes<MultiClassHingeAttributes>();
  const DenseInput x(call.input(kX)), weights(operand_or_none(call, kWeights));
  const TensorView out = call.output();
  const ClassBatch batch(x.view());
  dispatch_floating(out.dtype, [&]<class T>(T) {
    check_classes(call, {}, batch.classes);
    const ClassTargets<T> targets(call.input(kT), {}, {}, batch.rows, batch.classes);
    std::vector<T> losses(static_cast<std::size_t>(batch.rows));
    by_group(batch.rows, [&](std::int64_t first, std::int64_t rows) {
      T* to = losses.data() + first;
      kernels::softmax_kernels<T>().hinge(x.view().as<T>() + first * batch.classes,
                                          targets.classes_from(first), static_cast<T>(a.margin),
                                          rows, batch.classes, to);
      for (std::int64_t r = 0; r < rows; ++r) to[r] /= static_cast<T>(batch.classes);
    });
    LossReduction<T>(a.reduction, batch.rows, elements_or_none<T>(weights))
        .reduce([&](std::int64_t at, std::int64_t count,
                    T* to) { std::copy_n(losses.data() + at, count, to); },
                out.as<T>());
  });
}

void backward_multi_class_hinge(BackwardContext& call) {
  const auto& a = call.attributes<MultiClassHingeAttributes>();
  const DenseInput x(call.input(kX)), weights(operand_or_none(call, kWeights));
  const ClassBatch batch(x.view());
  const BackwardContext::Destination to = call.gradient(kX);
  dispatch_floating(x.view().dtype, [&]<class T>(T) {
    const ClassTargets<T> targets(call.input(kT), {}, {}, batch.rows, batch.classes);
    std::vector<T> g(static_cast<std::size_t>(batch.rows));
    LossReduction<T>(a.reduction, batch.rows, elements_or_none<T>(weights))
        .spread(call.cotangent().as<T>(), [&](std::int64_t at, std::int64_t count, const T* from) {
          for (std::int64_t i = 0; i < count; ++i) {
            g[static_cast<std::size_t>(at + i)] = from[i] / static_cast<T>(batch.classes);
          }
        });
    by_group(batch.rows, [&](std::int64_t first, std::int64_t rows) {
      const std::int64_t at = first * batch.classes;
      kernels::softmax_kernels<T>().hinge_backward(
          g.data() + first, x.view().as<T>() + at, targets.classes_from(first),
          static_cast<T>(a.margin), rows, batch.classes, to.view.as<T>() + at, to.accumulate);
    });
  });
}

/// Within the margin a class's score has slope 1, and the target's as many of −1.
void multi_class_hinge_vjp(VjpContext& c) {
  const auto& a = c.attributes<MultiClassHingeAttributes>();
  const Var x = c.input(kX), t = c.input(kT);
  const auto classes = static_cast<double>(x.size(-1));
  if (x.element_count() == 0) return;
  const Var at = expand_dims(cast(t, DType::kInt64), -1);
  const Var over = x - gather(x, at, -1) + a.margin;
  const Var zero = Tensor::zeros({}, x.dtype()), one = Tensor::full({}, 1, x.dtype());
  const Var own = equal(at, arange(0, classes, 1, DType::kInt64));
  const Var slope =
      where(own, zero, where(over > 0.0, one, where(over <= 0.0, zero, over)));  // NaN stays NaN
  const Var slopes = where(own, -sum(slope, {-1}, true), slope);
  const Var weights = c.has(kWeights) ? c.input(kWeights) : Var();
  const Var g = spread_cotangent(c.cotangent(), a.reduction, element_count(c.shape(kT)), weights);
  const Var row = g.rank() > 0 || c.shape(kT).size() == 0 ? expand_dims(g, -1) : g;
  c.set(kX, cotangent_product(row / classes, slopes));
}

}  // namespace

constinit const OpDef multi_class_hinge_loss_op = {
    .name = "multi_class_hinge_loss",
    .doc =
        {.summary =
             "Margin loss over classes: nothing once the target's score leads all by the margin.",
         .formula =
             "y = (1/n)·Σ over rows of (1/classes)·Σ over k ≠ t of max(0, margin + x[k] − x[t])",
         .arguments = "scores x: float32 or float64 […, classes]; targets t: int32, int64 or uint8 "
                      "classes […] from 0; margin > 0; reduction as in mean_squared_error; "
                      "weights: […], constants, in the mean's denominator too",
         .gradient = "1/(n·classes) for each k ≠ t within the margin, minus their sum at t; 0 at "
                     "the margin itself",
         .source = "K. Crammer, Y. Singer, On the algorithmic implementation of multiclass "
                   "kernel-based vector machines, 2001; the sum of J. Weston, C. Watkins, 1999"},
    .min_inputs = 2,
    .max_inputs = 3,
    .optional = 0b100,
    .differentiable = 0b1,
    .reads = {reads_input(kX) | reads_input(kT) | reads_input(kWeights)},
    .infer = infer_multi_class_hinge,
    .evaluate = evaluate_multi_class_hinge,
    .vjp = multi_class_hinge_vjp,
    .backward = backward_multi_class_hinge,
    .attributes = &attribute_type<MultiClassHingeAttributes>,
    .default_attributes = &default_attributes_of<MultiClassHingeAttributes>,
};

}  // namespace ops

Var multi_class_hinge_loss(const Var& scores, const Var& targets, double margin,
                           Reduction reduction, const Var& weights, std::source_location where) {
  return apply(ops::multi_class_hinge_loss_op, {&scores, &targets, &weights},
               ops::MultiClassHingeAttributes{margin, reduction}, where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/loss/loss_tests.h"
#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// Scores of which no two differ by about the margin: multiples of 0.3, shaken a little.
Tensor scores_of(const Shape& shape) {
  std::vector<double> x = spread(shape, -3, 3, 11).to_vector<double>();
  std::vector<double> shake = spread(shape, -0.02, 0.02, 12).to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.3 * std::round(x[i] / 0.3) + shake[i];
  return Tensor::from(x, shape);
}

Sample hinge_sample(const Shape& shape, DType dtype, Reduction reduction, double margin,
                    bool weighed) {
  Shape rows = shape;
  const std::int64_t classes = shape[shape.size() - 1];
  rows.erase(rows.size() - 1);
  Sample sample;
  sample.name = to_string(shape) + " " + std::string(name_of(dtype)) + " " +
                std::string(name_of(reduction)) + " margin " + std::to_string(margin) +
                (weighed ? " weighed" : "");
  const Tensor weights = weighed ? some_weights(rows, 3) : Tensor();
  sample.inputs = {scores_of(shape), spread(rows, 0, static_cast<double>(classes), 2).to(dtype)};
  sample.call = [=](std::span<const Var> x) {
    const Var given = weighed ? Var(weights.to(x[0].dtype())) : Var();
    return std::vector<Var>{multi_class_hinge_loss(x[0], x[1], margin, reduction, given)};
  };
  sample.reference = [=](std::span<const Tensor> x) {
    std::vector<double> losses;
    for (std::int64_t r = 0; r < x[1].element_count(); ++r) {
      const auto target = static_cast<std::int64_t>(x[1].at(r));
      long double loss = 0;
      for (std::int64_t k = 0; k < classes; ++k) {
        const double over = margin + x[0].at(r * classes + k) - x[0].at(r * classes + target);
        if (k != target && over > 0) loss += over;
      }
      losses.push_back(static_cast<double>(loss / static_cast<long double>(classes)));
    }
    const auto list = weighed ? weights.to_vector<double>() : std::vector<double>();
    return std::vector<Tensor>{reduced(losses, rows, reduction, list)};
  };
  sample.scale = 8;
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(multi_class_hinge_loss) {
  OpTests tests;
  for (const Reduction reduction : kReductions) {
    for (const DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
      tests.samples.push_back(hinge_sample({5, 4}, dtype, reduction, 1, false));
    }
    tests.samples.push_back(hinge_sample({5, 4}, DType::kInt64, reduction, 0.45, true));
    tests.samples.push_back(hinge_sample({2, 3, 4}, DType::kInt64, reduction, 1, true));
  }
  tests.samples.push_back(hinge_sample({3}, DType::kInt64, Reduction::kSum, 1, false));
  tests.samples.push_back(hinge_sample({0, 3}, DType::kInt64, Reduction::kSum, 1, false));
  tests.samples.push_back(hinge_sample(kLongColumns, DType::kInt64, Reduction::kMean, 1, false));
  tests.samples.push_back(hinge_sample(kLongRows, DType::kInt64, Reduction::kMean, 1, false));
  const auto bad = [](const Tensor& t, double margin = 1, const Var& weights = {}) {
    return [=] {
      (void)multi_class_hinge_loss(Tensor::zeros({2, 3}), t, margin, Reduction::kMean, weights);
    };
  };
  const auto at = [](std::initializer_list<std::int64_t> t) {
    return Tensor::from<std::int64_t>(t, {static_cast<std::int64_t>(t.size())});
  };
  tests.rejected = {
      {"class too large", bad(at({0, 3})), ErrorKind::kIndex, "target 3 in row 1 is no class of 3"},
      {"negative class", bad(at({-1, 0})), ErrorKind::kIndex,
       "target -1 in row 0 is no class of 3"},
      {"shape", bad(at({0})), ErrorKind::kShape, "scores are f32[2,3] but targets are i64[1]"},
      {"floats", bad(Tensor::zeros({2})), ErrorKind::kDType,
       "targets must be class indices, got f32[2]"},
      {"margin", bad(at({0, 1}), 0), ErrorKind::kValue, "margin must be positive, got 0"},
      {"weights", bad(at({0, 1}), 1, Tensor::zeros({3})), ErrorKind::kShape,
       "the weights are f32[3] for losses of shape [2]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
