#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <algorithm>
#include <cmath>

#include "wengert/ops/dense_input.h"
#include "wengert/ops/kernels/splits.h"
#include "wengert/ops/kernels/thread_pool.h"
#include "wengert/ops/loss/losses.h"

namespace wengert {
namespace ops {
namespace {

constexpr std::int64_t kGroup = 64;  // rows a task: whole vectors of narrow rows at any level

/// Short runs of numbers on the stack, longer ones on the heap.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n) {
    if (n > kFew) many_.resize(static_cast<std::size_t>(n));
    data_ = n > kFew ? many_.data() : few_;
  }
  T* data() { return data_; }

 private:
  static constexpr std::int64_t kFew = 1024;
  T few_[kFew];
  std::vector<T> many_;
  T* data_;
};

void infer_cross_entropy(InferContext& call) {
  call.require_floating(0);
  if (call.rank(0) == 0) {
    call.fail(ErrorKind::kShape, "logits must have a class axis, got " + call.describe(0));
  }
  Shape batch = call.shape(0);
  batch.erase(batch.size() - 1);
  const auto fail_shapes = [&](std::string fix) {
    call.fail(ErrorKind::kShape,
              "logits are " + call.describe(0) + " but targets are " + call.describe(1),
              std::move(fix));
  };
  if (is_floating(call.dtype(1))) {
    if (call.shape(1) == batch) {
      fail_shapes("the labels are " + std::string(name_of(call.dtype(1))) +
                  ": cast(targets, DType::kInt64) makes them classes");
    }
    call.require_same_dtype(0, 1);
  } else if (call.dtype(1) == DType::kBool) {
    call.fail(ErrorKind::kDType,
              "targets must be class indices or probabilities, got " + call.describe(1));
  }
  if (!(call.shape(1) == (is_floating(call.dtype(1)) ? call.shape(0) : batch))) {
    fail_shapes(
        "class indices have the logits' shape without its last axis, probabilities the "
        "same shape");
  }
  output_of_loss(call, batch);
}

/// Rows of classes; targets as int64, null for probabilities.
struct Batch {
  std::int64_t rows, classes;
};
Batch batch_of(const TensorView& logits) {
  Batch batch = {1, logits.sizes[logits.rank - 1]};
  for (int d = 0; d + 1 < logits.rank; ++d) batch.rows *= logits.sizes[d];
  return batch;
}

void copy_indices(const TensorView& targets, std::int64_t* to) {
  const DenseInput dense(targets);
  const std::int64_t n = targets.count();
  dispatch(targets.dtype, [&]<class I>(I) {
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = static_cast<std::int64_t>(dense.view().as<I>()[i]);
    }
  });
}

void require_in_range(const OpCall& call, const std::int64_t* targets, const Batch& batch) {
  for (std::int64_t r = 0; r < batch.rows; ++r) {
    if (targets[r] >= 0 && targets[r] < batch.classes) continue;
    call.fail(ErrorKind::kIndex,
              "target " + std::to_string(targets[r]) + " in row " + std::to_string(r) +
                  " is no class of " + std::to_string(batch.classes),
              "classes count from 0");
  }
}

/// Calls body(first row, rows, their log-probabilities) for groups of rows.
template <class T, class Body>
void with_log_softmax(const T* x, const Batch& batch, const Body& body) {
  WENGERT_SPLIT(CrossEntropyTasks, batch.rows, kGroup);
  kernels::parallel_for((batch.rows + kGroup - 1) / kGroup, [&](std::int64_t task) {
    const std::int64_t first = task * kGroup, rows = std::min(batch.rows - first, kGroup);
    Scratch<T> logs(rows * batch.classes);
    kernels::row_kernels<T>().log_softmax(x + first * batch.classes, rows, batch.classes,
                                          logs.data());
    body(first, rows, logs.data());
  });
}

