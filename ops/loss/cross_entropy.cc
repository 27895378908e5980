#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include <cmath>

#include "wengert/ops/loss/class_loss.h"

namespace wengert {
namespace ops {
namespace {

/// h = max(ln x, −100); NaN stays NaN.
struct LogOfProbabilities {
  template <class T>
  static void scores(const T* x, std::int64_t rows, std::int64_t classes, T* h) {
    for (std::int64_t i = 0; i < rows * classes; ++i) {
      const T logarithm = std::log(x[i]);
      h[i] = logarithm < -100 ? T(-100) : logarithm;
    }
  }
  template <class T>
  static void backward(const T* u, const T* x, const T* h, std::int64_t rows, std::int64_t classes,
                       T* gx) {
    for (std::int64_t i = 0; i < rows * classes; ++i) {
      gx[i] = u[i] == 0 || h[i] <= -100 ? T(0) : u[i] / x[i];
    }
  }
  static constexpr bool kKeeps = false;
  template <class T>
  static void scores_of(const T* x, const std::int64_t* target, std::int64_t rows,
                        std::int64_t classes, T* h, T*, T*) {
    for (std::int64_t r = 0; r < rows; ++r) scores(x + r * classes + target[r], 1, 1, h + r);
  }
  template <class T>
  static void backward_of(const T* g, const T* x, const std::int64_t* target, const T*, const T*,
                          std::int64_t rows, std::int64_t classes, T* gx, bool accumulate) {
    if (!accumulate) std::fill_n(gx, rows * classes, T(0));
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * classes + target[r];
      T h, slope;
      scores(x + at, 1, 1, &h);
      backward(g + r, x + at, &h, 1, 1, &slope);
      if (slope != 0) gx[at] -= slope;
    }
  }
  static Var scores(const Var& x) { return maximum(log(x), -100.0); }
  static Var backward(const Var& u, const Var& x) {
    const Var cut = log(x) <= -100.0;
    const Var slope = u / where(cut, ones_like(x), x);  // a reciprocal of its own may overflow
    return where(logical_or(cut, equal(u, 0.0)), zeros_like(slope), slope);
  }
};

}  // namespace

constinit const OpDef cross_entropy_op = class_loss<LogOfProbabilities>(
    "cross_entropy",
    {.summary = "Cross-entropy of targets from probabilities.",
     .formula = "y = −(1/n)·Σ max(ln p[row, t[row]], −100), or −(1/n)·Σ t·max(ln p, −100) for "
                "probabilities t, over n rows",
     .arguments =
         "probabilities p: float32 or float64 […, classes], as softmax gives them, not "
         "normalised here; " WENGERT_CLASS_ARGUMENTS ". From logits softmax_cross_entropy is exact "
         "where this rounds or is cut",
     .gradient = "∂p: −t/(p·n), 0 where the logarithm is cut; ∂t: −max(ln p, −100)/n",
     .source = "C. Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108"});

}  // namespace ops

Var cross_entropy(const Var& probabilities, const Var& targets, Reduction reduction,
                  const ClassOptions& options, std::source_location where) {
  return ops::apply_class_loss(ops::cross_entropy_op, probabilities, targets, reduction, options,
                               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include <cmath>

#include "wengert/ops/loss/class_loss_tests.h"

namespace {

std::vector<long double> logarithms(std::span<const double> row) {
  std::vector<long double> result;
  for (const double p : row) result.push_back(std::max(std::log((long double)p), -100.0L));
  return result;
}

}  // namespace

WENGERT_OP_TESTS(cross_entropy) {
  OpTests tests = class_loss_tests({wengert::cross_entropy, logarithms, 0.05, 0.95});
  tests.samples.push_back(gradient_sample("cut at −100", Tensor::from({0., 1., 0.5, 0.5}, {2, 2}),
                                          [](const wengert::Var& p) {
                                            return wengert::cross_entropy(
                                                p, Tensor::from<std::int32_t>({0, 1}, {2}),
                                                wengert::Reduction::kSum);
                                          },
                                          {0, 0, 0, -2}));
  return tests;
}
#endif
