#include "wengert/ops/op_file.h"

#ifdef WENGERT_RECORDS
#include "wengert/ops/loss/class_loss.h"

namespace wengert {
namespace ops {
namespace {

/// h = x: the operand has the logarithms.
struct Given {
  template <class T>
  static void scores(const T* x, std::int64_t rows, std::int64_t classes, T* h) {
    std::copy_n(x, rows * classes, h);
  }
  template <class T>
  static void backward(const T* u, const T*, const T*, std::int64_t rows, std::int64_t classes,
                       T* gx) {
    std::copy_n(u, rows * classes, gx);
  }
  static constexpr bool kKeeps = false;
  template <class T>
  static void scores_of(const T* x, const std::int64_t* target, std::int64_t rows,
                        std::int64_t classes, T* h, T*, T*) {
    for (std::int64_t r = 0; r < rows; ++r) h[r] = x[r * classes + target[r]];
  }
  template <class T>
  static void backward_of(const T* g, const T*, const std::int64_t* target, const T*, const T*,
                          std::int64_t rows, std::int64_t classes, T* gx, bool accumulate) {
    if (!accumulate) std::fill_n(gx, rows * classes, T(0));
    for (std::int64_t r = 0; r < rows; ++r) {
      if (g[r] != 0) gx[r * classes + target[r]] -= g[r];
    }
  }
  static Var scores(const Var& x) { return x; }
  static Var backward(const Var& u, const Var&) { return u; }
};

}  // namespace

constinit const OpDef nll_loss_op = class_loss<Given>(
    "nll_loss",
    {.summary = "Negative log-likelihood of the targets, from logarithms of probabilities.",
     .formula = "y = −(1/n)·Σ x[row, t[row]], or −(1/n)·Σ t·x for probabilities t, over n rows",
     .arguments = "log_probabilities x: float32 or float64 […, classes], as log_softmax gives "
                  "them; " WENGERT_CLASS_ARGUMENTS,
     .gradient = "∂x: −t/n with t as indicator or probabilities; ∂t: −x/n",
     .source = "R. A. Fisher, On the mathematical foundations of theoretical statistics, 1922"});

}  // namespace ops

Var nll_loss(const Var& log_probabilities, const Var& targets, Reduction reduction,
             const ClassOptions& options, std::source_location where) {
  return ops::apply_class_loss(ops::nll_loss_op, log_probabilities, targets, reduction, options,
                               where);
}

}  // namespace wengert
#endif

#ifdef WENGERT_TESTS
#include "wengert/ops/loss/class_loss_tests.h"

namespace {

std::vector<long double> as_they_are(std::span<const double> row) {
  return {row.begin(), row.end()};
}

}  // namespace

WENGERT_OP_TESTS(nll_loss) { return class_loss_tests({wengert::nll_loss, as_they_are, -5, 0}); }
#endif