void evaluate_cross_entropy(EvalContext& call) {
  const DenseInput x(call.input(0));
  const TensorView out = call.output(), targets = call.input(1);
  const Batch batch = batch_of(x.view());
  const Reduction reduction = call.attributes<LossAttributes>().reduction;
  dispatch_floating(out.dtype, [&]<class T>(T) {
    Scratch<T> losses(batch.rows);
    if (is_floating(targets.dtype)) {
      const DenseInput p(targets);
      with_log_softmax(x.view().as<T>(), batch,
                       [&](std::int64_t first, std::int64_t rows, const T* logs) {
                         const T* weights = p.view().as<T>() + first * batch.classes;
                         for (std::int64_t r = 0; r < rows;
                              ++r, weights += batch.classes, logs += batch.classes) {
                           double total = 0;  // of many classes, in float32 too
                           for (std::int64_t j = 0; j < batch.classes; ++j) {
                             if (weights[j] != 0) total -= weights[j] * logs[j];  // 0·∞ is 0 here
                           }
                           losses.data()[first + r] = static_cast<T>(total);
                         }
                       });
    } else {
      Scratch<std::int64_t> index(batch.rows);
      copy_indices(targets, index.data());
      require_in_range(call, index.data(), batch);
      with_log_softmax(
          x.view().as<T>(), batch, [&](std::int64_t first, std::int64_t rows, const T* logs) {
            for (std::int64_t r = 0; r < rows; ++r) {
              losses.data()[first + r] = -logs[r * batch.classes + index.data()[first + r]];
            }
          });
    }
    reduce_losses(losses.data(), batch.rows, reduction, out.as<T>());
  });
}

template <class T>
void spread_cotangent(const TensorView& g, Reduction reduction, std::int64_t rows, T* to) {
  for (std::int64_t r = 0; r < rows; ++r) {
    to[r] = reduction == Reduction::kNone  ? g.as<T>()[r]
            : reduction == Reduction::kSum ? g.as<T>()[0]
                                           : g.as<T>()[0] / static_cast<T>(rows);
  }
}

/// Both gradients for probabilities t: g·(Σt·softmax(x) − t) and −g·log_softmax(x).
template <class T>
void backward_probabilities(BackwardContext& c, const T* x, const T* g, const Batch& batch) {
  const DenseInput targets(c.needs(0) ? c.input(1) : TensorView{});
  const auto to_x = c.needs(0) ? c.gradient(0) : BackwardContext::Destination{};
  const auto to_t = c.needs(1) ? c.gradient(1) : BackwardContext::Destination{};
  const auto put = [](const BackwardContext::Destination& to, std::int64_t at, T value) {
    T& slot = to.view.as<T>()[at];
    slot = to.accumulate ? slot + value : value;
  };
  const bool needs_x = c.needs(0), needs_t = c.needs(1);
  with_log_softmax(x, batch, [&](std::int64_t first, std::int64_t rows, const T* logs) {
    for (std::int64_t r = first; r < first + rows; ++r, logs += batch.classes) {
      const std::int64_t start = r * batch.classes;
      const T* t = needs_x ? targets.view().as<T>() + start : nullptr;
      const T total = needs_x ? kernels::row_kernels<T>().sum(t, batch.classes) : T(0);
      for (std::int64_t j = 0; j < batch.classes; ++j) {
        const bool zero = g[r] == 0;
        if (needs_x) {
          put(to_x, start + j, zero ? T(0) : g[r] * (total * std::exp(logs[j]) - t[j]));
        }
        if (needs_t) put(to_t, start + j, zero ? T(0) : -g[r] * logs[j]);
      }
    }
  });
}

void backward_cross_entropy(BackwardContext& c) {
  const DenseInput x(c.input(0));
  const Batch batch = batch_of(x.view());
  const Reduction reduction = c.attributes<LossAttributes>().reduction;
  dispatch_floating(x.view().dtype, [&]<class T>(T) {
    Scratch<T> g(batch.rows);
    spread_cotangent(c.cotangent(), reduction, batch.rows, g.data());
    if (c.needs(1) || is_floating(c.input(1).dtype)) {
      backward_probabilities(c, x.view().as<T>(), g.data(), batch);
      return;
    }
    Scratch<std::int64_t> index(batch.rows);
    copy_indices(c.input(1), index.data());
    const auto to = c.gradient(0);
    WENGERT_SPLIT(CrossEntropyTasks, batch.rows, kGroup);
    kernels::parallel_for((batch.rows + kGroup - 1) / kGroup, [&](std::int64_t task) {
      const std::int64_t first = task * kGroup, rows = std::min(batch.rows - first, kGroup);
      kernels::row_kernels<T>().cross_entropy_backward(
          g.data() + first, x.view().as<T>() + first * batch.classes, index.data() + first, rows,
          batch.classes, to.view.as<T>() + first * batch.classes, to.accumulate);
    });
  });
}

