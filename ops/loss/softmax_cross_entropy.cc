#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/loss/class_loss.h"

namespace wengert {
namespace ops {
namespace {

/// h = log softmax(x).
struct LogSoftmax {
  template <class T>
  static void scores(const T* x, std::int64_t rows, std::int64_t classes, T* h) {
    kernels::softmax_kernels<T>().log_softmax(x, rows, classes, h);
  }
  template <class T>
  static void backward(const T* u, const T*, const T* h, std::int64_t rows, std::int64_t classes,
                       T* gx) {
    kernels::softmax_kernels<T>().log_softmax_backward(u, h, rows, classes, gx, false);
  }
  /// Of each row what is taken off before exp, and Σ exp less 1.
  static constexpr bool kKeeps = true;
  template <class T>
  static void scores_of(const T* x, const std::int64_t* target, std::int64_t rows,
                        std::int64_t classes, T* h, T* shifts, T* rests) {
    kernels::softmax_kernels<T>().log_softmax_of(x, target, rows, classes, h, shifts, rests);
  }
  template <class T>
  static void backward_of(const T* g, const T* x, const std::int64_t* target, const T* shifts,
                          const T* rests, std::int64_t rows, std::int64_t classes, T* gx,
                          bool accumulate) {
    kernels::softmax_kernels<T>().cross_entropy_backward(g, x, target, shifts, rests, rows, classes,
                                                         gx, accumulate);
  }
  static Var scores(const Var& x) { return log_softmax(x); }
  static Var backward(const Var& u, const Var& x) {
    return u - cotangent_product(sum(u, {-1}, true), softmax(x));
  }
};

}  // namespace

constinit const OpDef softmax_cross_entropy_op = class_loss<LogSoftmax>(
    "softmax_cross_entropy",
    {.summary = "Cross-entropy of softmax(logits), from the logits, without overflow.",
     .formula = "y = −(1/n)·Σ log softmax(x)[row, t[row]], or −(1/n)·Σ t·log softmax(x) for "
                "probabilities t, over n rows",
     .arguments =
         "logits x: float32 or float64 […, classes]; −∞ masks a class; " WENGERT_CLASS_ARGUMENTS,
     .gradient = "∂x: (softmax(x)·Σt − t)/n with t as indicator or probabilities; ∂t: −log "
                 "softmax(x)/n",
     .source = "C. Bishop, Pattern Recognition and Machine Learning, 2006, §4.3.4"});

}  // namespace ops

Var softmax_cross_entropy(const Var& logits, const Var& targets, Reduction reduction,
                          const ClassOptions& options, std::source_location where) {
  return ops::apply_class_loss(ops::softmax_cross_entropy_op, logits, targets, reduction, options,
                               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <cmath>

#include "wengert/ops/loss/class_loss_tests.h"

namespace {

using namespace wengert;
using namespace wengert::testing;

/// log(exp(x)/Σ exp(x)).
std::vector<long double> log_softmax_of(std::span<const double> row) {
  long double most = -kInfinity, total = 0;
  for (const double x : row) most = std::max<long double>(most, x);
  for (const double x : row) total += std::exp(x - most);
  std::vector<long double> scores;
  for (const double x : row) scores.push_back(x - (most + std::log(total)));
  return scores;
}

constexpr ClassLoss kLoss{softmax_cross_entropy, log_softmax_of, -3, 3};

}  // namespace

WENGERT_OP_TESTS(softmax_cross_entropy) {
  OpTests tests = class_loss_tests(kLoss);
  const Tensor far = Tensor::from({1e4, -1e4, 0., -kInfinity, 2., 2.}, {2, 3});
  tests.samples.push_back(
      class_loss_sample(kLoss, far, Tensor::from<std::int32_t>({0, 1}, {2}), Reduction::kNone));
  tests.samples.back().smooth = false;
  tests.samples.push_back(class_loss_sample(
      kLoss, far, Tensor::from({1., 0., 0., 0., .5, .5}, {2, 3}), Reduction::kNone));
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
  return tests;
}
#endif