/// Ones at the target classes, zeros elsewhere, as ops.
Var indicator(const Var& targets, std::int64_t classes, DType dtype) {
  const Var zero = Tensor::zeros({}, dtype), one = Tensor::full({}, 1, dtype);
  const Var index =
      targets.dtype() == DType::kUint8 ? Var(targets.value().to(DType::kInt64)) : targets;
  const Var all = arange(0, static_cast<double>(classes), 1, index.dtype());
  return where(equal(expand_dims(index, -1), all), one, zero);
}

void cross_entropy_vjp(VjpContext& c) {
  const Shape shape = c.shape(0);
  const std::int64_t classes = shape[shape.size() - 1];
  if (element_count(shape) == 0) return;
  Var g = cotangent_of_losses(c, element_count(shape) / classes);
  if (g.rank() > 0) g = expand_dims(g, -1);
  const Var x = c.input(0);
  if (c.needs(0)) {
    if (is_floating(c.dtype(1))) {
      const Var t = c.input(1);
      c.set(0, cotangent_product(g, softmax(x) * sum(t, {-1}, true) - t));
    } else {
      c.set(0, cotangent_product(g, softmax(x) - indicator(c.input(1), classes, c.dtype(0))));
    }
  }
  if (c.needs(1)) c.set(1, cotangent_product(g, -log_softmax(x)));
}

}  // namespace

constinit const OpDef softmax_cross_entropy_op = {
    .name = "softmax_cross_entropy",
    .doc = {.summary = "Cross-entropy of softmax(logits), from the logits, without overflow.",
            .formula = "y = −(1/n)·Σ log softmax(x)[row, t[row]], or −(1/n)·Σ t·log softmax(x) for "
                       "probabilities t, over n rows",
            .arguments = "logits x: float32 or float64 […, classes]; −∞ masks a class; targets t: "
                         "int32, int64 or uint8 classes […] from 0, or probabilities of x's dtype "
                         "and shape, of which 0 adds nothing even at −∞; reduction: mean over the "
                         "rows (NaN over none), sum, or none",
            .gradient = "∂x: (softmax(x)·Σt − t)/n with t as indicator or probabilities; ∂t: −log "
                        "softmax(x)/n",
            .source = "C. Bishop, Pattern Recognition and Machine Learning, 2006, §4.3.4"},
    .min_inputs = 2,
    .max_inputs = 2,
    .differentiable = 3,
    .reads = {reads_input(0) | reads_input(1), reads_input(0)},
    .linear = {0b10},
    .infer = infer_cross_entropy,
    .evaluate = evaluate_cross_entropy,
    .vjp = cross_entropy_vjp,
    .backward = backward_cross_entropy,
    .attributes = &attribute_type<LossAttributes>,
    .default_attributes = &default_attributes_of<LossAttributes>,
};

}  // namespace ops

Var softmax_cross_entropy(const Var& logits, const Var& targets, Reduction reduction,
                          std::source_location where) {
  return apply(ops::softmax_cross_entropy_op, {&logits, &targets}, ops::LossAttributes{reduction},
               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/loss/loss_tests.h"
#include "wengert/ops/reduction/reduction_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// −Σ t·log(exp(x)/Σ exp(x)) of each row, in long double.
std::vector<double> row_losses(const Tensor& x, const Tensor& t) {
  const std::int64_t classes = x.size(-1);
  std::vector<double> losses;
  for (std::int64_t r = 0; r < x.element_count() / std::max<std::int64_t>(1, classes); ++r) {
    long double most = -kInfinity, total = 0, loss = 0;
    for (std::int64_t j = 0; j < classes; ++j) {
      most = std::max<long double>(most, x.at(r * classes + j));
    }
    for (std::int64_t j = 0; j < classes; ++j) total += std::exp(x.at(r * classes + j) - most);
    const long double logarithm = most + std::log(total);
    for (std::int64_t j = 0; j < classes; ++j) {
      const double weight =
          is_floating(t.dtype()) ? t.at(r * classes + j) : (t.at(r) == static_cast<double>(j));
      if (weight != 0) loss -= weight * (x.at(r * classes + j) - logarithm);
    }
    losses.push_back(static_cast<double>(loss));
  }
  return losses;
}

Sample entropy_sample(const Tensor& x, const Tensor& t, Reduction reduction) {
  Sample sample;
  sample.name = to_string(x.shape()) + " at " + to_string(t.dtype(), t.shape()) +
                name_of_reduction(reduction);
  sample.inputs = {x, t};
  sample.call = [reduction](std::span<const Var> in) {
    return std::vector<Var>{softmax_cross_entropy(in[0], in[1], reduction)};
  };
  sample.reference = [reduction](std::span<const Tensor> in) {
    Shape batch = in[0].shape();
    batch.erase(batch.size() - 1);
    return std::vector<Tensor>{reduced(row_losses(in[0], in[1]), batch, reduction)};
  };
  sample.scale = 8;
  return sample;
}

}  // namespace

WENGERT_OP_TESTS(softmax_cross_entropy) {
  OpTests tests;
  int seed = 0;
  for (const Shape& shape :
       {Shape{5}, Shape{1, 1}, Shape{20, 3}, Shape{2, 3, 4}, Shape{2, 70}, Shape{0, 3}}) {
    Shape batch = shape;
    batch.erase(batch.size() - 1);
    const auto classes = static_cast<double>(shape[shape.size() - 1]);
    for (Reduction reduction : {Reduction::kMean, Reduction::kSum, Reduction::kNone}) {
      const Tensor x = spread(shape, -3, 3, ++seed);
      for (DType dtype : {DType::kInt32, DType::kInt64, DType::kUint8}) {
        tests.samples.push_back(
            entropy_sample(x, spread(batch, 0, classes, seed).to(dtype), reduction));
      }
      tests.samples.push_back(entropy_sample(x, spread(shape, 0, 1, seed + 50), reduction));
    }
  }
  for (const Shape& shape : {kLongColumns, Shape{150, 70}, kLongRows}) {
    const Tensor x = spread(shape, -3, 3);
    const Tensor classes = spread({shape[0]}, 0, static_cast<double>(shape[1])).to(DType::kInt64);
    tests.samples.push_back(entropy_sample(x, classes, Reduction::kMean));
    tests.samples.push_back(entropy_sample(x, spread(shape, 0, 1, 50), Reduction::kNone));
  }
  const Tensor far = Tensor::from({1e4, -1e4, 0., -kInfinity, 2., 2.}, {2, 3});
  tests.samples.push_back(
      entropy_sample(far, Tensor::from<std::int32_t>({0, 1}, {2}), Reduction::kNone));
  tests.samples.back().smooth = false;
  tests.samples.push_back(
      entropy_sample(far, Tensor::from({1., 0., 0., 0., .5, .5}, {2, 3}), Reduction::kNone));
  tests.samples.back().smooth = false;
  const auto at = [](std::initializer_list<std::int32_t> t) {
    return Tensor::from<std::int32_t>(t, {static_cast<std::int64_t>(t.size())});
  };
  tests.samples.push_back(
      gradient_sample("far and masked", far,
                      [at](const Var& x) {
                        return softmax_cross_entropy(x, at({1, 1}), Reduction::kSum);
                      },
                      {1, -1, 0, 0, -.5, .5}));
  const auto bad = [](const Tensor& t, DType dtype = DType::kFloat32) {
    return [=] { return softmax_cross_entropy(Tensor::zeros({2, 3}, dtype), t); };
  };
  tests.rejected = {
      {"class too large", bad(at({0, 3})), ErrorKind::kIndex, "target 3 in row 1 is no class of 3"},
      {"negative class", bad(at({-1, 0})), ErrorKind::kIndex,
       "target -1 in row 0 is no class of 3"},
      {"shape", bad(at({0, 1, 2})), ErrorKind::kShape,
       "logits are f32[2,3] but targets are i32[3]"},
      {"probabilities' shape", bad(Tensor::zeros({2}, DType::kFloat32)), ErrorKind::kShape,
       "logits are f32[2,3] but targets are f32[2]"},
      {"bool", bad(Tensor::zeros({2}, DType::kBool)), ErrorKind::kDType,
       "targets must be class indices or probabilities, got bool[2]"},
      {"integer logits", bad(at({0, 1}), DType::kInt32), ErrorKind::kDType,
       "needs float32 or float64, got i32[2,3]"},
      {"scalar", [] { return softmax_cross_entropy(Tensor::scalar(1.f), Tensor::scalar(0)); },
       ErrorKind::kShape, "logits must have a class axis, got f32[]"}};
  tests.ulps32 = tests.ulps64 = 16;
  return tests;
}
#endif
